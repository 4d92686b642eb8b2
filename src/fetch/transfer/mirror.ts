import type { ArchiveFormat, ChunkIndex } from '../../contract/chunk-index.ts';
import { type HostKind, hostKinds } from '../../contract/fields.ts';
import type { ManifestModel } from '../../contract/manifest.ts';
import { assetHeaders, findPrivateAsset } from '../../http/github-asset.ts';
import type { Http, HttpResponse } from '../../http/http-client.ts';
import { hostOf } from '../../http/remote-error.ts';
import type { FaultKind } from './faults.ts';
import type { Piece } from './piece.ts';
import type { MirrorReport, TransferRequest } from './types.ts';

/** Where a piece lies at a mirror. */
export interface Location {
  readonly url: string;
  /** Bytes of the whole resource. */
  readonly size: number;
  readonly offset: number;
  readonly length: number;
  /** How the bytes there become the chunk; `tar`: they are it. */
  readonly format: ArchiveFormat;
}

interface Address {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One place to fetch from, and what this run has learnt about it. */
export class Mirror {
  readonly name: string;
  readonly host: string;
  /** It has the files themselves instead of the archive. */
  readonly raw: boolean;
  readonly #locateAt: (piece: Piece) => Location | undefined;

  /** Set when it isn't asked again in this run. */
  gone: { readonly kind: FaultKind; readonly message: string } | undefined;
  /** Not asked before this time (`performance.now()`). */
  restUntil = 0;
  /** Failures since its last good chunk. */
  strikes = 0;
  /** Signed URLs that were refused, and waits it asked for, since it last sent a whole chunk. */
  patience = 0;
  /** It sent wrong bytes, or has no ranges: asked only where no other can help. */
  doubtful = false;
  /** False once it answered a range with the whole. */
  ranges = true;
  announced = false;
  /** When it was last judged: what requests older than that meet is the same trouble. */
  judgedAt = 0;
  /** The most that one of its connections brought, in bytes a second. */
  seenRate = 0;
  bytes = 0;
  chunks = 0;
  requests = 0;
  readonly faults = new Map<FaultKind, { message: string; times: number }>();
  readonly #addresses = new Map<string, Address>();
  readonly #resolved = new Map<string, string>();

  constructor(name: string, firstUrl: string, locateAt: (piece: Piece) => Location | undefined, raw = false) {
    this.name = name;
    this.host = hostOf(firstUrl);
    this.#locateAt = locateAt;
    this.raw = raw;
  }

  locate(piece: Piece): Location | undefined {
    return this.#locateAt(piece);
  }

  /** GET of a resource or a range of it, directly from where an earlier answer was redirected to. */
  async open(
    http: Http,
    url: string,
    range: readonly [start: number, end: number] | undefined,
    signal: AbortSignal,
  ): Promise<{ readonly response: HttpResponse; readonly direct: string | undefined }> {
    const address = this.#addresses.get(url) ?? { url };
    const direct = this.#resolved.get(url);
    this.requests++;
    const response = await http.request(direct ?? address.url, {
      headers: { ...address.headers, ...(range && { range: `bytes=${range[0]}-${range[1] - 1}` }) },
      signal,
    });
    if ((response.status === 200 || response.status === 206) && direct === undefined && response.hops.length > 1) {
      this.#resolved.set(url, response.url);
    }
    return { response, direct };
  }

  /**
   * The address that `direct` requests were sent to is of no use any more. False where another request has said so already: then
   * it is known, and no sign of anything else.
   */
  forget(url: string, direct: string | undefined): boolean {
    if (direct === undefined) return true;
    return this.#resolved.get(url) === direct && this.#resolved.delete(url);
  }

  forgetAll(): void {
    this.#resolved.clear();
  }

  /** For a private repository at GitHub, whose public URLs answer 404: the API's address from now on. */
  async findByApi(http: Http, url: string, signal: AbortSignal): Promise<boolean> {
    if (this.#addresses.has(url)) return false;
    const found = await findPrivateAsset(http, url, { signal });
    if (found === undefined) return false;
    this.#addresses.set(url, { url: found, headers: assetHeaders });
    return true;
  }

  note(kind: FaultKind, message: string): void {
    const known = this.faults.get(kind);
    if (known) known.times++;
    else this.faults.set(kind, { message, times: 1 });
  }

  report(): MirrorReport {
    return {
      mirror: this.name,
      host: this.host,
      bytes: this.bytes,
      chunks: this.chunks,
      requests: this.requests,
      faults: [...this.faults].map(([kind, fault]) => ({ kind, ...fault })),
      setAside: this.gone?.message ?? (this.doubtful ? [...this.faults.values()].at(-1)?.message : undefined),
    };
  }
}

/** The kinds of hosts in the order to ask them: the user's wish, then the release's primary, then the others. */
export function orderedKinds(request: Pick<TransferRequest, 'mirrorOrder' | 'entry'>): HostKind[] {
  const wished = [...(request.mirrorOrder ?? []), request.entry.primary, ...hostKinds];
  return [...new Set(wished)].filter((kind): kind is HostKind => hostKinds.some((known) => known === kind));
}

/** The archive's URLs, in order, as they are asked in this run. */
export function archiveUrls(
  request: Pick<TransferRequest, 'mirrorOrder' | 'entry'>,
  http: Http,
): { readonly kind: HostKind; readonly url: string }[] {
  return orderedKinds(request).flatMap((kind) => {
    const url = request.entry.download_urls[kind];
    return url === undefined ? [] : [{ kind, url: http.place(url, kind) }];
  });
}

/** Every mirror of a model's chunks: the archive's, and last the raw files of those who have them. */
export function mirrorsOf(
  request: Pick<TransferRequest, 'mirrorOrder' | 'entry'>,
  index: ChunkIndex,
  http: Http,
): Mirror[] {
  const { format, size_bytes: size } = index.archive;
  const archives = archiveUrls(request, http).map(
    ({ kind, url }) =>
      new Mirror(kind, url, (piece) => ({
        url,
        size,
        offset: piece.archiveOffset,
        length: piece.archiveLength,
        format: piece.plain ? 'tar' : format,
      })),
  );
  const raw = orderedKinds(request).flatMap((kind) => rawMirror(kind, request.entry, index, http));
  return [...archives, ...raw];
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
  return [
    new Mirror(
      `${kind} files`,
      first,
      (piece) => {
        const [{ file, offset }] = piece.places;
        const known = index.files[file];
        const url = known && urls.get(known.path);
        if (known === undefined || url === undefined) return undefined;
        return { url, size: known.size_bytes, offset, length: piece.length, format: 'tar' };
      },
      true,
    ),
  ];
}
