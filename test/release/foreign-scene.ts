import { readFile } from 'node:fs/promises';
import type { TestContext } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import type { HostKind } from '../../src/contract/fields.ts';
import { formatManifest, type Manifest } from '../../src/contract/manifest.ts';
import type { AircherError, Problem } from '../../src/core/errors.ts';
import { putForeignRelease, type WritableHost } from '../../src/rehearsal/foreign-release.ts';
import { type ReleaseReport, runRelease } from '../../src/release/pipeline.ts';
import type { PlanOptions } from '../../src/release/plan/plan-release.ts';
import { newSigningKey } from '../fixtures/signing-key.ts';
import { createPublishScene, type PublishScene, repository, tokens } from './publish-scene.ts';

export const kinds: readonly HostKind[] = ['github', 'huggingface', 'mirror'];

export interface Key {
  readonly publicKey: string;
  readonly secretKeyPath: string;
}

/** What came of one `release`. */
export interface Outcome {
  readonly report: ReleaseReport | undefined;
  readonly error: AircherError | undefined;
  readonly warnings: readonly Problem[];
  /** Everything that was said to the maintainer, in one text. */
  readonly said: string;
}

/** A maintainer with three hosts, some of which others can write to. */
export interface ForeignScene extends PublishScene {
  /** release.json with these changes, then `release` with this key. */
  release(changes: Readonly<Record<string, unknown>>, key?: Key, options?: PlanOptions): Promise<Outcome>;
  keygen(name: string): Promise<Key>;
  /** The last manifest in the output directory. */
  manifest(): Promise<Manifest>;
  hostOf(kind: HostKind): WritableHost;
}

export async function createForeignScene(t: TestContext): Promise<ForeignScene> {
  const scene = await createPublishScene(t);
  const { workspace } = scene;
  return {
    ...scene,
    release: async (changes, key, options = {}) => {
      await scene.configure(changes);
      const warnings: Problem[] = [];
      const inside = await scene.inside((event) => {
        if (event.type === 'warning' && !warnings.some((told) => isDeepStrictEqual(told, event.problem)))
          warnings.push(event.problem);
      });
      const environment = { ...inside.workspace.environment, signingKey: key?.secretKeyPath };
      let report: ReleaseReport | undefined;
      let error: AircherError | undefined;
      try {
        report = await runRelease(inside.loaded, inside.targets, { ...inside.workspace, environment }, options);
      } catch (thrown) {
        error = thrown as AircherError;
      }
      const problems = [...warnings, ...(error?.problems ?? [])];
      const said = [
        error?.message,
        error?.hint,
        ...problems.flatMap(({ file, message, hint }) => [file, message, hint]),
      ];
      return { report, error, warnings, said: said.filter((text) => text !== undefined).join('\n') };
    },
    keygen: (name) => newSigningKey(workspace.path('keys', name)),
    manifest: async () => JSON.parse(await readFile(workspace.path('release/manifest.json'), 'utf8')) as Manifest,
    hostOf: (kind) =>
      (
        ({
          github: { kind: 'github', apiUrl: scene.github.apiUrl, token: tokens.github, repository },
          huggingface: { kind: 'huggingface', url: scene.hub.url, token: tokens.hub, repository },
          mirror: { kind: 'mirror', directory: workspace.path('mirror') },
        }) as const
      )[kind],
  };
}

/**
 * A manifest like one of ours, but for what `change` makes of it, under a tag of its own and
 * unsigned unless told.
 */
export async function putForged(
  scene: ForeignScene,
  kind: HostKind,
  tag: string,
  change: (manifest: Manifest) => Manifest,
  signature?: string,
): Promise<void> {
  const forged = formatManifest({ ...change(await scene.manifest()), release: tag });
  const files = { 'manifest.json': forged, ...(signature === undefined ? {} : { 'manifest.json.minisig': signature }) };
  await putForeignRelease(scene.hostOf(kind), tag, files);
}

export const evilSha256 = 'e'.repeat(64);
export const evilUrl = 'https://evil.example.net/alpha.tar.gz';

/** Another archive in place of alpha's, and an address that nobody configured. */
export function withEvilAlpha(manifest: Manifest): Manifest {
  const { files: _files, weights: _weights, ...alpha } = manifest.models.alpha!;
  const download_urls = { ...alpha.download_urls, mirror: evilUrl };
  return {
    ...manifest,
    models: { ...manifest.models, alpha: { ...alpha, sha256: evilSha256, size_bytes: 666, download_urls } },
  };
}
