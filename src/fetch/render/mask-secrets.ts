import { keptToken } from '../hugging-face-home.ts';
import { netrcOf } from '../mirror-credentials.ts';
import type { TextStream } from './output.ts';

/**
 * Shorter values aren't masked: they are no secrets worth the name, and would blot out ordinary
 * words.
 */
const leastLength = 6;

/**
 * A function that replaces each of these values in a text by `***`. Nothing of ours prints secrets,
 * but what others answer (a host's redirect, the output of a check command) may quote one.
 */
export function maskOf(secrets: readonly (string | undefined)[]): (text: string) => string {
  const values = secrets
    // White space around a value is no part of what is sent, so that an answer quotes it without.
    .map((value) => value?.trim() ?? '')
    .filter((value) => value.length >= leastLength)
    // The longest first, as one may hold another.
    .sort((a, b) => b.length - a.length);
  return (text) => values.reduce((masked, value) => masked.replaceAll(value, '***'), text);
}

/** The stream as a terminal or file that gets no secret. */
export function maskedStream(stream: TextStream, mask: (text: string) => string): TextStream {
  return {
    isTTY: stream.isTTY,
    get columns() {
      return stream.columns;
    },
    write: (text) => void stream.write(mask(text)),
  };
}

const addressNames = ['AIRCHER_MANIFEST_URL', 'HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY'];

/**
 * What is secret of a client's variables and arguments: tokens, and passwords and queries (as
 * signed addresses have them) of URLs.
 */
export function clientSecrets(
  env: Readonly<Record<string, string | undefined>>,
  argv: readonly string[],
): readonly (string | undefined)[] {
  const addresses = addressNames.flatMap((name) => [env[name], env[name.toLowerCase()]]);
  const words = [...argv, ...addresses.flatMap((text) => text?.split(/\s+/) ?? [])];
  return [
    ...netrcOf(env).flatMap(({ authorization }) => secretsOf(authorization)),
    ...[env.AIRCHER_MIRROR_TOKEN, env.HF_TOKEN, keptToken(env)?.token.trim(), env.GITHUB_TOKEN, env.GH_TOKEN],
    ...words.flatMap((word) => {
      // By pattern, for what is no proper URL is quoted in an error.
      const password = /:\/\/[^/?#\s]*?:([^@\s]+)@/.exec(word)?.[1];
      const query = /^https?:[^?#]*\?([^#]+)/i.exec(word)?.[1];
      return [password, query];
    }),
  ];
}

/** The header's value, and the password that it is made of. */
function secretsOf(authorization: string): readonly string[] {
  const [, value = ''] = authorization.split(' ');
  return [
    value,
    Buffer.from(value, 'base64')
      .toString()
      .replace(/^[^:]*:/, ''),
  ];
}
