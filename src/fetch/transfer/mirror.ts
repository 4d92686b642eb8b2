import type { ArchiveFormat, ChunkIndex } from '../../contract/chunk-index.ts';
import { type HostKind, hostKinds } from '../../contract/fields.ts';
import type { ManifestModel } from '../../contract/manifest.ts';
import { assetHeaders, findPrivateAsset } from '../../http/github-asset.ts';
import type { Http, HttpResponse } from '../../http/http-client.ts';
import { leave } from '../../http/read-body.ts';
import { hostOf } from '../../http/remote-error.ts';
import type { MirrorReport } from '../api.ts';
import type { Chunk } from './chunk.ts';
import type { EncodedForm } from './encoding.ts';
import { type Asked, checkAnswer, type FaultKind } from './mirror-faults.ts';
import type { TransferRequest } from './types.ts';

/** Where a chunk lies at a mirror. */
export interface Location {
  readonly url: string;
  /** Bytes of the whole resource. */
  readonly size: number;
  readonly offset: number;
  readonly length: number;
  /** How the bytes there are compressed. `tar`: they aren't. */
  readonly format: ArchiveFormat;
  /** Likewise, where it is in an encoding. */
  readonly form?: EncodedForm | undefined;
}

/** A good answer, and which part of the resource it is. */
export interface Opened {
  readonly response: HttpResponse;
  readonly span: readonly [start: number, end: number];
}

type Locate = (chunk: Chunk) => Location | undefined;

interface Address {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Connections to one host at once. */
const mostConnections = 8;
/** So many right bytes make up for one failure. */
const bytesPerStrike = 256 * 1024;

/**
 * One place to fetch from, and what this run knows about it. What is done about faults is in
 * `set-mirror-aside.ts`.
 */
export class Mirror {
  readonly name: string;
  readonly host: string;
  /** URL of the archive. Of a mirror that has single files (`raw`), URL of the first. */
  readonly url: string;
  /** It has the model's files instead of an archive. */
  readonly raw: boolean;

  /** Set once the mirror was given up: it isn't asked again in this run. */
  gone: { readonly kind: FaultKind; readonly message: string } | undefined;
  /**
   * It doesn't answer requests for ranges properly. So it is only asked for the whole resource, and
   * only where no other mirror has the bytes.
   */
  whole = false;
  /** It has sent wrong bytes. It is asked only where no other mirror can help. */
  doubtful = false;
  /** It isn't asked before this time (`performance.now()`). */
  restUntil = 0;
  /**
   * When its last failure was counted. Requests that began before that failed for the same reason,
   * and don't count again.
   */
  judgedAt = 0;
  /** Failures, less what right bytes have made up for. */
  strikes = 0;
  /** It may have so many connections at once. */
  connections = mostConnections;
  /** When it was first asked, and whether it has ever given a good answer. */
  askedAt: number | undefined;
  answered = false;
  announced = false;
  bytes = 0;
  chunks = 0;
  requests = 0;
  readonly faults = new Map<FaultKind, { message: string; times: number }>();
  readonly #locate: Locate;
  readonly #addresses = new Map<string, Address>();
  readonly #resolved = new Map<string, string>();

  /** `locate`: where it has a chunk, encodings aside. */
  constructor(name: string, url: string, locate: Locate, raw = false) {
    this.name = name;
    this.host = hostOf(url);
    this.url = url;
    this.#locate = locate;
    this.raw = raw;
  }

  /**
   * Where a chunk lies there: in the shortest form that is there and wasn't wrong; where only the
   * whole is sent, in the archive, which has everything.
   */
  locate(chunk: Chunk): Location | undefined {
    const archived = this.#locate(chunk);
    const form = this.whole ? undefined : chunk.forms.find(({ encoding }) => encoding.urls.has(this.name));
    if (archived === undefined || form === undefined) return archived;
    const { encoding, offset, length } = form;
    return { ...archived, url: encoding.urls.get(this.name)!, size: encoding.sizeBytes, offset, length, form };
  }

  /**
   * GETs a resource or a range of it. If an earlier request was redirected, it asks at that address
   * directly. Archives have longer to begin than other answers: a proxy may first read all of it in
   * search of viruses. Throws as `Http.request`, and MirrorFaultError.
   */
  async open(http: Http, url: string, asked: Asked, signal: AbortSignal | undefined): Promise<Opened> {
    const address = this.#addresses.get(url) ?? { url };
    const direct = this.#resolved.get(url);
    this.requests++;
    this.askedAt ??= performance.now();
    const { range } = asked;
    const response = await http.request(direct ?? address.url, {
      headers: { ...address.headers, ...(range && { range: `bytes=${range[0]}-${range[1] - 1}` }) },
      answerTimeoutMs: http.settings.archiveTimeoutMs,
      signal,
    });
    if (direct !== undefined && ![200, 206].includes(response.status)) {
      // A signed address has expired. That is normal, and no fault of the mirror.
      leave(response.body);
      if (this.#resolved.get(url) === direct) this.#resolved.delete(url);
      return this.open(http, url, asked, signal);
    }
    const span = checkAnswer(response, asked);
    if (response.hops.length > 1) this.#resolved.set(url, response.url);
    if (!range || (range[0] === span[0] && range[1] === span[1])) this.answered = true;
    return { response, span };
  }

  /**
   * Public URLs of a private GitHub repository answer 404. Looks up the address at GitHub's API and
   * uses it from then on. Returns whether there is one.
   */
  async findByApi(http: Http, url: string, signal: AbortSignal | undefined): Promise<boolean> {
    if (this.#addresses.has(url)) return false;
    const found = await findPrivateAsset(http, url, { signal });
    if (found === undefined) return false;
    this.#addresses.set(url, { url: found, headers: assetHeaders });
    return true;
  }

  /** Counts bytes that it sent and that were right. */
  credit(bytes: number): void {
    this.strikes = Math.max(0, this.strikes - bytes / bytesPerStrike);
  }

  note(kind: FaultKind, message: string): void {
    const known = this.faults.get(kind);
    if (known) known.times++;
    else this.faults.set(kind, { message, times: 1 });
  }

  report(): MirrorReport {
    const aside = this.doubtful || this.whole ? [...this.faults.values()].at(-1) : undefined;
    return {
      mirror: this.name,
      host: this.host,
      bytes: this.bytes,
      chunks: this.chunks,
      requests: this.requests,
      faults: [...this.faults].map(([kind, fault]) => ({ kind, ...fault })),
      set_aside: (this.gone ?? aside)?.message,
    };
  }
}

/** How many connections there can be to these mirrors at once. */
export function connectionsTo(mirrors: readonly Mirror[], http: Http): number {
  const most = mirrors.reduce((sum, mirror) => sum + mirror.connections, 0);
  return Math.min(http.settings.connections, most);
}

/** Which hosts are asked first. */
export interface Preference extends Pick<TransferRequest, 'mirrorOrder'> {
  readonly entry: Pick<ManifestModel, 'primary'>;
}

/**
 * The kinds of hosts in the order in which to ask them: as the user wishes, then the release's
 * primary, then the others.
 */
function orderedKinds({ mirrorOrder = [], entry }: Preference): HostKind[] {
  const wished = [...mirrorOrder, entry.primary, ...hostKinds];
  return [...new Set(wished)].filter((kind): kind is HostKind => hostKinds.some((known) => known === kind));
}

/** The mirrors of one artifact, in the order in which to ask them. */
export function mirrorsAt(
  urls: ManifestModel['download_urls'],
  preference: Preference,
  http: Http,
  locateAt: (url: string) => Locate = () => () => undefined,
): Mirror[] {
  return orderedKinds(preference).flatMap((kind) => {
    const given = urls[kind];
    if (given === undefined) return [];
    const url = http.place(given, kind);
    return [new Mirror(kind, url, locateAt(url))];
  });
}

/**
 * All mirrors that have a model's chunks: first those with the archive, then those with single
 * files.
 */
export function chunkMirrors(
  request: Pick<TransferRequest, 'mirrorOrder' | 'entry'>,
  index: ChunkIndex,
  http: Http,
): Mirror[] {
  const { format, size_bytes: size } = index.archive;
  const archives = mirrorsAt(
    request.entry.download_urls,
    request,
    http,
    (url) =>
      ({ archiveOffset, archiveLength }) => ({
        url,
        size,
        offset: archiveOffset,
        length: archiveLength,
        format,
      }),
  );
  return [...archives, ...orderedKinds(request).flatMap((kind) => rawMirror(kind, request.entry, index, http))];
}

function rawMirror(kind: HostKind, entry: ManifestModel, index: ChunkIndex, http: Http): Mirror[] {
  const urls = new Map(
    (entry.files ?? []).flatMap((file) => {
      const url = file.download_urls?.[kind];
      return url === undefined ? [] : [[file.path, http.place(url, kind)] as const];
    }),
  );
  const [first] = urls.values();
  if (first === undefined) return [];
  const locate = ({ length, places: [{ file, offset }] }: Chunk): Location | undefined => {
    const known = index.files[file];
    const url = known && urls.get(known.path);
    return url === undefined ? undefined : { url, size: known!.size_bytes, offset, length, format: 'tar' };
  };
  return [new Mirror(`${kind} files`, first, locate, true)];
}
