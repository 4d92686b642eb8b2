import type { ArchiveFormat, ChunkIndex } from '../../contract/chunk-index.ts';
import { type HostKind, hostKinds } from '../../contract/fields.ts';
import type { ManifestModel } from '../../contract/manifest.ts';
import { assetHeaders, findPrivateAsset } from '../../http/github-asset.ts';
import type { Http, HttpResponse } from '../../http/http-client.ts';
import { leave } from '../../http/read-body.ts';
import { hostOf } from '../../http/remote-error.ts';
import type { MirrorReport } from '../api.ts';
import type { Chunk } from './chunk.ts';
import { type Asked, checkAnswer, type FaultKind } from './mirror-faults.ts';
import type { TransferRequest } from './types.ts';

/** Where a chunk lies at a mirror. */
export interface Location {
  readonly url: string;
  /** Bytes of the whole resource. */
  readonly size: number;
  readonly offset: number;
  readonly length: number;
  /** How the bytes there become the chunk; `tar`: they are it. */
  readonly format: ArchiveFormat;
}

/** An answer that is what was asked for, and which bytes of the resource it has. */
export interface Opened {
  readonly response: HttpResponse;
  readonly span: readonly [start: number, end: number];
}

interface Address {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Connections to one host at once. */
const mostConnections = 8;
/** So many bytes that were right make up for one failure. */
const bytesPerStrike = 256 * 1024;

/**
 * One place to fetch from, and what this run has learnt about it. What follows from that:
 * `set-mirror-aside.ts`.
 */
export class Mirror {
  readonly name: string;
  readonly host: string;
  /** Of the archive; of the first file, where it has the files themselves instead. */
  readonly url: string;
  /** It has the files themselves instead of the archive. */
  readonly raw: boolean;
  /** Where a chunk lies there. */
  readonly locate: (chunk: Chunk) => Location | undefined;

  /** Set when it isn't asked again in this run. */
  gone: { readonly kind: FaultKind; readonly message: string } | undefined;
  /**
   * It doesn't answer ranges as it should: only the whole is asked for, and where nobody else has
   * the bytes.
   */
  whole = false;
  /** It sent wrong bytes: asked only where no other can help. */
  doubtful = false;
  /** Not asked before this time (`performance.now()`). */
  restUntil = 0;
  /** When it was last judged: what requests older than that meet is the same trouble. */
  judgedAt = 0;
  /** Failures that no right bytes have made up for. */
  strikes = 0;
  /** At most so many connections at once. */
  connections = mostConnections;
  /** When it was first asked, and whether it has ever answered with what was asked for. */
  askedAt: number | undefined;
  answered = false;
  announced = false;
  bytes = 0;
  chunks = 0;
  requests = 0;
  readonly faults = new Map<FaultKind, { message: string; times: number }>();
  readonly #addresses = new Map<string, Address>();
  readonly #resolved = new Map<string, string>();

  constructor(name: string, url: string, locate: Mirror['locate'], raw = false) {
    this.name = name;
    this.host = hostOf(url);
    this.url = url;
    this.locate = locate;
    this.raw = raw;
  }

  /**
   * GET of a resource or a range of it, directly from where an earlier answer was redirected to.
   * Archives have longer to begin than other answers: a proxy may read all of it first, in search
   * of viruses. Throws as `Http.request`, and MirrorFaultError.
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
      // Signed addresses expire; that is their way, and no fault.
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
   * For a private repository at GitHub, whose public URLs answer 404: the API's address from now
   * on.
   */
  async findByApi(http: Http, url: string, signal: AbortSignal | undefined): Promise<boolean> {
    if (this.#addresses.has(url)) return false;
    const found = await findPrivateAsset(http, url, { signal });
    if (found === undefined) return false;
    this.#addresses.set(url, { url: found, headers: assetHeaders });
    return true;
  }

  /** Bytes that it brought are right. */
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

type Preference = Pick<TransferRequest, 'mirrorOrder' | 'entry'>;

/**
 * The kinds of hosts in the order to ask them: the user's wish, then the release's primary, then
 * the others.
 */
function orderedKinds({ mirrorOrder = [], entry }: Preference): HostKind[] {
  const wished = [...mirrorOrder, entry.primary, ...hostKinds];
  return [...new Set(wished)].filter((kind): kind is HostKind => hostKinds.some((known) => known === kind));
}

/** The mirrors of one artifact, in the order to ask them. */
export function mirrorsAt(
  urls: ManifestModel['download_urls'],
  preference: Preference,
  http: Http,
  locateAt: (url: string) => Mirror['locate'] = () => () => undefined,
): Mirror[] {
  return orderedKinds(preference).flatMap((kind) => {
    const given = urls[kind];
    if (given === undefined) return [];
    const url = http.place(given, kind);
    return [new Mirror(kind, url, locateAt(url))];
  });
}

/**
 * Every mirror of a model's chunks: the archive's, and last the raw files of those who have them.
 */
export function chunkMirrors(request: Preference, index: ChunkIndex, http: Http): Mirror[] {
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
