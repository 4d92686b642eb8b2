import { AircherError } from '../core/errors.ts';

/** Exit 6: a published tag with other content than planned. */
export function otherContent(tag: string, where: string, differing: readonly string[]): AircherError {
  return new AircherError('conflict', otherContentFact(tag, where, differing), {
    hint: otherContentHint,
    details: { differing },
  });
}

export function otherContentFact(tag: string, where: string, differing: readonly string[]): string {
  const names = differing.length > 3 ? `${differing.slice(0, 3).join(', ')}, …` : differing.join(', ');
  return `${tag} is published with other content (${names}): ${where}`;
}

export const otherContentHint =
  'What is published is never changed: raise "release" in release.json and publish that, or publish the same files as before.';
