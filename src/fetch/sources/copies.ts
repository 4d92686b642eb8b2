import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { archiveName, encodingName, indexName, vectorsName } from '../../contract/artifacts.ts';
import { type CopyFile, copyFileName, parseCopyFile } from '../../contract/copy-file.ts';
import { type DownloadUrls, type HostKind, hostKinds } from '../../contract/fields.ts';
import { limits } from '../../contract/limits.ts';
import type { ManifestModel } from '../../contract/manifest.ts';
import { invalidError } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import { sha256 } from '../../core/hashing.ts';
import { exists } from '../../core/read-files.ts';
import { writeFileAtomically } from '../../core/write-files.ts';
import type { Http } from '../../http/http-client.ts';
import { showSource, statusOf } from '../../http/remote-error.ts';
import type { Client } from '../client.ts';
import { isNotThere } from './fetch-document.ts';
import { hasHostForm } from './fetch-release.ts';
import { parseSource } from './source.ts';

/** A copy of others' releases, as `mirror` makes it. */
export interface Copy extends Pick<CopyFile, 'models'> {
  /** With a final slash; a `file:` URL, where it is a directory of this machine. */
  readonly root: string;
}

/** A version of a model. */
interface Wanted {
  readonly name: string;
  readonly version: string;
}

/**
 * What lies beside a source's manifest, as a URL with a final slash. Undefined for GitHub and the
 * Hub, whose addresses have a form of their own, and for what is no source.
 */
export function rootOf(source: string): string | undefined {
  try {
    const parsed = parseSource(source);
    if (parsed.kind === 'file') return new URL('.', pathToFileURL(parsed.path)).href;
    if (parsed.kind === 'url' && !hasHostForm(new URL(parsed.url).pathname)) return new URL('.', parsed.url).href;
  } catch {
    // Whoever asks that source says what is wrong with it.
  }
  return undefined;
}

/**
 * A model's entry with the addresses at which this client asks for its artifacts: those of the copy
 * that is among its sources. The hosts that the manifest names are asked, too, where another source
 * is no copy, or the user's `mirrors` names them; else nobody but the copy is. Without a copy, the
 * entry as it is. Throws `invalid` where the copy lacks the version and nobody else may be asked,
 * and what went wrong where a copy doesn't answer.
 */
export async function placeEntry(
  client: Client,
  { name, version, entry }: Wanted & { readonly entry: ManifestModel },
  context: RunContext,
): Promise<ManifestModel> {
  const { release, format, download_urls: urls, index, encodings, reference, files } = entry;
  if (release === undefined) return entry;
  const reach = await reachOf(client, urls, `${release}/${archiveName(name, format)}`, { name, version }, context);
  const at = <T extends { readonly download_urls: DownloadUrls }>(document: T, file: string): T => ({
    ...document,
    download_urls: placed(reach, document.download_urls, `${release}/${file}`),
  });
  return {
    ...at(entry, archiveName(name, format)),
    ...(reach.copy && { primary: 'mirror' }),
    ...(index && { index: at(index, indexName(name, format)) }),
    ...(encodings && {
      encodings: encodings
        // One of another name would be another file of the release.
        .filter((encoding) => encoding.name === encodingName(name, encoding.from))
        .map((encoding) => ({
          ...at(encoding, encoding.name),
          index: at(encoding.index, `${encoding.name}.index.json`),
        })),
    }),
    ...(reference && { reference: at(reference, vectorsName(name)) }),
    ...(files && {
      files: files.map((file) => ({ ...file, download_urls: allowed(reach, file.download_urls) })),
    }),
  };
}

/**
 * The same for one file of a release, at `path` below a mirror's root. `wanted`: the version that
 * it is needed for, if it is for one.
 */
export async function placeFile(
  client: Client,
  urls: DownloadUrls,
  path: string,
  wanted: Wanted | undefined,
  context: RunContext,
): Promise<DownloadUrls> {
  return placed(await reachOf(client, urls, path, wanted, context), urls, path);
}

/** The copies among the sources, where these are nothing else; undefined where one is no copy. */
export async function onlyCopies(client: Client, context: RunContext): Promise<readonly Copy[] | undefined> {
  const found = await Promise.all(client.places.map((source) => copyAt(client, rootOf(source), context)));
  return found.some((copy) => copy === undefined) ? undefined : found.filter((copy) => copy !== undefined);
}

/** Whether the version is there, with all its artifacts. */
export function hasVersion({ models }: Copy, { name, version }: Wanted): boolean {
  return Object.hasOwn(models, name) && models[name]!.includes(version);
}

/** Who may be asked for something. */
interface Reach {
  readonly copy: Copy | undefined;
  /** Of the hosts that the manifest names. */
  readonly kinds: readonly HostKind[];
}

function placed({ copy, kinds }: Reach, urls: DownloadUrls, path: string): DownloadUrls {
  return { ...(copy && { mirror: copy.root + path }), ...allowed({ copy, kinds }, urls) };
}

/** A mirror of the manifest's stands back for the copy. */
function allowed({ copy, kinds }: Reach, urls: DownloadUrls = {}): DownloadUrls {
  return Object.fromEntries(
    kinds.filter((kind) => urls[kind] && !(copy && kind === 'mirror')).map((kind) => [kind, urls[kind]]),
  );
}

/**
 * Asks the sources that may be copies. One of the manifest's own mirrors is none: `urls` has the
 * very address at which `path` would lie there.
 */
async function reachOf(
  client: Client,
  urls: DownloadUrls,
  path: string,
  wanted: Wanted | undefined,
  context: RunContext,
): Promise<Reach> {
  const http = await client.http();
  const own = hostKinds.flatMap((kind) => urls[kind] ?? []).map((url) => http.place(url));
  const holds = (copy: Copy): boolean => wanted === undefined || hasVersion(copy, wanted);
  const faults: unknown[] = [];
  const found = await Promise.all(
    client.places.map(async (source) => {
      const root = rootOf(source);
      if (root === undefined || own.includes(root + path)) return 'open';
      try {
        return (await copyAt(client, root, context, holds)) ?? 'open';
      } catch (error) {
        context.signal?.throwIfAborted();
        faults.push(error);
        return undefined;
      }
    }),
  );
  const copies = found.filter((one) => typeof one === 'object');
  const isOpen = found.includes('open') || found.length === 0;
  if (copies.length === 0 && !isOpen) throw faults[0];
  const copy = copies.find(holds);
  const kinds = isOpen ? hostKinds : ((await client.preferences()).mirrors ?? []);
  if (wanted === undefined || copy !== undefined || kinds.some((kind) => urls[kind])) return { copy, kinds };
  const [{ root, models } = { root: '', models: {} }] = copies;
  const { name, version } = wanted;
  const there = Object.hasOwn(models, name) ? `has ${name} ${models[name]!.join(', ')}` : 'has no version of it';
  throw invalidError(
    `${name} ${version} is not in the copy ${showSource(root)}, which ${there}.`,
    `Ask whoever keeps the copy: aircher model mirror ${name} --to DIR adds it. To have the release's own hosts asked, name them in "mirrors" of ${client.layout.preferences}.`,
    { details: { model: name, url: root } },
  );
}

/**
 * The copy at `root`, undefined where it is none. Asked once, and again where it didn't have what
 * is looked for: it may have got it since. One that doesn't answer is taken for a copy where it was
 * one when it last did: then its fault is thrown.
 */
async function copyAt(
  { copies, layout, http }: Client,
  root: string | undefined,
  context: RunContext,
  holds: (copy: Copy) => boolean = () => true,
): Promise<Copy | undefined> {
  if (root === undefined) return undefined;
  const known = copies.get(root);
  if (copies.has(root) && (known === undefined || holds(known))) return known;
  const mark = join(layout.state, `copy-${sha256(Buffer.from(root)).slice(0, 16)}`);
  const found = await readCopy(await http(), root, context).catch(async (error: unknown) => {
    context.signal?.throwIfAborted();
    if (await exists(mark)) throw error;
    return undefined;
  });
  copies.set(root, found);
  // A cache that can't be written to goes without.
  if (found && !(await exists(mark))) await writeFileAtomically(mark, `${root}\n`).catch(() => {});
  return found;
}

async function readCopy(http: Http, root: string, context: RunContext): Promise<Copy | undefined> {
  const url = root + copyFileName;
  try {
    const { bytes } = await http.document(url, { ...context, maxBytes: limits.manifestBytes });
    return { root, models: parseCopyFile(bytes, showSource(url)).models };
  } catch (error) {
    // Whoever wants to know first who asks may be a copy.
    if (isNotThere(error) && statusOf(error) !== 401) return undefined;
    throw error;
  }
}
