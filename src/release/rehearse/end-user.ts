import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import * as z from 'zod/mini';
import { anySignal } from '../../core/abort.ts';
import { AircherError } from '../../core/errors.ts';
import { sha256 } from '../../core/hashing.ts';
import type { InstallReport, Models } from '../../fetch/api.ts';
import type { Workspace } from '../workspace.ts';
import type { StandIns } from './stand-ins.ts';

/** What one model cost the end user. */
export type UserInstall = Pick<InstallReport, 'name' | 'version' | 'bytes_fetched' | 'mirrors'>;

export interface EndUserOptions {
  /** Names of the models to install. */
  readonly models: readonly string[];
  /**
   * Instead of the sources that are baked in: a prerelease is found by those who name its manifest.
   */
  readonly manifests: readonly string[];
  /** Public addresses of aircher.mjs on the stand-ins, and its sha256. */
  readonly client: { readonly urls: readonly string[]; readonly sha256: string };
  /** The user's home: client, cache, nothing of the maintainer's. */
  readonly directory: string;
}

/**
 * What somebody does who has never heard of this machine: downloads the release's aircher.mjs, runs
 * it with the sources that are baked in, and lets it hash what it installed. Throws what the client
 * says, with its kind of failure.
 */
export async function installAsUser(
  options: EndUserOptions,
  standIns: StandIns,
  workspace: Workspace,
): Promise<readonly UserInstall[]> {
  await mkdir(options.directory, { recursive: true });
  const program = join(options.directory, 'aircher.mjs');
  await writeFile(program, await downloadClient(options.client, workspace));
  const run = async (...args: readonly string[]): Promise<unknown> => {
    const result = await execa(process.execPath, [program, 'model', ...args, '--json', '--quiet'], {
      cwd: options.directory,
      extendEnv: false,
      env: {
        ...workspace.environment.subprocess,
        ...standIns.clientEnvironment,
        AIRCHER_CACHE_DIR: join(options.directory, 'cache'),
        // What this machine's Hub cache has, the user's may not have.
        HF_HOME: join(options.directory, 'huggingface'),
      },
      reject: false,
      ...(workspace.signal ? { cancelSignal: workspace.signal } : {}),
    });
    workspace.signal?.throwIfAborted();
    const answer = parse(result.stdout);
    if (!result.failed) return answer;
    throw userError(answer, result.stderr);
  };
  const sources = options.manifests.flatMap((url) => ['--manifest', url]);
  const installed = (await run('install', ...options.models, ...sources)) as Models<InstallReport>;
  await run('verify');
  return installed.models.map(({ name, version, bytes_fetched, mirrors }) => ({
    name,
    version,
    bytes_fetched,
    mirrors,
  }));
}

/** The first address that gives the right bytes, as people would try them. */
async function downloadClient(client: EndUserOptions['client'], workspace: Workspace): Promise<Buffer> {
  const reasons: string[] = [];
  for (const url of client.urls) {
    const deadline = AbortSignal.timeout(20_000);
    try {
      const signal = anySignal(workspace.signal, deadline);
      const answer = await fetch(url, { signal });
      const bytes = Buffer.from(await answer.arrayBuffer());
      if (answer.status === 200 && sha256(bytes) === client.sha256) return bytes;
      reasons.push(`${url}: ${answer.status === 200 ? 'other bytes than were published' : answer.status}`);
    } catch (error) {
      workspace.signal?.throwIfAborted();
      reasons.push(
        `${url}: ${deadline.aborted ? 'no answer' : String(error instanceof Error ? error.message : error)}`,
      );
    }
  }
  throw new AircherError('remote', `aircher.mjs can't be downloaded: ${reasons.join('; ')}`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const errorOutput = z.object({
  error: z.object({
    code: z.enum(['unexpected', 'usage', 'invalid', 'integrity', 'remote', 'conflict', 'machine', 'interrupted']),
    message: z.string(),
    hint: z.optional(z.string()),
  }),
});

function userError(answer: unknown, stderr: string): AircherError {
  const { data } = errorOutput.safeParse(answer);
  if (data === undefined) return new AircherError('unexpected', `the client failed: ${stderr.trim().slice(-500)}`);
  const { code, message, hint } = data.error;
  return new AircherError(code, message, hint === undefined ? {} : { hint });
}
