import semver from 'semver';
import type { PublishedTag } from './target.ts';

/** The tags that are releases of ours: the prefix, then a version. Newest first. */
export function publishedTags(tags: Iterable<string>, prefix: string): readonly PublishedTag[] {
  const found: PublishedTag[] = [];
  for (const tag of new Set(tags)) {
    const version = versionOf(tag, prefix);
    if (version !== undefined) found.push({ tag, version });
  }
  return found.sort((a, b) => semver.rcompare(a.version, b.version));
}

/** The version in a tag, or undefined where it isn't one of our tags. */
export function versionOf(tag: string, prefix: string): string | undefined {
  if (!tag.startsWith(prefix)) return undefined;
  const version = tag.slice(prefix.length);
  return semver.valid(version) === version && !version.includes('+') ? version : undefined;
}
