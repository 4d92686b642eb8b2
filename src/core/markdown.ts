import { oneLine } from './printable.ts';

/**
 * What Markdown reads as more than text: code, links, HTML, entities, cells, and GitHub's
 * strikethrough and formulas.
 */
const marks = /[\\`[\]<&~|$]/g;

/**
 * Characters after which a text is cut: notes have room for 125,000 at GitHub, and one text shall
 * not take it from the others.
 */
const longestText = 4_000;

/**
 * A text that others wrote, as Markdown that shows it and does nothing else, in a paragraph, a list
 * item or the cell of a table: on one line, in the GFM of GitHub and the Hub. What needs no escape
 * stays as it is.
 */
export function markdownText(text: string): string {
  return (
    shortened(oneLine(text).trim())
      .replace(marks, '\\$&')
      // Stars and underscores that stand alone, and underscores inside a word, are only that.
      .replace(/(?<![\s*])\*+|\*+(?![\s*])/g, (stars) => '\\*'.repeat(stars.length))
      .replace(/(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])/g, '\\_')
      // Addresses become links by themselves, and names get mail.
      .replaceAll('://', '\\://')
      .replace(/www\./gi, (found) => `${found.slice(0, -1)}\\.`)
      .replace(/@+/g, '`$&`')
      // What begins a list, a heading or a quotation does so at the start of a line only.
      .replace(/^(?=>|#{1,6}(?:\s|$)|[+-](?:[\s-]|$))/, '\\')
      .replace(/^\d+(?=[.)](?:\s|$))/, '$&\\')
  );
}

function shortened(text: string): string {
  return text.length > longestText ? `${text.slice(0, longestText).toWellFormed()}…` : text;
}
