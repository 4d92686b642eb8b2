/** Control characters but line breaks and tabs, and those that turn the direction of writing: what others wrote may hold them. */
const steering = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/** The text without what steers a terminal instead of being read. */
export function printable(text: string): string {
  return text.replace(steering, '\ufffd');
}

/** A message as it is printed: further lines, which somebody else may have written, are marked, so that they don't pass for ours. */
export function printableMessage(text: string): string {
  return printable(text).replaceAll('\n', '\n  | ');
}

/** One JSON document as lines of text, in which nothing steers a terminal. */
export function printableJson(value: unknown): string {
  const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return `${JSON.stringify(value, undefined, 2).replace(steering, escaped)}\n`;
}
