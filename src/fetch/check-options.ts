import * as z from 'zod/mini';
import { problemsOf } from '../contract/problems-of.ts';
import { problemsError } from '../core/errors.ts';
import type {
  CheckUpdatesOptions,
  ClientOptions,
  EnsureModelOptions,
  EnsureOptions,
  HttpOptions,
  MirrorOptions,
  PruneOptions,
  RunContext,
  UpdateOptions,
  VectorsOptions,
  VerifyOptions,
  WeightsOptions,
} from './api.ts';
import { rateField } from './parse-rate.ts';

const anything = z.optional(z.any());
const text = z.optional(z.string());
const texts = z.optional(z.array(z.string()));
const flag = z.optional(z.boolean());
const count = z.optional(z.int().check(z.gte(1, 'must be at least 1')));
const number = z.optional(z.number().check(z.gte(0, 'must be at least 0')));

type Shape<Options> = Readonly<Record<Exclude<keyof Options, keyof RunContext>, z.ZodMiniType>>;

/**
 * The options of the constructor and of the methods, but for `signal` and `onEvent`, which the
 * methods share.
 */
const shapes = {
  client: {
    cacheDir: text,
    manifestSources: texts,
    publicKeys: texts,
    namespace: text,
    offline: flag,
    release: text,
    allowDowngrade: flag,
    lock: text,
    acceptLicenses: texts,
    limitRate: z.optional(rateField),
    connections: count,
    http: anything,
    env: anything,
  } satisfies Shape<ClientOptions>,
  http: {
    huggingFaceToken: text,
    githubToken: text,
    huggingFaceEndpoint: text,
    githubServerUrl: text,
    githubApiUrl: text,
    httpsProxy: text,
    httpProxy: text,
    allProxy: text,
    noProxy: text,
    allowInsecure: flag,
    extraCertificates: text,
    limitRate: number,
    connections: count,
    connectTimeoutMs: number,
    answerTimeoutMs: number,
    archiveTimeoutMs: number,
    stallTimeoutMs: number,
    maxRetryAfterMs: number,
    retryDelayMs: number,
    documentTimeoutMs: number,
    userAgent: text,
  } satisfies Shape<HttpOptions>,
  context: {} satisfies Shape<RunContext>,
  weights: { weights: text } satisfies Shape<WeightsOptions>,
  version: { version: text, weights: text } satisfies Shape<EnsureOptions>,
  vectors: { version: text, weights: text, runtime: text } satisfies Shape<VectorsOptions>,
  ensure: { version: text, weights: text, runtime: text, check: anything } satisfies Shape<EnsureModelOptions>,
  checkUpdates: {
    names: texts,
    weights: text,
    nameChangedTensors: flag,
    sameSpace: flag,
    timeoutMs: number,
  } satisfies Shape<CheckUpdatesOptions>,
  update: { names: texts, weights: text, sameSpace: flag } satisfies Shape<UpdateOptions>,
  verify: { names: texts, repair: flag } satisfies Shape<VerifyOptions>,
  prune: { keep: count, dryRun: flag } satisfies Shape<PruneOptions>,
  mirror: { names: texts, releases: count, prune: flag, dryRun: flag } satisfies Shape<MirrorOptions>,
  rollback: { to: text, weights: text },
} as const;

/**
 * Refuses options that nobody knows, and values of another type, where they are given: what a wrong
 * one does shows late, if at all. Throws `usage` that names the option and the nearest known one.
 */
export function checkOptions(of: keyof typeof shapes, options: object): void {
  const shape = of === 'client' || of === 'http' ? shapes[of] : { ...shapes[of], signal: anything, onEvent: anything };
  const known = Object.keys(shape);
  const result = z.safeParse(z.strictObject(shape), options, { reportInput: true });
  if (result.success) return;
  throw problemsError(
    'usage',
    'The options are wrong',
    problemsOf(result.error.issues, 'options', () => known),
  );
}
