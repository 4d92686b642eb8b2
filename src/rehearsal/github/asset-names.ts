/**
 * The name that GitHub gives an asset: accents are dropped; each run of characters other than
 * letters, digits, `-`, `_`, `+`, `@` (and of dots) becomes one dot; dots at the ends go; a name of
 * which only an extension is left is called `default.…`. (GitHub documents "special characters,
 * non-alphanumeric characters, and leading or trailing periods"; the rest is observed.)
 */
export function assetNameOf(name: string): string {
  const plain = name.normalize('NFKD').replace(/\p{M}/gu, '');
  const hasStem = !plain.startsWith('.') && /[A-Za-z0-9\-_+@]/.test(plain.split('.')[0] ?? '');
  const dotted = plain.replace(/[^A-Za-z0-9\-_+@]+/g, '.').replace(/^\.+|\.+$/g, '');
  return hasStem || dotted === '' ? dotted || 'default' : `default.${dotted}`;
}
