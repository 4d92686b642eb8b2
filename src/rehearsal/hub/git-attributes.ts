import picomatch from 'picomatch';

/**
 * The patterns that a new model repository keeps in large file storage (the Hub's own default
 * `.gitattributes`).
 */
const defaultLfsPatterns =
  '*.7z *.arrow *.bin *.bz2 *.ckpt *.ftz *.gz *.h5 *.joblib *.lfs.* *.mlmodel *.model *.msgpack *.npy *.npz *.onnx *.ot *.parquet *.pb *.pickle *.pkl *.pt *.pth *.rar *.safetensors saved_model/**/* *.tar.* *.tar *.tflite *.tgz *.wasm *.xz *.zip *.zst *tfevents*';

export const defaultGitAttributes = defaultLfsPatterns
  .split(' ')
  .map((pattern) => `${attributeLine(pattern)}\n`)
  .join('');

/** A `.gitattributes` line that tracks `pattern` in large file storage. */
export function attributeLine(pattern: string): string {
  return `${pattern} filter=lfs diff=lfs merge=lfs -text`;
}

/** Escapes a path so that it stands for itself as a pattern of `.gitattributes`. */
export function patternOfPath(path: string): string {
  return path.replace(/[[\]*?\\]/g, '\\$&').replaceAll(' ', '[[:space:]]');
}

/**
 * Tells of a path whether `attributes` (the text of `.gitattributes`) puts it into large file
 * storage; the last match counts.
 */
export function lfsMatcher(attributes: string): (path: string) => boolean {
  const rules = attributes.split('\n').flatMap((line) => {
    const [pattern, ...names] = line.trim().split(/\s+/);
    if (pattern === undefined || pattern === '' || pattern.startsWith('#')) return [];
    const filter = names.findLast((name) => /^[-!]?filter(=|$)/.test(name));
    if (filter === undefined) return [];
    return [{ matches: pathMatcher(pattern.replaceAll('[[:space:]]', ' ')), lfs: filter === 'filter=lfs' }];
  });
  return (path) => rules.findLast((rule) => rule.matches(path))?.lfs ?? false;
}

/** Tells of a path whether `patterns` (the text of `.gitignore`) ignore it. */
export function ignoreMatcher(patterns: string): (path: string) => boolean {
  const rules = patterns.split('\n').flatMap((line) => {
    const text = line.trim();
    if (text === '' || text.startsWith('#')) return [];
    const negated = text.startsWith('!');
    const pattern = (negated ? text.slice(1) : text).replace(/\/$/, '');
    return [{ matches: pathMatcher(pattern), ignored: !negated }];
  });
  const isIgnored = (path: string): boolean => rules.findLast((rule) => rule.matches(path))?.ignored ?? false;
  return (path) => {
    // What lies below an ignored folder is ignored with it.
    const parts = path.split('/');
    return parts.some((_, index) => isIgnored(parts.slice(0, index + 1).join('/')));
  };
}

/**
 * Git's rule: a pattern without a slash matches the name in any folder, one with a slash the path
 * from the top.
 */
function pathMatcher(pattern: string): (path: string) => boolean {
  const anchored = pattern.replace(/^\//, '');
  const matches = picomatch(anchored, { dot: true, bash: false });
  if (anchored.includes('/') || pattern.startsWith('/')) return (path) => matches(path);
  return (path) => matches(path.slice(path.lastIndexOf('/') + 1));
}
