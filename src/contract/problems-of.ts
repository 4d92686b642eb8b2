import type * as z from 'zod/mini';
import type { Problem } from '../core/errors.ts';

/**
 * What zod found (with `reportInput`), as problems with file and JSON path. `knownKeys(path)` gives the keys allowed at a path, so that an unknown
 * key's message can name the nearest one; `prefix` is the path of what was parsed.
 */
export function problemsOf(
  error: z.core.$ZodError,
  file: string,
  knownKeys: (path: readonly PropertyKey[]) => readonly string[] = () => [],
  prefix: readonly PropertyKey[] = [],
): Problem[] {
  return error.issues.flatMap((issue) => problemsOfIssue(issue, prefix, file, knownKeys));
}

function problemsOfIssue(
  issue: z.core.$ZodIssue,
  prefix: readonly PropertyKey[],
  file: string,
  knownKeys: (path: readonly PropertyKey[]) => readonly string[],
): Problem[] {
  const path = [...prefix, ...issue.path];
  const at = (message: string, hint?: string, place = path): Problem => ({
    level: 'error',
    file,
    path: jsonPath(place),
    message,
    ...(hint === undefined ? {} : { hint }),
  });
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => {
        const near = nearest(key, knownKeys(path));
        return at(`unknown key ${JSON.stringify(key)}`, near ? `Did you mean ${JSON.stringify(near)}?` : 'Remove it.', [
          ...path,
          key,
        ]);
      });
    case 'invalid_key':
      return issue.issues.map((inner) => at(inner.message));
    case 'invalid_union': {
      // The branch whose problems are fewest and deepest is the one that was meant.
      const branches = issue.errors
        .filter((branch) => branch.length > 0)
        .map((branch) => branch.flatMap((inner) => problemsOfIssue(inner, path, file, knownKeys)));
      const meant = branches.sort((a, b) => a.length - b.length)[0];
      return meant && meant.length === 1 && meant.every((problem) => problem.path !== jsonPath(path))
        ? meant
        : [at(issue.message)];
    }
    case 'invalid_type': {
      const said = issue.message.startsWith('must');
      if (issue.input === undefined && !said)
        return [at('is missing', `Add it: it must be ${article(issue.expected)}.`)];
      return [at(said ? issue.message : `must be ${article(issue.expected)}`)];
    }
    default:
      return [at(issue.message)];
  }
}

function article(noun: string): string {
  const words: Readonly<Record<string, string>> = {
    int: 'a whole number',
    record: 'an object',
    object: 'an object',
    array: 'an array',
  };
  return words[noun] ?? `a ${noun}`;
}

/** `$.models["all-MiniLM-L6-v2"].version` */
export function jsonPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    const key = String(part);
    return /^[A-Za-z_$][A-Za-z0-9_$]*$/.test(key) ? `${text}.${key}` : `${text}[${JSON.stringify(key)}]`;
  }, '$');
}

/** The candidate that a typing mistake most likely meant, or undefined where none is near. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  let best: { readonly candidate: string; readonly distance: number } | undefined;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (best === undefined || distance < best.distance) best = { candidate, distance };
  }
  return best !== undefined && best.distance <= Math.max(2, Math.floor(word.length / 3)) ? best.candidate : undefined;
}

/** Levenshtein distance: insertions, deletions and replacements of one character. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
