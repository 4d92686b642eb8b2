import { type AircherError, integrityError, type Problem, remoteError, usageError } from '../../core/errors.ts';
import { type RunContext, warn } from '../../core/events.ts';
import { isMissing } from '../../http/remote-error.ts';
import type { Client } from '../client.ts';
import { sourceForms } from '../sources/source.ts';
import type { AcceptedManifest } from './accepted-manifest.ts';
import { askSources, type BadAnswer, newestGood } from './ask-sources.ts';
import { checkExpiry } from './check-expiry.ts';
import { compareReleases, releaseName } from './compare-releases.ts';
import { findRelease } from './find-release.ts';
import { type GoodManifest, noneGood } from './good-manifest.ts';
import { rememberManifest } from './remember-manifest.ts';
import { readTrust } from './trust.ts';

/**
 * The manifest to go by: that of `client.release` where one is named, else the newest good one of
 * all sources and of what was accepted before. Sources that fail, lag behind or send something bad
 * are warned of, and passed over while there is a better one. To install by it, it must not have
 * expired. Throws `usage` (no source), `remote` (none answers, offline), `integrity` (bad
 * signature, rollback).
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
  const trust = await readTrust(client, context);
  const { stored } = trust;
  if (client.offline || client.sources.length === 0) return offlineAnswer(client, stored);
  const answers = await askSources(client, trust, context);
  const best = newestGood(answers);
  const bad = answers.filter((answer) => answer.kind === 'bad');
  const isForged = bad.some(({ error }) => error.code === 'integrity');
  const counts = best === undefined || (stored && isOlder(best, stored) && !client.allowDowngrade) ? stored : best;
  if (counts === undefined || (best === undefined && isForged)) throw noAnswer(bad);
  const name = releaseName(counts.manifest);
  if (best && best !== counts && client.sourcesAreNamed) {
    throw integrityError(
      `${best.source} has ${releaseName(best.manifest)}, older than ${name}, which was accepted before.`,
      'If that is meant, add --allow-downgrade. For an old release: --release TAG.',
    );
  }
  for (const answer of answers) {
    if (answer.kind === 'bad') warn(context, badSource(answer));
    else if (isOlder(answer, counts)) {
      const message = `lags behind: it has ${releaseName(answer.manifest)}, and ${name} is known`;
      warn(context, { file: answer.source, message });
    }
  }
  if (best === undefined) {
    warn(context, { message: `no manifest source answers; going by ${name}, accepted ${stored?.accepted_at}` });
    return { ...counts, unconfirmed: noAnswer(bad) };
  }
  if (best === counts) await rememberManifest(client, best, best.etags, trust, context);
  return counts;
}

function noAnswer(bad: readonly BadAnswer[]): AircherError {
  return noneGood(
    bad.map(({ error }) => error),
    `None of ${bad.length} manifest sources has a good manifest.`,
    '`doctor` says which hosts can be reached, and what stands in the way.',
    bad.map((answer) => ({ level: 'error', ...badSource(answer) })),
  );
}

function isOlder(a: GoodManifest, b: GoodManifest): boolean {
  return compareReleases(a.manifest, b.manifest) < 0;
}

function offlineAnswer(client: Client, stored: AcceptedManifest | undefined): GoodManifest {
  if (stored !== undefined) return stored;
  if (client.offline) {
    throw remoteError(
      'No manifest is known yet, and the client is offline.',
      'Run it once with the network, or bring the models by `install --from`.',
    );
  }
  throw usageError('No manifest source is known.', `Name one by --manifest or AIRCHER_MANIFEST_URL. ${sourceForms}`);
}

function badSource(answer: BadAnswer): Omit<Problem, 'level'> {
  const { message, hint } = answer.error;
  return { file: answer.source, message: message.replace(`${answer.source}: `, ''), hint };
}
