/**
 * GitHub takes no longer text for a release, in characters (docs.github.com: "body is too long
 * (maximum is 125000 characters)").
 */
const maxBodyCharacters = 125_000;

const shortened = '\n\n(Shortened: GitHub takes no more.)\n';

/** The release's text as GitHub takes it: cut at a line's end where it is too long. */
export function releaseBody(notes: string): { readonly text: string; readonly shortened: boolean } {
  if (notes.length <= maxBodyCharacters) return { text: notes, shortened: false };
  const room = notes.slice(0, maxBodyCharacters - shortened.length);
  const end = room.lastIndexOf('\n');
  return { text: (end > 0 ? room.slice(0, end) : room) + shortened, shortened: true };
}
