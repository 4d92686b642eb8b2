import picomatch from 'picomatch';

interface Pattern {
  readonly text: string;
  readonly matches: (path: string) => boolean;
  /** Matchers of the pattern's parts between slashes; `**` stands for any number of parts. */
  readonly parts: readonly (((part: string) => boolean) | '**')[];
  used: boolean;
}

// A leading `!` would mean "everything but this", which is never what one line of a list of files
// says.
const options: picomatch.PicomatchOptions = { nonegate: true, windows: false };

/**
 * The `include` and `exclude` of a model: `*` stays in a folder, `**` doesn't, a leading dot is
 * only matched by a dot. Without `include` everything is meant that isn't hidden; what `exclude`
 * matches is never meant.
 */
export class FilePatterns {
  private readonly included: readonly Pattern[] | undefined;
  private readonly excluded: readonly Pattern[];

  constructor(include: readonly string[] | undefined, exclude: readonly string[] = []) {
    this.included = include?.map(parse);
    this.excluded = exclude.map(parse);
  }

  /** Remembers which patterns matched. */
  matches(path: string): boolean {
    const meant = this.included === undefined ? !isHidden(path) : matchesAny(this.included, path);
    return meant && !matchesAny(this.excluded, path);
  }

  /** Whether a file below this directory may match, so that it has to be walked. */
  reachesInto(directory: string): boolean {
    const whole = this.excluded.filter(({ text }) => text.endsWith('/**'));
    if (matchesAny(whole, directory)) return false;
    if (this.included === undefined) return !isHidden(directory);
    const names = directory.split('/');
    return this.included.some(({ parts }) => {
      for (const [depth, name] of names.entries()) {
        const part = parts[depth];
        if (part === undefined) return false;
        if (part === '**') return !names.slice(depth).some((rest) => rest.startsWith('.'));
        if (!part(name)) return false;
      }
      return parts.length > names.length;
    });
  }

  /**
   * Whether a pattern means files of this ending, and doesn't match the path by chance: with
   * another ending it would not.
   */
  namesEndingOf(path: string): boolean {
    const other = path.replace(/\.[^./]*$/, '.another-ending');
    return this.included?.some(({ matches }) => matches(path) && !matches(other)) ?? false;
  }

  /** Patterns that matched nothing, with the key that they stand in. */
  unused(): readonly { readonly key: 'include' | 'exclude'; readonly text: string }[] {
    const of = (key: 'include' | 'exclude', patterns: readonly Pattern[]) =>
      patterns.filter(({ used }) => !used).map(({ text }) => ({ key, text }));
    return [...of('include', this.included ?? []), ...of('exclude', this.excluded)];
  }
}

function parse(text: string): Pattern {
  return { text, matches: picomatch(text, options), parts: splitPattern(text).map(partMatcher), used: false };
}

/** Every pattern is tried, since each one that matches is used. */
function matchesAny(patterns: readonly Pattern[], path: string): boolean {
  return (
    patterns.filter((pattern) => {
      const matched = pattern.matches(path);
      pattern.used ||= matched;
      return matched;
    }).length > 0
  );
}

function partMatcher(part: string): Pattern['parts'][number] {
  if (part.includes('**')) return '**';
  return part === '' ? () => false : picomatch(part, options);
}

/** A path with a part that begins with a dot. */
function isHidden(path: string): boolean {
  return path.startsWith('.') || path.includes('/.');
}

/**
 * Parts between slashes; what stands behind a slash in brackets can't be told apart, so it counts
 * as `**`.
 */
function splitPattern(text: string): readonly string[] {
  const parts = text.replace(/^\.\//, '').split('/');
  const open = parts.findIndex((part) => depthOf(part) !== 0);
  return open === -1 ? parts : [...parts.slice(0, open), '**'];
}

function depthOf(part: string): number {
  let depth = 0;
  for (const character of part) {
    if ('{(['.includes(character)) depth++;
    else if ('})]'.includes(character)) depth--;
  }
  return depth;
}
