import picomatch from 'picomatch';

interface Pattern {
  readonly text: string;
  readonly matches: (path: string) => boolean;
  /** Matchers of the pattern's parts between slashes; `**` stands for any number of parts. */
  readonly parts: readonly (((part: string) => boolean) | '**')[];
  used: boolean;
}

// A leading `!` would mean "everything but this", which is never what one line of a list of files says.
const options: picomatch.PicomatchOptions = { nonegate: true, windows: false };

/**
 * The `include` of a model: `*` stays in a folder, `**` doesn't, a leading dot is only matched by a dot. Without patterns
 * everything is meant that isn't hidden.
 */
export class IncludePatterns {
  private readonly patterns: readonly Pattern[] | undefined;

  constructor(include: readonly string[] | undefined) {
    this.patterns = include?.map((text) => ({
      text,
      matches: picomatch(text, options),
      parts: splitPattern(text).map(partMatcher),
      used: false,
    }));
  }

  /** Remembers which patterns matched. */
  matches(path: string): boolean {
    if (this.patterns === undefined) return !isHidden(path);
    let matched = false;
    for (const pattern of this.patterns) {
      if (!pattern.matches(path)) continue;
      pattern.used = true;
      matched = true;
    }
    return matched;
  }

  /** Whether a file below this directory may match, so that it has to be walked. */
  reachesInto(directory: string): boolean {
    if (this.patterns === undefined) return !isHidden(directory);
    const names = directory.split('/');
    return this.patterns.some(({ parts }) => {
      for (const [depth, name] of names.entries()) {
        const part = parts[depth];
        if (part === undefined) return false;
        if (part === '**') return !names.slice(depth).some((rest) => rest.startsWith('.'));
        if (!part(name)) return false;
      }
      return parts.length > names.length;
    });
  }

  /** Whether a pattern means files of this ending, and doesn't match the path by chance: with another ending it would not. */
  namesEndingOf(path: string): boolean {
    const other = path.replace(/\.[^./]*$/, '.another-ending');
    return this.patterns?.some(({ matches }) => matches(path) && !matches(other)) ?? false;
  }

  unused(): readonly string[] {
    return this.patterns?.filter(({ used }) => !used).map(({ text }) => text) ?? [];
  }
}

function partMatcher(part: string): Pattern['parts'][number] {
  if (part.includes('**')) return '**';
  return part === '' ? () => false : picomatch(part, options);
}

/** A path with a part that begins with a dot. */
export function isHidden(path: string): boolean {
  return path.startsWith('.') || path.includes('/.');
}

/** Parts between slashes; what stands behind a slash in brackets can't be told apart, so it counts as `**`. */
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
