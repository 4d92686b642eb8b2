import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod/mini';
import { sha256Field } from '../../contract/fields.ts';
import { type Manifest, parseManifest } from '../../contract/manifest.ts';
import { parseStrictJson } from '../../contract/strict-json.ts';
import { exists, readFileIfThere, writeFileAtomically } from '../../core/files.ts';
import { formatJson } from '../../core/format.ts';
import { sha256 } from '../../core/hashing.ts';
import { readAllInstalled } from '../cache/installed.ts';
import type { CacheLayout } from '../cache/layout.ts';
import { list } from '../cache/records.ts';
import { showSource } from '../http/remote-error.ts';
import type { GoodManifest } from './good-manifest.ts';

const acceptedSchema = z.object({
  accepted_version: z.literal(1),
  sha256: sha256Field,
  /** Where it was: a URL or a file. */
  url: z.string(),
  accepted_at: z.string(),
  /** Keys that were given or baked in when `keys` were learned. */
  roots: z.array(z.string()),
  /** Keys that a manifest signed by a trusted key announced; empty where none did. */
  keys: z.array(z.string()),
  /** Keys that were trusted when it was accepted: one of them signed it. */
  signers: z.array(z.string()),
  /** The answers' ETags by source, valid for this manifest's bytes. */
  etags: z.record(z.string(), z.string()),
});

/** The newest manifest that was accepted, and what is remembered with it. */
export interface AcceptedManifest {
  readonly manifest: Manifest;
  readonly bytes: Buffer;
  readonly sha256: string;
  readonly signature: Buffer | undefined;
  readonly url: string;
  readonly acceptedAt: string;
  readonly roots: readonly string[];
  readonly keys: readonly string[];
  readonly signers: readonly string[];
  readonly etags: Readonly<Record<string, string>>;
}

const maxStateBytes = 1024 * 1024;

/**
 * Reads the newest accepted manifest from state/; undefined where there is none, or a damaged one (bytes are checked against
 * the recorded digest). Whether its signature is good under today's keys is for the caller to check.
 */
export async function readAccepted(layout: CacheLayout): Promise<AcceptedManifest | undefined> {
  const bytes = await readFileIfThere(acceptedPath(layout));
  if (bytes === undefined) return undefined;
  try {
    const json = parseStrictJson(bytes, { file: acceptedPath(layout), maxBytes: maxStateBytes });
    const state = z.parse(acceptedSchema, json);
    const content = await readFileIfThere(manifestPath(layout, state.sha256));
    if (content === undefined || sha256(content) !== state.sha256) return undefined;
    return {
      manifest: parseManifest(content, state.url),
      bytes: content,
      sha256: state.sha256,
      signature: await readFileIfThere(`${manifestPath(layout, state.sha256)}.minisig`),
      url: state.url,
      acceptedAt: state.accepted_at,
      roots: state.roots,
      keys: state.keys,
      signers: state.signers,
      etags: state.etags,
    };
  } catch {
    return undefined;
  }
}

/** Makes a manifest the accepted one: its bytes under their digest first, then one atomic write that names it. */
export async function writeAccepted(
  layout: CacheLayout,
  accepted: Omit<AcceptedManifest, 'manifest' | 'acceptedAt'>,
): Promise<void> {
  await keepManifest(layout, accepted);
  const state = {
    accepted_version: 1,
    sha256: accepted.sha256,
    url: showSource(accepted.url),
    accepted_at: new Date().toISOString(),
    roots: accepted.roots,
    keys: accepted.keys,
    signers: accepted.signers,
    etags: accepted.etags,
  };
  await writeFileAtomically(acceptedPath(layout), formatJson(state));
  await removeOldManifests(layout, accepted.sha256);
}

/** Keeps a manifest's bytes and signature under their digest, as long as an installed version or the newest acceptance names it. */
export async function keepManifest(
  layout: CacheLayout,
  good: Pick<GoodManifest, 'bytes' | 'sha256' | 'signature'>,
): Promise<void> {
  const path = manifestPath(layout, good.sha256);
  if (good.signature) await writeFileAtomically(`${path}.minisig`, good.signature);
  if (!(await exists(path))) await writeFileAtomically(path, good.bytes);
}

/** A manifest that was kept; undefined where it is gone or damaged. */
export async function readKeptManifest(layout: CacheLayout, digest: string): Promise<GoodManifest | undefined> {
  const path = manifestPath(layout, digest);
  const bytes = await readFileIfThere(path);
  if (bytes === undefined || sha256(bytes) !== digest) return undefined;
  const signature = await readFileIfThere(`${path}.minisig`);
  return { manifest: parseManifest(bytes, path), bytes, sha256: digest, signature, url: path, fresh: false };
}

/** Another process may be about to name a manifest that it just wrote; so young ones stay. */
const keptMs = 3_600_000;

async function removeOldManifests(layout: CacheLayout, digest: string): Promise<void> {
  const named = new Set([digest]);
  for (const model of await readAllInstalled(layout)) {
    for (const { manifest_sha256: kept } of model.versions) if (kept !== undefined) named.add(kept);
  }
  for (const file of await list(manifestsDirectory(layout))) {
    const path = join(manifestsDirectory(layout), file);
    const status = await stat(path).catch(() => undefined);
    if (named.has(file.slice(0, digest.length)) || status === undefined || Date.now() - status.mtimeMs < keptMs)
      continue;
    await rm(path, { force: true });
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
