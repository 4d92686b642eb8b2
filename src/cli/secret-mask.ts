import { maskOf } from '../fetch/render/mask-secrets.ts';
import type { ReleaseEnvironment } from '../release/workspace.ts';

export { clientSecrets, maskedStream } from '../fetch/render/mask-secrets.ts';

/** What in the environment is secret. */
export type Secrets = Partial<
  Pick<ReleaseEnvironment, 'githubToken' | 'hfToken' | 'signingKey' | 'signingPassword' | 'gpgKey' | 'gpgPassphrase'>
> & {
  /** What AWS's SDK signs with. */
  readonly bucketSecrets?: readonly (string | undefined)[];
};

/**
 * Replaces every secret in a text, and `others`, by `***`. GitHub Actions masks the secrets of its
 * own; telling it of others would mean printing them.
 */
export function secretMask(secrets: Secrets, others: readonly (string | undefined)[] = []): (text: string) => string {
  const { githubToken, hfToken, signingPassword, gpgPassphrase, signingKey, gpgKey, bucketSecrets = [] } = secrets;
  // Of a key's text the lines that are base64; around them stand public comments, or the whole
  // value is a path.
  const keyLines = [signingKey, gpgKey]
    .flatMap((key) => key?.split(/\s+/) ?? [])
    .filter((line) => /^[A-Za-z0-9+/=]{32,}$/.test(line));
  return maskOf([githubToken, hfToken, signingPassword, gpgPassphrase, ...keyLines, ...bucketSecrets, ...others]);
}
