import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { catalogueMark } from '../../src/contract/catalogue-mark.ts';
import { createHttp } from '../../src/http/create-http.ts';
import { createRequestLog, type LogEntry, type RequestLog } from '../../src/rehearsal/request-log.ts';
import { type S3, type S3Options, startS3 } from '../../src/rehearsal/s3/server.ts';
import { type StaticMirror, startStaticMirror } from '../../src/rehearsal/static-mirror.ts';
import { bucketStorage } from '../../src/targets/mirror/bucket/bucket-storage.ts';
import type { BucketAddress, BucketCredentials } from '../../src/targets/mirror/bucket/s3-client.ts';
import { createMirrorTarget } from '../../src/targets/mirror/mirror-target.ts';
import type { RemoteTuning } from '../../src/targets/remote.ts';
import type { Target } from '../../src/targets/target.ts';
import { bytesOf, quick, temporaryDirectory } from './scene.ts';

export const bucket = 'models';
export const prefix = 'public/acme';
export const keys: BucketCredentials = { accessKeyId: 'AKIAWRITER', secretAccessKey: 'writer/secret+1' };
const accounts: S3Options['accounts'] = {
  AKIAWRITER: { secretAccessKey: keys.secretAccessKey },
  AKIAREADER: { secretAccessKey: 'reader', rights: 'read' },
  AKIANOBODY: { secretAccessKey: 'nobody', rights: 'none' },
  ASIAEXPIRED: { secretAccessKey: 'expired', expired: true },
};

/** Under this size a file is written at once; above it in parts. */
export const partBytes = 16 * 1024 * 1024;

export const manifestOf = (version: string): string =>
  `${JSON.stringify({ manifest_version: '1.0.0', release: `models-v${version}`, models: {} })}\n`;

export const smallFiles = (version: string) => ({
  'aircher.mjs': `// client ${version}\n`,
  'index.html': `${catalogueMark}<p>${version}</p>\n`,
  'manifest.json': manifestOf(version),
  'manifest.json.minisig': `signature of ${version}\n`,
  'tiny.tar.gz': bytesOf(`tiny ${version}`, 50_000),
  'tiny.tar.gz.index.json': '{}\n',
});

export interface BucketScene {
  readonly s3: S3;
  /** The bucket's public address, from the prefix on. */
  readonly server: StaticMirror;
  /** Where the prefix's objects lie. */
  readonly directory: string;
  target(options?: TargetOptions): Target;
  /** Puts an object there as somebody else would. */
  put(path: string, content: string | Buffer): Promise<void>;
  sha256Of(path: string): string | undefined;
  /** Requests that changed something, as `PUT tag/name`, in their order. */
  writes(): readonly string[];
}

export interface TargetOptions {
  readonly address?: Partial<BucketAddress>;
  readonly credentials?: BucketCredentials;
  readonly tuning?: RemoteTuning;
  readonly probe?: boolean;
}

/** `onRequest` sees every request to the API as it begins. */
export async function bucketScene(
  t: TestContext,
  options: Partial<S3Options> & { readonly onRequest?: (entry: LogEntry, directory: string) => void } = {},
): Promise<BucketScene> {
  const root = await temporaryDirectory(t);
  const directory = join(root, bucket, prefix);
  const inner = createRequestLog();
  const log: RequestLog = {
    ...inner,
    add: (entry) => {
      inner.add(entry);
      options.onRequest?.(entry, directory);
    },
  };
  const s3 = await startS3({ directory: root, bucket, accounts, log, ...options });
  const server = await startStaticMirror({ directory });
  t.after(() => Promise.all([s3.close(), server.close()]));
  return {
    s3,
    server,
    directory,
    target: ({ address, credentials = keys, tuning, probe = true } = {}) =>
      createMirrorTarget({
        storage: bucketStorage(
          { bucket, prefix, endpoint: s3.url, ...address },
          { http: createHttp({ allowInsecure: true }), ...quick, ...tuning },
          credentials,
        ),
        tagPrefix: 'models-v',
        ...(probe && {
          addresses: { root: `${server.url}/manifest.json`, of: (tag, name) => `${server.url}/${tag}/${name}` },
        }),
        tuning: { ...quick, ...tuning },
      }),
    put: async (path, content) => {
      await mkdir(dirname(join(directory, path)), { recursive: true });
      await writeFile(join(directory, path), content);
    },
    sha256Of: (path) => fileSha256(join(directory, path)),
    writes: () =>
      inner.entries
        .filter(({ method, status }) => !['GET', 'HEAD'].includes(method) && status >= 200 && status < 300)
        .map(({ method, path }) => `${method} ${path.split('?')[0]?.slice(`/${bucket}/${prefix}/`.length)}`),
  };
}

function fileSha256(path: string): string | undefined {
  return existsSync(path) ? createHash('sha256').update(readFileSync(path)).digest('hex') : undefined;
}
