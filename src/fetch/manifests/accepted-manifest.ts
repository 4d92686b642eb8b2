import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parseManifest } from '../../contract/manifest.ts';
import { formatJson } from '../../core/format.ts';
import { sha256 } from '../../core/hashing.ts';
import { exists, namesIn, readFileIfThere } from '../../core/read-files.ts';
import { writeFileAtomically } from '../../core/write-files.ts';
import { showSource } from '../../http/remote-error.ts';
import { readAllInstalled } from '../cache/installed.ts';
import type { CacheLayout } from '../cache/layout.ts';
import type { GoodManifest, KnownManifest } from './good-manifest.ts';

/** What is remembered with the newest manifest that was accepted. */
export interface AcceptedState {
  /** Keys that were given or baked in when `keys` were learned. */
  readonly roots: readonly string[];
  /** Keys that a manifest signed by a trusted key announced; empty where none did. */
  readonly keys: readonly string[];
  /** Keys that were announced before those, the oldest first. */
  readonly earlier: readonly (readonly string[])[];
  /** Keys that were trusted when it was accepted: one of them signed it. */
  readonly signers: readonly string[];
  /** The answers' ETags by source, valid for this manifest's bytes. */
  readonly etags: Readonly<Record<string, string>>;
}

/**
 * state/accepted.json: our own file, whose names are those of `GoodManifest` and `AcceptedState`.
 */
interface AcceptedFile extends AcceptedState, Pick<GoodManifest, 'sha256' | 'url' | 'local'> {
  readonly accepted_version: 1;
  readonly accepted_at: string;
}

/** The newest manifest that was accepted. */
export interface AcceptedManifest extends GoodManifest, AcceptedState {
  readonly accepted_at: string;
}

/**
 * Reads the newest accepted manifest from state/; undefined where there is none, or a damaged one
 * (bytes are checked against the recorded digest). Whether its signature is good under today's keys
 * is for the caller to check.
 */
export async function readAccepted(layout: CacheLayout): Promise<AcceptedManifest | undefined> {
  const state = await readFileIfThere(acceptedPath(layout));
  if (state === undefined) return undefined;
  try {
    const accepted: AcceptedFile = JSON.parse(state.toString());
    const kept = accepted.accepted_version === 1 ? await readKeptManifest(layout, accepted) : undefined;
    return kept && { ...kept, ...accepted };
  } catch {
    return undefined;
  }
}

/**
 * Makes a manifest the accepted one: its bytes under their digest first, then one atomic write that
 * names it.
 */
export async function writeAccepted(layout: CacheLayout, found: GoodManifest, state: AcceptedState): Promise<void> {
  await keepManifest(layout, found);
  const { sha256: digest, local } = found;
  const url = showSource(found.url);
  const accepted_at = new Date().toISOString();
  const accepted: AcceptedFile = { accepted_version: 1, sha256: digest, url, local, accepted_at, ...state };
  await writeFileAtomically(acceptedPath(layout), formatJson(accepted));
  await removeOldManifests(layout, digest);
}

/**
 * Keeps a manifest's bytes and signature under their digest, as long as an installed version or the
 * newest acceptance names it.
 */
export async function keepManifest(layout: CacheLayout, good: KnownManifest): Promise<void> {
  if (good.bytes === undefined) return;
  const path = manifestPath(layout, good.sha256);
  if (good.signature) await writeFileAtomically(`${path}.minisig`, good.signature);
  if (!(await exists(path))) await writeFileAtomically(path, good.bytes);
}

/** A manifest that was kept, here or in the system cache; undefined where it is gone or damaged. */
export async function readKeptManifest(
  layout: CacheLayout,
  kept: Pick<GoodManifest, 'sha256' | 'local'> & { readonly url?: string },
): Promise<GoodManifest | undefined> {
  const { sha256: digest, local, url } = kept;
  const path = manifestPath(layout, digest);
  const bytes = await readFileIfThere(path);
  if (bytes === undefined || sha256(bytes) !== digest) {
    return layout.system && readKeptManifest(layout.system, kept);
  }
  const signature = await readFileIfThere(`${path}.minisig`);
  return { manifest: parseManifest(bytes, path), bytes, sha256: digest, signature, url: url ?? path, local };
}

/** Another process may be about to name a manifest that it just wrote; so young ones stay. */
const keptMs = 3_600_000;

async function removeOldManifests(layout: CacheLayout, digest: string): Promise<void> {
  const named = new Set([digest]);
  for (const model of await readAllInstalled(layout)) {
    for (const { manifest_sha256: kept } of model.versions) named.add(kept);
  }
  for (const file of await namesIn(manifestsDirectory(layout))) {
    const path = join(manifestsDirectory(layout), file);
    if (named.has(file.slice(0, digest.length))) continue;
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
    if (Date.now() - mtimeMs >= keptMs) await rm(path, { force: true });
  }
}

function acceptedPath(layout: CacheLayout): string {
  return join(layout.state, 'accepted.json');
}

function manifestsDirectory(layout: CacheLayout): string {
  return join(layout.state, 'manifests');
}

function manifestPath(layout: CacheLayout, digest: string): string {
  return join(manifestsDirectory(layout), `${digest}.json`);
}
