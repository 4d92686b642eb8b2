import picomatch from 'picomatch';

interface Pattern {
  readonly text: string;
  readonly matches: (path: string) => boolean;
  /** One matcher for each part between slashes. `**` stands for any number of parts. */
  readonly parts: readonly (((part: string) => boolean) | '**')[];
  used: boolean;
}

// Picomatch reads a leading `!` as "everything but this". One line in a list of files never means
// that.
const options: picomatch.PicomatchOptions = { nonegate: true, windows: false };

/**
 * The `include` and `exclude` patterns of a model. `*` matches within a folder, `**` across
 * folders, and only a dot matches a leading dot. Without `include`, all files are included but
 * hidden ones. What `exclude` matches is never included.
 */
export class FilePatterns {
  private readonly included: readonly Pattern[] | undefined;
  private readonly excluded: readonly Pattern[];

  constructor(include: readonly string[] | undefined, exclude: readonly string[] = []) {
    this.included = include?.map(parse);
    this.excluded = exclude.map(parse);
  }

  /** Whether the path is included. Notes which patterns matched, for `unused`. */
  matches(path: string): boolean {
    const meant = this.included === undefined ? !isHidden(path) : matchesAny(this.included, path);
    return meant && !matchesAny(this.excluded, path);
  }

  /** Whether a file below this directory may match. If not, the directory need not be walked. */
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
   * Whether a pattern names files of this ending on purpose: it matches the path, and would not
   * match it with another ending.
   */
  namesEndingOf(path: string): boolean {
    const other = path.replace(/\.[^./]*$/, '.another-ending');
    return this.included?.some(({ matches }) => matches(path) && !matches(other)) ?? false;
  }

  /** Patterns that matched nothing, and the key (`include` or `exclude`) that each is from. */
  unused(): readonly { readonly key: 'include' | 'exclude'; readonly text: string }[] {
    const of = (key: 'include' | 'exclude', patterns: readonly Pattern[]) =>
      patterns.filter(({ used }) => !used).map(({ text }) => ({ key, text }));
    return [...of('include', this.included ?? []), ...of('exclude', this.excluded)];
  }
}

function parse(text: string): Pattern {
  return { text, matches: picomatch(text, options), parts: splitPattern(text).map(partMatcher), used: false };
}

/** All patterns are tried, even after a match, since each match must be noted. */
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
 * The parts between slashes. Brackets and braces may contain a slash; such a pattern can't be split
 * there, so the rest counts as `**`.
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
