import type { TextStream } from '../fetch/render/output.ts';
import type { ReleaseEnvironment } from '../release/workspace.ts';

/** What in the environment is secret. */
export type Secrets = Partial<
  Pick<ReleaseEnvironment, 'githubToken' | 'hfToken' | 'signingKey' | 'signingPassword' | 'gpgKey' | 'gpgPassphrase'>
>;

/** Shorter values aren't masked: they are no secrets worth the name, and would blot out ordinary words. */
const leastLength = 6;

/**
 * A function that replaces every secret in a text by `***`. Nothing of ours prints secrets, but what others answer (a remote's
 * error, the output of a check command) may quote one. GitHub Actions masks the secrets of its own; telling it of others would
 * mean printing them.
 */
export function secretMask(secrets: Secrets): (text: string) => string {
  const { githubToken, hfToken, signingPassword, gpgPassphrase, signingKey, gpgKey } = secrets;
  // Of a key's text the lines that are base64; around them stand public comments, or the whole value is a path.
  const keyLines = [signingKey, gpgKey]
    .flatMap((key) => key?.split(/\s+/) ?? [])
    .filter((line) => /^[A-Za-z0-9+/=]{32,}$/.test(line));
  const values = [githubToken, hfToken, signingPassword, gpgPassphrase, ...keyLines]
    .filter((value) => value !== undefined)
    .filter((value) => value.length >= leastLength)
    // The longest first, as one may hold another.
    .sort((a, b) => b.length - a.length);
  return (text) => values.reduce((masked, value) => masked.replaceAll(value, '***'), text);
}

/** The stream as a terminal or file that gets no secret. */
export function maskedStream(
  stream: TextStream,
  mask: (text: string) => string,
): { readonly isTTY: boolean | undefined; readonly columns: number | undefined; write(text: string): void } {
  return {
    isTTY: stream.isTTY,
    get columns() {
      return stream.columns;
    },
    write: (text) => void stream.write(mask(text)),
  };
}
