import { integrityError, type Problem, remoteError, usageError } from '../../core/errors.ts';
import { type RunContext, warn } from '../../core/events.ts';
import type { Client } from '../client.ts';
import { isMissing } from '../http/document.ts';
import { sourceForms } from '../sources/source.ts';
import type { AcceptedManifest } from './accepted-manifest.ts';
import { askSources, type SourceAnswer } from './ask-sources.ts';
import { checkExpiry } from './check-expiry.ts';
import { compareReleases, releaseName } from './compare-releases.ts';
import { findRelease } from './find-release.ts';
import { type GoodManifest, noneGood } from './good-manifest.ts';
import { rememberManifest } from './remember-manifest.ts';
import { readTrust } from './trust.ts';

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
  const trust = await readTrust(client, context);
  const { stored } = trust;
  if (client.offline || client.sources.length === 0) return offlineAnswer(client, stored);
  const answers = await askSources(client, trust, context);
  const [best] = answers
    .filter((answer) => answer.kind === 'good')
    .sort((a, b) => compareReleases(b.manifest, a.manifest));
  if (best === undefined) return allFailed(answers, stored, context);
  const older = stored !== undefined && !client.allowDowngrade && compareReleases(best.manifest, stored.manifest) < 0;
  if (older && client.sourcesAreNamed) {
    throw integrityError(
      `${best.source} has ${releaseName(best.manifest)}, older than ${releaseName(stored.manifest)}, which was accepted before.`,
      'If that is meant, add --allow-downgrade. For an old release: --release TAG.',
    );
  }
  const counts = older ? stored : best;
  for (const answer of answers) {
    if (answer.kind === 'bad') warn(context, badSource(answer));
    else if (compareReleases(answer.manifest, counts.manifest) < 0) {
      warn(context, {
        file: answer.source,
        message: `lags behind: it has ${releaseName(answer.manifest)}, and ${releaseName(counts.manifest)} is known`,
      });
    }
  }
  if (!older) await rememberManifest(client, best, best.etags, trust, context);
  return older ? stored : best;
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

function allFailed(
  answers: readonly SourceAnswer[],
  stored: AcceptedManifest | undefined,
  context: RunContext,
): GoodManifest {
  const bad = answers.filter((answer) => answer.kind === 'bad');
  if (stored !== undefined && bad.every((answer) => answer.error.code !== 'integrity')) {
    for (const answer of bad) warn(context, badSource(answer));
    warn(context, {
      message: `no manifest source answers; going by ${releaseName(stored.manifest)}, accepted ${stored.accepted_at}`,
    });
    return stored;
  }
  throw noneGood(
    bad.map((answer) => answer.error),
    `None of ${bad.length} manifest sources has a good manifest.`,
    '`doctor` says which hosts can be reached, and what stands in the way.',
    bad.map((answer) => ({ level: 'error', ...badSource(answer) })),
  );
}

function badSource(answer: Extract<SourceAnswer, { kind: 'bad' }>): Omit<Problem, 'level'> {
  const { message, hint } = answer.error;
  return {
    file: answer.source,
    message: message.replace(`${answer.source}: `, ''),
    ...(hint === undefined ? {} : { hint }),
  };
}
