import { html } from '../../src/core/html.ts';

const character = 8.4;
const lineHeight = 21;
const edge = 18;

/** Words that have a colour of their own. */
const looks: Readonly<Record<string, string>> = { 'must be rebuilt': 'rebuild', 'stay valid': 'valid' };

/**
 * An SVG of lines as a terminal of so many columns shows them. Each word group has its place and
 * width, so that columns meet whatever font there is; it has its own background, and follows the
 * reader's light or dark.
 */
export function terminalPicture(text: string, columns: number): string {
  const lines = text
    .trimEnd()
    .split('\n')
    .flatMap((line) => wrapped(line, columns));
  const width = Math.ceil(columns * character) + 2 * edge;
  const height = lines.length * lineHeight + 2 * edge;
  const drawn = lines.map((line, row) =>
    groupsOf(line).map(({ at, words, look }) => {
      const x = (edge + at * character).toFixed(1);
      const y = edge + row * lineHeight + 15;
      return html`<text x="${x}" y="${y}" textLength="${(words.length * character).toFixed(1)}" class="${look}">${words}</text>\n`;
    }),
  );
  return html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title">
<title id="title">What the client says of an update</title>
<style>
svg { --page: #fbfaf7; --line: #d0ccc2; --ink: #1c2027; --soft: #5d6470; --rebuild: #a3260b; --valid: #1b6b42; }
@media (prefers-color-scheme: dark) {
svg { --page: #14171c; --line: #3a414c; --ink: #e8e6e1; --soft: #a9b0bb; --rebuild: #ff9d82; --valid: #7fd0a0; }
}
rect { fill: var(--page); stroke: var(--line); }
text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: var(--ink); }
.command { font-weight: 700; } .head { fill: var(--soft); }
.rebuild { fill: var(--rebuild); font-weight: 700; } .valid { fill: var(--valid); font-weight: 700; }
</style>
<rect x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8"/>
${drawn}</svg>
`.text;
}

/** A line as a terminal breaks it, but between words. */
function wrapped(line: string, columns: number): readonly string[] {
  if (line.length <= columns) return [line];
  const cut = line.lastIndexOf(' ', columns);
  const at = cut > 0 ? cut : columns;
  return [line.slice(0, at), ...wrapped(line.slice(at).trimStart(), columns)];
}

interface Group {
  /** The column of its first letter. */
  readonly at: number;
  readonly words: string;
  readonly look: string;
}

/** The words of a line that stand together, each of its own look apart. */
function groupsOf(line: string): readonly Group[] {
  const look = line.startsWith('$ ') ? 'command' : /^[A-Z]+ {2}/.test(line) ? 'head' : 'plain';
  let at = 0;
  return line.split(/( {2,}|must be rebuilt|stay valid)/).flatMap((part) => {
    const start = at + (part.length - part.trimStart().length);
    at += part.length;
    const words = part.trim();
    return words === '' ? [] : [{ at: start, words, look: looks[words] ?? look }];
  });
}
