/** What the Hub calls the reason in its `X-Error-Code` header, where it names one. */
export type HubErrorCode = 'RepoNotFound' | 'RevisionNotFound' | 'EntryNotFound' | 'GatedRepo';

/**
 * An answer other than success; the server turns it into a response with the Hub's error headers.
 */
export class HubError extends Error {
  override readonly name = 'HubError';
  readonly status: number;
  readonly code: HubErrorCode | undefined;
  readonly fields: Readonly<Record<string, unknown>>;

  constructor(
    status: number,
    message: string,
    options: { readonly code?: HubErrorCode; readonly fields?: Readonly<Record<string, unknown>> } = {},
  ) {
    super(message);
    this.status = status;
    this.code = options.code;
    this.fields = options.fields ?? {};
  }
}

export function revisionNotFound(revision: string): HubError {
  return new HubError(404, `Invalid rev id: ${revision}`, { code: 'RevisionNotFound' });
}

export function entryNotFound(path: string, revision: string): HubError {
  return new HubError(404, `${path} does not exist on "${revision}"`, { code: 'EntryNotFound' });
}
