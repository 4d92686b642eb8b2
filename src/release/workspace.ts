import type { RunContext } from '../core/events.ts';
import type { ProxyOptions } from '../http/proxies.ts';
import type { BucketCredentials } from '../targets/mirror/bucket/s3-client.ts';

/** What the release steps take from the environment. The executables read it; nothing else does. */
export interface ReleaseEnvironment {
  /** SOURCE_DATE_EPOCH, in seconds. */
  readonly sourceDateEpoch: number | undefined;
  readonly githubToken: string | undefined;
  readonly githubApiUrl: string | undefined;
  /** Redirects our own requests only; URLs in the manifest come from release.json alone. */
  readonly githubServerUrl: string | undefined;
  /** The commit of the running job, and the repository it belongs to. */
  readonly githubSha: string | undefined;
  readonly githubRepository: string | undefined;
  /** The tag or branch that triggered the job. */
  readonly githubRefName: string | undefined;
  readonly githubRefType: string | undefined;
  readonly hfToken: string | undefined;
  readonly hfEndpoint: string | undefined;
  /** For a mirror's bucket, instead of those that AWS's SDK finds. */
  readonly bucketCredentials?: BucketCredentials;
  readonly signingKey: string | undefined;
  readonly signingPassword: string | undefined;
  readonly gpgKey: string | undefined;
  readonly gpgPassphrase: string | undefined;
  /** For checking signatures where the keyring hasn't the key, as in a CI job that doesn't sign. */
  readonly gpgPublicKey?: string | undefined;
  /** HTTPS_PROXY and the like. */
  readonly proxy?: ProxyOptions;
  /** What a subprocess may see: PATH, HOME and the like; no secret. */
  readonly subprocess: Readonly<Record<string, string>>;
}

/** Where a command works, and with what. */
export interface Workspace extends RunContext {
  /** Path of release.json, as the user wrote it. */
  readonly configFile: string;
  /** Directory of the artifacts (`--out`). */
  readonly out: string;
  /** The working directory, which `source.directory` and `mirror.directory` are relative to. */
  readonly directory: string;
  readonly environment: ReleaseEnvironment;
  /** No network: the last published manifest comes from `manifests/published/`. */
  readonly offline: boolean;
  /** Only these models, where the step works per model; undefined means all. */
  readonly models: readonly string[] | undefined;
}
