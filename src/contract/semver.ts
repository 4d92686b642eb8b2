/**
 * Semantic versions and npm's ranges of them (https://semver.org, https://github.com/npm/node-semver#ranges), as much as the client
 * needs. The package `semver` decides the same (a test holds that) but would be an eighth of the client's one file.
 */

export interface Version {
  /** Without a leading `v` and without build metadata. */
  readonly version: string;
  /** Major, minor, patch. */
  readonly core: readonly number[];
  readonly prerelease: readonly string[];
}

type Operator = '<' | '<=' | '>' | '>=' | '=';
type Comparator = readonly [Operator, Version];

const maxLength = 256;
const numeric = '0|[1-9]\\d*';
const identifiers = `(?:${numeric}|\\d*[a-zA-Z-][a-zA-Z0-9-]*)`;
const prerelease = `(?:-(${identifiers}(?:\\.${identifiers})*))?`;
const build = '(?:\\+[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*)?';
const part = `(${numeric}|[xX*])`;
const partial = `[v=]*${part}(?:\\.${part}(?:\\.${part}${prerelease}${build})?)?`;

const fullPattern = new RegExp(`^v?(${numeric})\\.(${numeric})\\.(${numeric})${prerelease}${build}$`);
const simplePattern = new RegExp(`^([<>]?=?|~>?|\\^)${partial}$`);

/** Undefined where the text is no version. */
export function parse(text: string): Version | undefined {
  const [, major, minor, patch, rest] = text.length > maxLength ? [] : (fullPattern.exec(text.trim()) ?? []);
  const core = [major, minor, patch].map(Number);
  return core.every(Number.isSafeInteger) ? versionOf(core, rest) : undefined;
}

/** The version in its one form, or null. */
export function valid(text: string): string | null {
  return parse(text)?.version ?? null;
}

/** Throws RangeError where one of both is no version. */
export function compare(a: string | Version, b: string | Version): number {
  const [first, second] = [required(a), required(b)];
  const differences = first.core.map((number, place) => number - second.core[place]!);
  return differences.find((difference) => difference !== 0) ?? comparePrereleases(first.prerelease, second.prerelease);
}

export const rcompare = (a: string | Version, b: string | Version): number => compare(b, a);
export const gt = (a: string | Version, b: string | Version): boolean => compare(a, b) > 0;
export const lt = (a: string | Version, b: string | Version): boolean => compare(a, b) < 0;

export function isRange(text: string): boolean {
  return parseRange(text) !== undefined;
}

/** Prereleases satisfy a range only where it names a prerelease of the same major, minor and patch. */
export function satisfies(text: string, range: string): boolean {
  const version = parse(text);
  if (version === undefined) return false;
  return (parseRange(range) ?? []).some(
    (comparators) =>
      comparators.every((comparator) => passes(version, comparator)) &&
      (version.prerelease.length === 0 ||
        comparators.some(([, bound]) => bound.prerelease.length > 0 && String(bound.core) === String(version.core))),
  );
}

function versionOf(core: readonly number[], rest = ''): Version {
  return {
    version: core.join('.') + (rest && `-${rest}`),
    core,
    prerelease: rest === '' ? [] : rest.split('.'),
  };
}

function required(version: string | Version): Version {
  const parsed = typeof version === 'string' ? parse(version) : version;
  if (parsed === undefined) throw new RangeError(`${version} is not a version`);
  return parsed;
}

function comparePrereleases(a: readonly string[], b: readonly string[]): number {
  // A version without one is the newest of them all.
  if (a.length === 0 || b.length === 0) return b.length - a.length;
  const place = a.findIndex((identifier, at) => identifier !== b[at]);
  const [first, second] = [a[place], b[place]];
  if (first === undefined || second === undefined) return a.length - b.length;
  const [x, y] = [/^\d+$/.test(first), /^\d+$/.test(second)];
  if (x && y) return Number(first) - Number(second);
  return x === y ? (first < second ? -1 : 1) : x ? -1 : 1;
}

function passes(version: Version, [operator, bound]: Comparator): boolean {
  const order = compare(version, bound);
  if (order === 0) return operator.includes('=');
  return operator.includes(order < 0 ? '<' : '>');
}

/** The alternatives of a range, each a list of what must hold together; undefined where it is none. */
function parseRange(range: string): Comparator[][] | undefined {
  const alternatives = range.split('||').map(parseAlternative);
  if (!alternatives.every((alternative) => alternative !== undefined)) return undefined;
  // As npm has it: beside one that holds everything, the others count for nothing, prereleases that they name included.
  return alternatives.find((alternative) => alternative.length === 0) ? [[]] : alternatives;
}

function parseAlternative(text: string): Comparator[] | undefined {
  const spaced = text.trim().replace(/\s+/g, ' ');
  const [, low, high] = /^(.+?) - (.+)$/.exec(spaced) ?? [];
  const words = high ? [`>=${low}`, `<=${high}`] : spaced.replace(/([<>=~^]) /g, '$1').split(' ');
  const parsed = words.map((word) => parseSimple(word || '*', high !== undefined));
  if (!parsed.every((comparators) => comparators !== undefined)) return undefined;
  return parsed.flat().filter(([operator, bound]) => operator !== '>=' || bound.version !== '0.0.0');
}

/** One of `1.2.3`, `1.x`, `>=1.2`, `~1.2`, `^1`, `*`, …; what it leaves open counts as zero below, and as anything above. */
function parseSimple(word: string, lenient: boolean): Comparator[] | undefined {
  const match = simplePattern.exec(word);
  if (match === null) return undefined;
  const [, operator = '', ...parts] = match;
  const numbers = parts.slice(0, 3);
  const open = numbers.findIndex((text) => text === undefined || /[xX*]/.test(text));
  const known = open === -1 ? 3 : open;
  const core = numbers.map((text, place) => (place < known ? Number(text) : 0));
  if (!core.every(Number.isSafeInteger)) return undefined;
  const caretOrTilde = /^[~^]/.test(operator);
  const closedBehind = numbers.slice(known).some((text) => /^\d/.test(text ?? ''));
  if (closedBehind && !lenient && !caretOrTilde) return undefined;
  if (known === 0) return /^[<>]$/.test(operator) ? [['<', versionOf([0, 0, 0], '0')]] : [];

  const caret = core.findIndex((number, at) => number > 0 || at === known - 1);
  /** The place that may not grow. */
  const place = operator === '^' ? caret : Math.min(known - 1, caretOrTilde ? 1 : 2);
  /** The first version that differs there. */
  const above = core.map((number, at) => (at < place ? number : at === place ? number + 1 : 0));
  const lower: Comparator = ['>=', versionOf(core, known === 3 ? parts[3] : undefined)];
  const upper: Comparator = ['<', versionOf(above, '0')];
  if (caretOrTilde) return [lower, upper];
  if (known === 3) return [[(operator || '=') as Operator, lower[1]]];
  if (operator === '>') return [['>=', versionOf(above)]];
  if (operator === '<') return [['<', versionOf(core, '0')]];
  if (operator === '<=') return [upper];
  return operator === '>=' ? [lower] : [lower, upper];
}
