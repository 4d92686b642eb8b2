import { oneLine } from './printable.ts';

/** HTML that `html` made: whatever others wrote in it is text there. */
export class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/**
 * What stands in a template: texts are escaped, nothing is there for `false`, null or undefined.
 */
export type HtmlPart = string | number | false | null | undefined | Html | readonly HtmlPart[];

/**
 * A template of HTML. Only its own words are markup; a text, whoever wrote it, is escaped for
 * elements and quoted attributes, on one line, and without what steers a reader's screen.
 */
export function html(words: TemplateStringsArray, ...parts: readonly HtmlPart[]): Html {
  return new Html(words.reduce((done, word, index) => done + written(parts[index - 1]) + word));
}

function written(part: HtmlPart): string {
  if (part === undefined || part === null || part === false) return '';
  if (part instanceof Html) return part.text;
  if (typeof part === 'number') return String(part);
  return typeof part === 'string' ? escaped(part) : part.map(written).join('');
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escaped(text: string): string {
  return oneLine(text)
    .toWellFormed()
    .replace(/[&<>"']/g, (found) => entities[found] ?? '');
}
