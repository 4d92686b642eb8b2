import { AircherError } from '../../core/errors.ts';
import type { HubApi } from '../../targets/huggingface/hub-api.ts';
import { RequestFailure, targetError } from '../../targets/request-failure.ts';

/**
 * What a failed request for a source means to its maintainer. The Hub's reasons are those of its
 * `X-Error-Code`; for anonymous callers it doesn't tell what is private from what isn't there.
 */
export function explainHubFailure(error: unknown, api: HubApi, revision: string): AircherError {
  const { repository, endpoint, token } = api.settings;
  const place = `${new URL(endpoint).host}/${repository}`;
  const general = targetError(error, place, 'HF_TOKEN', api.context);
  if (!(error instanceof RequestFailure) || general.code === 'interrupted' || error.retryable) return general;
  const explained = (code: 'conflict' | 'invalid', fact: string, hint: string): AircherError =>
    new AircherError(code, `${place}: ${fact}`, { hint, cause: error, details: { status: error.status } });
  if (error.reasons.includes('GatedRepo')) {
    const accept = `Accept its terms at ${endpoint}/${repository}`;
    return explained(
      'conflict',
      'is gated: its files are for those who accepted its terms',
      token === undefined
        ? `${accept}, then set HF_TOKEN to a token of that account.`
        : `${accept} with the account of HF_TOKEN; a fine-grained token needs the right to read gated repositories, too.`,
    );
  }
  if (error.reasons.includes('RepoNotFound')) {
    return explained(
      'conflict',
      'does not exist, or is private',
      token === undefined
        ? 'Correct "huggingface" in the source, or set HF_TOKEN to a token that may read it.'
        : 'Correct "huggingface" in the source, or use a token of somebody who may read it.',
    );
  }
  if (error.reasons.includes('RevisionNotFound')) {
    return explained(
      'invalid',
      `has no revision ${revision}`,
      `Copy a full commit id from ${endpoint}/${repository}/commits/main.`,
    );
  }
  if (error.status === 401) {
    return explained(
      'conflict',
      'the token is not valid or has expired',
      'Set HF_TOKEN to a valid token, or unset it.',
    );
  }
  return general;
}
