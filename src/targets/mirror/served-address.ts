import { limits } from '../../contract/limits.ts';
import { parseManifest } from '../../contract/manifest.ts';
import { mapConcurrently } from '../../core/concurrency.ts';
import { AircherError } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import { exchange, readAnswer } from '../exchange.ts';
import { rangeFault } from '../public-address.ts';
import { versionOf } from '../published-tags.ts';
import { lookUntil, type Patience } from '../remote.ts';
import { RequestFailure } from '../request-failure.ts';
import type { ListedRelease, ReleaseFile } from '../target.ts';
import type { MirrorStorage } from './storage.ts';

/**
 * Throws `conflict` where the public address leads to a release that the storage lacks: it is
 * another storage than the one that is served, or not mounted, or was emptied. An address that
 * doesn't answer says nothing: a new mirror has none yet.
 */
export async function requireServed(
  storage: MirrorStorage,
  root: string,
  tagPrefix: string,
  releases: readonly ListedRelease[],
  patience: Patience,
  context: RunContext,
): Promise<void> {
  const served = await servedRelease(root, patience, context);
  if (served === undefined || versionOf(served, tagPrefix) === undefined) return;
  if (releases.some(({ tag }) => tag === served)) return;
  throw new AircherError('conflict', `${root} names ${served}, which ${storage.place} lacks`, {
    hint:
      `${storage.correction} If the mirror was emptied on purpose, remove the manifest.json that ` +
      'is still served; if that address is not served from here, set "probe": false beside it.',
  });
}

const rootDeadlines = { connectMs: 3000, stallMs: 3000, totalMs: 5000 };

async function servedRelease(root: string, patience: Patience, context: RunContext): Promise<string | undefined> {
  try {
    const network = { http: patience.http, deadlines: { ...patience.deadlines, ...rootDeadlines } };
    const bytes = await exchange(root, { network, signal: context.signal }, async (answer) =>
      answer.status === 200 ? await readAnswer(answer, limits.manifestBytes) : undefined,
    );
    return bytes && releaseIn(bytes, root);
  } catch (error) {
    if (error instanceof RequestFailure) return undefined;
    throw error;
  }
}

/**
 * Waits until every file stands at its public address. Throws `remote` after `publicMs`: clients
 * would find nothing there.
 */
export async function awaitPublicFiles(
  storage: MirrorStorage,
  tag: string,
  files: readonly ReleaseFile[],
  addressOf: (tag: string, name: string) => string,
  patience: Patience,
  context: RunContext,
): Promise<void> {
  const end = performance.now() + patience.publicMs;
  let told = false;
  await mapConcurrently(files, patience.parallel, async (file) => {
    const url = addressOf(tag, file.name);
    let fault: string | undefined;
    const answered = await lookUntil(Math.max(0, end - performance.now()), patience, context, async () => {
      fault = await rangeFault(url, file, { network: patience, signal: context.signal });
      if (fault === undefined) return true;
      if (!told)
        context.onEvent?.({ type: 'notice', message: `Waiting for the mirror's public address: ${url}: ${fault}` });
      told = true;
      return undefined;
    });
    if (answered) return;
    throw new AircherError('remote', `${url}: ${fault}`, {
      hint:
        `The file lies in ${storage.place}, and no pointer was moved. Correct "mirror.base_url" in release.json, or what the web ` +
        'server serves there, and run the same command again. Where that address can\'t be reached from here, set "probe": false beside it.',
    });
  });
}

/** The release that a manifest names; undefined for what is no manifest. */
export function releaseIn(bytes: Buffer, path: string): string | undefined {
  try {
    return parseManifest(bytes, path).release;
  } catch (error) {
    if (error instanceof AircherError) return undefined;
    throw error;
  }
}
