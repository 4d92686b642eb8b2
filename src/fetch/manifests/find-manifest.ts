import type { Manifest } from '../../contract/manifest.ts';
import {
  AircherError,
  integrityError,
  type Problem,
  remoteError,
  toAircherError,
  usageError,
} from '../../core/errors.ts';
import { type RunContext, warn } from '../../core/events.ts';
import type { Client } from '../client.ts';
import { isMissing } from '../http/document.ts';
import { type AcceptedManifest, readAccepted } from './accepted-manifest.ts';
import { askSources, type SourceAnswer } from './ask-sources.ts';
import { checkExpiry } from './check-expiry.ts';
import { openManifest, readRootKeys, signersOf, trustedKeys } from './check-signature.ts';
import { compareReleases, releaseName } from './compare-releases.ts';
import { findRelease } from './find-release.ts';
import type { GoodManifest } from './good-manifest.ts';
import { rememberManifest } from './remember-manifest.ts';

/**
 * The manifest to go by: that of `client.release` where one is named, else the newest good one of all sources and of what was
 * accepted before. Sources that fail, lag behind or send something bad are warned of, and passed over while there is a
 * better one. To install by it, it must not have expired. Throws `usage` (no source), `remote` (none answers, offline), `integrity` (bad signature, rollback).
 */
export async function findManifest(
  client: Client,
  context: RunContext,
  purpose: 'install' | 'look' = 'install',
): Promise<GoodManifest> {
  const { release } = client;
  const newest = findNewest(client, context).then((found) => {
    if (purpose === 'install') checkExpiry(found.manifest);
    return found;
  });
  if (release === undefined) return newest;
  // Before the first release that is no prerelease, no source has a newest one.
  const known = await newest.catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw error;
  });
  const named = await findRelease(client, known, release, context);
  return { ...named, withdrawnSince: known?.manifest.yanked ?? [] };
}

async function findNewest(client: Client, context: RunContext): Promise<GoodManifest> {
  const roots = await readRootKeys(client.publicKeys);
  const stored = await readTrustedStored(client, roots, context);
  if (client.offline || client.sources.length === 0) return offlineAnswer(client, stored);
  const keys = trustedKeys(roots, stored);
  const answers = await askSources(client, stored, keys, context);
  const good = answers.filter((answer) => answer.kind === 'good');
  const best = good.reduce<(typeof good)[number] | undefined>(
    (winner, answer) =>
      winner === undefined || compareReleases(answer.manifest, winner.manifest) > 0 ? answer : winner,
    undefined,
  );
  if (best === undefined) return allFailed(answers, stored, context);
  const older = stored !== undefined && compareReleases(best.manifest, stored.manifest) < 0;
  if (older && !client.allowDowngrade && client.sourcesAreNamed) throw rollback(best, stored);
  const counts = older && !client.allowDowngrade ? stored : best;
  for (const answer of answers) {
    if (answer.kind === 'bad') warn(context, badSource(answer));
    else if (compareReleases(answer.manifest, counts.manifest) < 0) {
      warn(context, {
        file: answer.source,
        message: `lags behind: it has ${releaseName(answer.manifest)}, and ${releaseName(counts.manifest)} is known`,
      });
    }
  }
  if (counts === stored) return { ...stored, fresh: false };
  await rememberManifest(client, { ...best, keys: best.keys.announced }, stored, roots, context);
  return {
    manifest: best.manifest,
    bytes: best.bytes,
    sha256: best.sha256,
    signature: best.signature,
    url: best.url,
    fresh: true,
  };
}

/** The accepted manifest, if it is still good under today's keys and namespace. */
export async function readTrustedStored(
  client: Client,
  roots: readonly string[],
  context: RunContext = {},
): Promise<AcceptedManifest | undefined> {
  const stored = await readAccepted(client.layout);
  if (stored === undefined) return undefined;
  if (client.namespace !== undefined && stored.manifest.namespace !== client.namespace) {
    if (stored.manifest.namespace !== undefined || roots.length > 0) return undefined;
  }
  if (roots.length === 0) return stored;
  try {
    // One that announces other keys was signed by an older one, which counts for these bytes.
    openManifest(stored.bytes, stored.signature, { roots: signersOf(roots, stored), announced: [] }, stored.url);
    return stored;
  } catch (error) {
    warn(context, {
      file: stored.url,
      message: `the manifest accepted before doesn't count: ${toAircherError(error).message}`,
    });
    return undefined;
  }
}

function offlineAnswer(client: Client, stored: AcceptedManifest | undefined): GoodManifest {
  if (stored !== undefined) return { ...stored, fresh: false };
  if (client.offline) {
    throw remoteError(
      'No manifest is known yet, and the client is offline.',
      'Run it once with the network, or bring the models by `install --from`.',
    );
  }
  throw usageError(
    'No manifest source is known.',
    'Name one by --manifest or AIRCHER_MANIFEST_URL: a URL, a file, or github:owner/repository#tag-prefix.',
  );
}

function allFailed(
  answers: readonly SourceAnswer[],
  stored: AcceptedManifest | undefined,
  context: RunContext,
): GoodManifest {
  const bad = answers.filter((answer) => answer.kind === 'bad');
  if (stored !== undefined && bad.every((answer) => answer.error.code !== 'integrity')) {
    for (const answer of bad) warn(context, badSource(answer));
    warn(context, {
      message: `no manifest source answers; going by ${releaseName(stored.manifest)}, accepted ${stored.acceptedAt}`,
    });
    return { ...stored, fresh: false };
  }
  const [first] = bad;
  if (bad.length === 1 && first) throw first.error;
  const worst = bad.find((answer) => answer.error.code === 'integrity') ?? first;
  throw new AircherError(worst?.error.code ?? 'remote', `None of ${bad.length} manifest sources has a good manifest.`, {
    ...(bad.every((answer) => isMissing(answer.error)) && { details: { status: 404 } }),
    hint: '`doctor` says which hosts can be reached, and what stands in the way.',
    problems: bad.map((answer) => ({ level: 'error', ...badSource(answer) })),
  });
}

function badSource(answer: Extract<SourceAnswer, { kind: 'bad' }>): Omit<Problem, 'level'> {
  const { message, hint } = answer.error;
  const fact = message.startsWith(answer.source) ? message.slice(answer.source.length).replace(/^[: ]+/, '') : message;
  return { file: answer.source, message: fact, ...(hint === undefined ? {} : { hint }) };
}

function rollback(
  found: { readonly manifest: Manifest; readonly source: string },
  stored: AcceptedManifest,
): AircherError {
  return integrityError(
    `${found.source} has ${releaseName(found.manifest)}, older than ${releaseName(stored.manifest)}, which was accepted before.`,
    'If that is meant, add --allow-downgrade. For an old release: --release TAG.',
  );
}
