import type * as z from 'zod/mini';
import type { Problem } from '../core/errors.ts';

type Path = readonly PropertyKey[];

/**
 * What zod found (with `reportInput`), as problems with file and JSON path. `knownKeys(path)` gives
 * the keys allowed at a path, so that an unknown key's message can name the nearest one.
 */
export function problemsOf(
  issues: readonly z.core.$ZodIssue[],
  file: string,
  knownKeys: (path: Path) => readonly string[] = () => [],
): Problem[] {
  return issues.flatMap((issue) => {
    const at = (message: string, path: Path = issue.path, more: Pick<Problem, 'hint'> = {}): Problem => ({
      level: 'error',
      file,
      path: jsonPath(path),
      message,
      ...more,
    });
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => {
        const known = knownKeys(issue.path);
        const near = nearest(key, known);
        // Where one of two forms is wanted, a key of the other is unknown, and its own nearest.
        if (near === key)
          return at(`${JSON.stringify(key)} doesn’t go with the other keys here`, issue.path, {
            hint: 'Remove it, or them.',
          });
        const hint = near ? `Did you mean ${JSON.stringify(near)}?` : 'Remove it.';
        return at(`unknown key ${JSON.stringify(key)}`, [...issue.path, key], { hint });
      });
    }
    if (issue.code === 'invalid_key') return issue.issues.map((inner) => at(inner.message));
    if (issue.code !== 'invalid_type' || issue.message.startsWith('must')) return [at(issue.message)];
    const expected = `must be ${article(issue.expected)}`;
    if (issue.input !== undefined) return [at(expected)];
    return [at('is missing', issue.path, { hint: `Add it: it ${expected}.` })];
  });
}

function article(noun: string): string {
  if (noun === 'int') return 'a whole number';
  if (noun === 'array') return 'an array';
  return noun === 'object' || noun === 'record' ? 'an object' : `a ${noun}`;
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
  const most = Math.max(2, Math.floor(word.length / 3));
  const [best] = candidates
    .map((candidate) => ({ candidate, distance: editDistance(word.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ distance }) => distance <= most && distance < word.length)
    .sort((a, b) => a.distance - b.distance);
  return best?.candidate;
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
