import { catalogueName } from '../../contract/catalogue-mark.ts';
import type { ReleaseConfig } from '../../contract/release-config.ts';
import type { ReleaseFile, Target, TargetRelease } from '../../targets/target.ts';
import { notesName, readNotes, sameNotes } from '../documents/notes.ts';
import { type SignatureCheck, signatureChecks } from '../documents/signature-check.ts';
import type { WrittenManifest } from '../documents/write-manifest.ts';
import type { Plan } from '../plan/plan-record.ts';
import { isPublished } from '../published/accepted-releases.ts';
import type { Workspace } from '../workspace.ts';
import { carriedModels, hubLayout, releaseFiles } from './release-files.ts';
import { findTargetCommit } from './target-commit.ts';

/** What one target is to have of the release in the output directory. */
export async function targetRelease(
  config: ReleaseConfig,
  plan: Plan,
  written: WrittenManifest,
  target: Target,
  targets: readonly Target[],
  workspace: Workspace,
): Promise<TargetRelease> {
  const options = { rawFiles: config.huggingface?.raw_files === true };
  const notes = await readNotes(workspace);
  const checks = await signatureChecks(config, written, workspace);
  return {
    tag: plan.tag,
    version: plan.release,
    prerelease: plan.prerelease,
    files: (await releaseFiles(target.kind, written.manifest, options, workspace)).map((file) =>
      acceptEqual(file, notes, written, checks),
    ),
    carried: target.kind === 'huggingface' ? carriedModels(written.manifest, options) : [],
    layout: hubLayout(written.manifest, options),
    notes,
    targetCommit: target.kind === 'github' ? await findTargetCommit(config, workspace) : undefined,
    isOurs: (tag) => isPublished(config, tag, targets, workspace),
  };
}

/**
 * What may stand there in other bytes: GPG signs the same manifest differently each time, the notes
 * name the machine's Node, and another version of this program may draw another catalogue. A stored
 * signature is as good as ours where it verifies, a catalogue where it is of the same manifest.
 */
function acceptEqual(
  file: ReleaseFile,
  notes: string,
  { sha256 }: WrittenManifest,
  signatures: ReadonlyMap<string, SignatureCheck>,
): ReleaseFile {
  if (file.name === catalogueName) return { ...file, accepts: (stored) => stored.includes(sha256) };
  if (file.name === notesName) return { ...file, accepts: (stored) => sameNotes(stored.toString(), notes) };
  const check = signatures.get(file.name);
  if (check === undefined) return file;
  return {
    ...file,
    accepts: (stored) =>
      check(stored).then(
        () => true,
        () => false,
      ),
  };
}
