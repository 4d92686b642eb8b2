/**
 * Text that others wrote, made fit to be read in a terminal or a job's log: what they say may hold
 * whatever steers the place where it is shown. Markdown has its own rules (`markdown.ts`).
 */

/**
 * Control characters but line breaks and tabs, the separators that some programs take for line
 * breaks, and what turns the direction of writing.
 */
const steering = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** The first character that steers a reader's screen instead of being read, or undefined. */
export function steeringCharacter(text: string): string | undefined {
  return text.match(steering)?.[0];
}

/** The text, its lines included, without what steers a reader's screen instead of being read. */
export function withoutSteering(text: string): string {
  return text.replaceAll('\r\n', '\n').replace(steering, '\ufffd');
}

/**
 * The text as a terminal or a log gets it. A job's log at GitHub is read for commands: `::name::`
 * that begins a line, blanks before it or not, and `##[name]` anywhere. [actions/runner,
 * ActionCommand.cs]
 */
export function printable(text: string): string {
  return withoutSteering(text)
    .replace(/^(\s*)::/gm, '$1\\::')
    .replaceAll('##[', '##\\[');
}

/**
 * A message as it is printed: further lines, which somebody else may have written, are marked, so
 * that they don't pass for ours.
 */
export function printableMessage(text: string): string {
  return printable(text).replaceAll('\n', '\n  | ');
}

/** The text, with its middle left out where it is longer than a reader takes in. */
export function shortened(text: string): string {
  return text.length <= 300 ? text : `${text.slice(0, 180)} … ${text.slice(-80)}`;
}

/** The text on one line, without what steers: a cell of a table, a part of a sentence. */
export function oneLine(text: string): string {
  return withoutSteering(text.replace(/\r\n?|[\n\u0085\u2028\u2029]/g, ' '));
}

/**
 * One JSON document as lines of text (as one line, where `indent` is 0), in which nothing steers a
 * terminal or commands a job.
 */
export function printableJson(value: unknown, indent = 2): string {
  const text = JSON.stringify(value, undefined, indent).replace(steering, escaped).replaceAll('##[', '\\u0023#[');
  return `${text}\n`;
}

/** A text as it stands in a program: JSON's form of it, which Python and JavaScript read too. */
export function quoted(text: string): string {
  return JSON.stringify(text).replace(steering, escaped);
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
