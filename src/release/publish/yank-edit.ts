import { isDeepStrictEqual } from 'node:util';
import { isMap, isScalar, isSeq, type Node, parseDocument } from 'yaml';

export interface Yank {
  readonly model: string;
  readonly version: string;
  readonly reason: string;
}

/**
 * The text of a release.json with one more entry in `yanked`, where one is given, and its
 * `release`. Everything else keeps its form. JSON is YAML too, whose parser knows where each value
 * stands.
 */
export function editReleaseConfig(text: string, yank: Yank | undefined, release: string): string {
  const json = JSON.parse(text.replace(/^\ufeff/, '')) as { yanked?: readonly Yank[] };
  const expected = { ...json, release, ...(yank === undefined ? {} : { yanked: [...(json.yanked ?? []), yank] }) };
  const edited = applyEdits(text, [releaseEdit(text, release), ...(yank === undefined ? [] : [yankEdit(text, yank)])]);
  // What can't be edited where it stands is written anew.
  return edited !== undefined && isDeepStrictEqual(tryParse(edited), expected)
    ? edited
    : `${JSON.stringify(expected, null, 2)}\n`;
}

interface Edit {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

function applyEdits(text: string, edits: readonly (Edit | undefined)[]): string | undefined {
  if (edits.some((edit) => edit === undefined)) return undefined;
  // From the end, so that the places of the others stay.
  return (edits as readonly Edit[])
    .toSorted((a, b) => b.from - a.from)
    .reduce((result, edit) => result.slice(0, edit.from) + edit.text + result.slice(edit.to), text);
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text.replace(/^\ufeff/, ''));
  } catch {
    return undefined;
  }
}

function releaseEdit(text: string, release: string): Edit | undefined {
  const value = memberOf(text, 'release')?.value;
  return value && { ...spanOf(value), text: JSON.stringify(release) };
}

function yankEdit(text: string, { model, version, reason }: Yank): Edit | undefined {
  const entry = `{ "model": ${JSON.stringify(model)}, "version": ${JSON.stringify(version)}, "reason": ${JSON.stringify(reason)} }`;
  const lineEnd = text.includes('\r\n') ? '\r\n' : '\n';
  const { yanked, models } = { yanked: memberOf(text, 'yanked'), models: memberOf(text, 'models') };
  if (yanked === undefined) {
    if (models === undefined) return undefined;
    const at = spanOf(models.key).from;
    const indent = indentOf(text, at);
    if (indent === undefined) return { from: at, to: at, text: `"yanked": [${entry}], ` };
    const list = ['"yanked": [', `${indent}${indent}${entry}`, `${indent}],`, indent].join(lineEnd);
    return { from: at, to: at, text: list };
  }
  if (!isSeq(yanked.value)) return undefined;
  const list = spanOf(yanked.value);
  const items = yanked.value.items as readonly Node[];
  const [first] = items;
  const last = items.at(-1);
  if (first !== undefined && last !== undefined) {
    // As the entries before it are set apart.
    const gap = text.slice(list.from + 1, spanOf(first).from);
    const at = spanOf(last).to;
    return { from: at, to: at, text: `,${/\n/.test(gap) ? gap : ' '}${entry}` };
  }
  const indent = indentOf(text, spanOf(yanked.key).from);
  const lines = indent === undefined ? `[${entry}]` : ['[', `${indent}${indent}${entry}`, `${indent}]`].join(lineEnd);
  return { ...list, text: lines };
}

/** The white space before a key that begins its line; undefined where it doesn't. */
function indentOf(text: string, at: number): string | undefined {
  return /(?:^|\n)([ \t]*)$/.exec(text.slice(0, at))?.[1];
}

function memberOf(text: string, name: string): { readonly key: Node; readonly value: Node } | undefined {
  const { contents } = parseDocument(text, { schema: 'json', uniqueKeys: false, logLevel: 'silent' });
  if (!isMap(contents)) return undefined;
  const pair = contents.items.find(({ key }) => isScalar(key) && key.value === name);
  return pair === undefined || pair.value === null ? undefined : { key: pair.key as Node, value: pair.value as Node };
}

function spanOf(node: Node): { readonly from: number; readonly to: number } {
  const [from = 0, to = 0] = node.range ?? [];
  return { from, to };
}
