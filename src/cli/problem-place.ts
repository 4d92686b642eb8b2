import { isAbsolute, relative, resolve } from 'node:path';
import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import type { Problem } from '../core/errors.ts';
import { readFileIfThere } from '../core/read-files.ts';

/** A place in a file of the repository, as GitHub's annotations take it. */
export interface FilePlace {
  /** Relative to the working directory, with `/`. */
  readonly file: string;
  /** From 1. */
  readonly line: number | undefined;
}

/** Where a problem is, if that is a file below `directory`; its JSON path is turned into a line. */
export async function problemPlace(
  problem: Pick<Problem, 'file' | 'path' | 'message'>,
  directory: string,
): Promise<FilePlace | undefined> {
  // The JSON reader names the line in its message: `manifests/release.json:3: …`, or `… at line 3`.
  const told = /^(?<file>[^\s:]+)(?::(?<line>\d+))?[: ]/.exec(problem.message)?.groups;
  const path = problem.file ?? told?.file;
  if (path === undefined) return undefined;
  const file = relative(directory, resolve(directory, path));
  if (file === '' || file.startsWith('..') || isAbsolute(file)) return undefined;
  const bytes = await readFileIfThere(resolve(directory, file)).catch(() => undefined);
  if (bytes === undefined) return undefined;
  const inMessage = told?.line ?? / at line (\d+)/.exec(problem.message)?.[1];
  const line = problem.path?.startsWith('$')
    ? lineOfPath(bytes.toString(), problem.path)
    : inMessage === undefined
      ? undefined
      : Number(inMessage);
  return { file: file.replaceAll('\\', '/'), line };
}

/**
 * The line of a JSON path such as `$.models["x"].version`: of its key, or of the nearest one above
 * it that is there.
 */
function lineOfPath(text: string, path: string): number {
  const counter = new LineCounter();
  let node: unknown = parseDocument(text, { lineCounter: counter, uniqueKeys: false }).contents;
  let offset = (node as Node | null)?.range?.[0] ?? 0;
  for (const key of keysOf(path)) {
    if (isSeq(node)) {
      node = node.items[Number(key)];
      offset = (node as Node | undefined)?.range?.[0] ?? offset;
    } else if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && item.key.value === key);
      if (pair === undefined) break;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value;
    } else break;
  }
  return counter.linePos(offset).line;
}

/** `$.models["x"].version` → models, x, version */
function keysOf(path: string): string[] {
  return [...path.matchAll(/\.([A-Za-z_$][A-Za-z0-9_$]*)|\[(\d+|"(?:[^"\\]|\\.)*")\]/g)].map(
    ([, name, bracket]) => name ?? String(JSON.parse(bracket ?? '""')),
  );
}
