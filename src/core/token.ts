import { usageError } from './errors.ts';

/**
 * The first of these variables that holds something, without the white space around it, which
 * pasted secrets and files bring. Throws `usage` for what no HTTP header could carry: such a value
 * would come back in messages that quote it in pieces.
 */
export function headerToken(variables: Readonly<Record<string, string | undefined>>): string | undefined {
  for (const [name, value] of Object.entries(variables)) {
    const token = value?.trim();
    if (!token) continue;
    if (/[^!-~]/.test(token))
      throw usageError(
        `${name} has a space, a line break or another character inside that no token has`,
        'Set it anew.',
      );
    return token;
  }
  return undefined;
}
