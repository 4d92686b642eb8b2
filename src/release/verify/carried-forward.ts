import type { Manifest } from '../../contract/manifest.ts';
import type { ReleaseConfig } from '../../contract/release-config.ts';
import { mapConcurrently } from '../../core/concurrency.ts';
import type { Target } from '../../targets/target.ts';
import { fileUrl } from '../addresses.ts';
import type { Workspace } from '../workspace.ts';
import { type ExpectedFile, expectedOfModel } from './expected-files.ts';
import { judgeFile } from './judge-file.ts';
import { reaching } from './look-at-target.ts';
import type { VerifyFindings } from './verify-findings.ts';

/** Old releases that are looked at at once, a target. */
const parallelLooks = 2;

/** What is carried forward must still stand in the releases that published it. */
export async function verifyCarriedForward(
  config: ReleaseConfig,
  tag: string,
  manifest: Manifest,
  targets: readonly Target[],
  findings: VerifyFindings,
  workspace: Workspace,
): Promise<void> {
  await Promise.all(
    targets.map(async (target) => {
      const byTag = carriedFiles(manifest, tag, target);
      await mapConcurrently(byTag, parallelLooks, async ([old, files]) => {
        const here = files.filter(({ name, url }) => url === fileUrl(config, target.kind, old, name));
        // Published before release.json named this place: only a download can tell.
        for (const file of files) if (!here.includes(file)) findings.file(target, file.name, 'not checked');
        if (here.length === 0) return;
        const look = await reaching(target, () => target.inspect(old, workspace));
        for (const file of here) {
          if ('failure' in look) findings.file(target, file.name, 'unreachable', look.failure.message);
          else if (look.state !== 'public')
            findings.file(target, file.name, 'missing', `is missing: ${old} is ${look.state}`);
          else {
            const { state, detail } = await judgeFile(target, old, file, look, workspace);
            findings.file(target, file.name, state, detail ?? `of ${old} is ${state}`);
          }
        }
      });
    }),
  );
}

function carriedFiles(manifest: Manifest, tag: string, target: Target): ReadonlyMap<string, readonly ExpectedFile[]> {
  const byTag = new Map<string, ExpectedFile[]>();
  for (const [model, entry] of Object.entries(manifest.models)) {
    if (entry.release === undefined || entry.release === tag) continue;
    const files = byTag.get(entry.release) ?? [];
    files.push(...expectedOfModel(model, entry, target.kind));
    byTag.set(entry.release, files);
  }
  return byTag;
}
