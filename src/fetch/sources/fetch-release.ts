import { dirname, join } from 'node:path';
import { tagPattern } from '../../contract/fields.ts';
import { parseManifest } from '../../contract/manifest.ts';
import * as semver from '../../contract/versions.ts';
import { invalidError, usageError } from '../../core/errors.ts';
import { isMissing } from '../../http/remote-error.ts';
import { fetchManifestUrl, readManifestFile } from './fetch-document.ts';
import { fetchFromSource, githubManifestUrl } from './fetch-from-source.ts';
import type { FetchedManifest, ReleaseOptions } from './manifest-source.ts';
import { parseSource, type Source } from './source.ts';

/**
 * The manifest of one release, by tag or version, prereleases included: from the release's own
 * place at that source, which for a given tag never changes. Also what fetches manifest and
 * signature once more as a pair. Throws as `fetchFromSource`.
 */
export async function fetchRelease(
  source: string,
  tagOrVersion: string,
  options: ReleaseOptions,
): Promise<FetchedManifest> {
  const parsed = parseSource(source);
  const unconditional = { ...options, etag: undefined };
  const tag = await tagOf(source, parsed, tagOrVersion, unconditional);
  for (const place of placesOf(parsed, tag, options.http.githubServerUrl)) {
    try {
      const found =
        parsed.kind === 'file'
          ? await readManifestFile(source, place, tag)
          : await fetchManifestUrl(source, place, tag, unconditional);
      if (!found.notModified) return found;
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
  throw invalidError(`${source} has no release ${tag}`, 'Check the tag or version.', { details: { status: 404 } });
}

async function tagOf(source: string, parsed: Source, tagOrVersion: string, options: ReleaseOptions): Promise<string> {
  if (!tagPattern.test(tagOrVersion) || /^\.+$/.test(tagOrVersion)) {
    throw usageError(`${JSON.stringify(tagOrVersion)} is neither a tag nor a version`);
  }
  if (semver.valid(tagOrVersion) !== tagOrVersion) return tagOrVersion;
  const known = options.tagPrefix ?? (parsed.kind === 'github' ? parsed.tagPrefix : undefined);
  return `${known ?? (await readPrefix(source, options))}${tagOrVersion}`;
}

/** What stands before the version in the release's tag of the source's newest manifest. */
async function readPrefix(source: string, options: ReleaseOptions): Promise<string> {
  const newest = await fetchFromSource(source, options).catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw error;
  });
  const prefix =
    newest === undefined || newest.notModified ? undefined : tagPrefixOf(parseManifest(newest.bytes, source).release);
  if (prefix !== undefined) return prefix;
  throw usageError(`${source} doesn't tell how its releases' tags begin`, 'Give the whole tag to --release.');
}

/** `models-v` of `models-v1.2.0`; undefined where the tag doesn't end in a version. */
export function tagPrefixOf(tag = ''): string | undefined {
  for (let at = 0; at < tag.length; at++) {
    const rest = tag.slice(at);
    if (/^\d/.test(rest) && !/\d$/.test(tag.slice(0, at)) && semver.valid(rest) === rest) return tag.slice(0, at);
  }
  return undefined;
}

/** Where that release's manifest can be, the likeliest first. */
function placesOf(parsed: Source, tag: string, githubServerUrl: string): string[] {
  if (parsed.kind === 'github') return [githubManifestUrl(parsed.server ?? githubServerUrl, parsed.repository, tag)];
  if (parsed.kind === 'file') {
    const directory = dirname(parsed.path);
    return [join(directory, tag, 'manifest.json'), join(dirname(directory), tag, 'manifest.json')];
  }
  const url = new URL(parsed.url);
  return pathsOf(url.pathname, tag).map((pathname) => Object.assign(new URL(url), { pathname }).href);
}

const hubForm = /^(.*\/resolve\/)[^/]+(\/.*)$/;
const githubForm = /^(.*\/releases\/)(?:latest\/download|download\/[^/]+)(\/[^/]+)$/;

/** Whether the path of a manifest's URL is as the Hub or GitHub have it, with the tag inside. */
export function hasHostForm(path: string): boolean {
  return hubForm.test(path) || githubForm.test(path);
}

function pathsOf(path: string, tag: string): string[] {
  const hub = hubForm.exec(path);
  if (hub) return [`${hub[1]}${tag}${hub[2]}`];
  const github = githubForm.exec(path);
  if (github) return [`${github[1]}download/${tag}${github[2]}`];
  const [, directory, above, name] = /^((.*)\/[^/]*|)(\/[^/]*)$/.exec(path) ?? [];
  return [directory, above].flatMap((place) => (place === undefined ? [] : [`${place}/${tag}${name}`]));
}
