import type { Credential } from './tokens.ts';

/**
 * The machines of a `.netrc`, with login and password. `default` is passed over: it would send a
 * password to every host. So are macros.
 * [https://www.gnu.org/software/inetutils/manual/html_node/The-_002enetrc-file.html]
 */
export function netrcCredentials(text: string, name: string): readonly Credential[] {
  const withoutMacros = text
    .replace(/^[ \t]*macdef[\s\S]*?(?:\n[ \t]*\n|$(?![\s\S]))/gm, '\n')
    .replace(/^[ \t]*#.*$/gm, '');
  const words = withoutMacros.match(/"(?:\\.|[^"\\])*"|\S+/g) ?? [];
  const found: Credential[] = [];
  for (let at = 0; at < words.length; at++) {
    if (words[at] !== 'machine') continue;
    const machine = unquoted(words[++at]).toLowerCase();
    const fields: Record<string, string> = {};
    for (; ['login', 'password', 'account'].includes(words[at + 1] ?? ''); at += 2) {
      fields[words[at + 1]!] = unquoted(words[at + 2]);
    }
    const { login, password } = fields;
    if (machine === '' || login === undefined || password === undefined) continue;
    const authorization = `Basic ${Buffer.from(`${login}:${password}`).toString('base64')}`;
    found.push({ name, authorization, isFor: ({ hostname }) => hostname === machine });
  }
  return found;
}

/** As curl reads it: in quotes, `\n`, `\r` and `\t` are control characters, `\x` is x. */
function unquoted(word = ''): string {
  if (!word.startsWith('"')) return word;
  const controls: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };
  return word.slice(1, -1).replace(/\\(.)/g, (_, character: string) => controls[character] ?? character);
}
