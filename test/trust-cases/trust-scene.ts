import { randomBytes } from 'node:crypto';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { formatManifest, type Manifest } from '../../src/contract/manifest.ts';
import { runModelCommand } from '../../src/fetch/command-line.ts';
import { type StaticMirror, startStaticMirror } from '../../src/rehearsal/static-mirror.ts';
import { formatPublicKey } from '../../src/trust/minisign.ts';
import { type SecretKey, secretKeyOf } from '../../src/trust/secret-key.ts';
import { signMessage, trustedCommentOf } from '../../src/trust/sign-message.ts';
import { createWorld, type World } from '../fetch/world.ts';

export const newKey = (): SecretKey => secretKeyOf(randomBytes(32), randomBytes(8));
export const lineOf = (key: SecretKey): string => formatPublicKey(key.publicKey);

/** A publisher with a key, hosts that others hold, and a client with the public key. */
export interface TrustScene {
  readonly world: World;
  readonly key: SecretKey;
  /** Runs `aircher model …` with the publisher's public key. */
  run(args: readonly string[], options?: TrustRunOptions): Promise<TrustRun>;
  /** A second host with a copy of all that the first one has now. */
  copyHost(): Promise<{ readonly mirror: StaticMirror; readonly directory: string; readonly manifestUrl: string }>;
  /**
   * Puts a manifest at the root of a host and at its release's own place, signed by `key` where
   * there is one.
   */
  serve(directory: string, manifest: Manifest, key?: SecretKey): Promise<void>;
}

export interface TrustRunOptions {
  readonly publicKeys?: readonly SecretKey[];
  /** Where the environment looks for releases; default: the publisher's host. */
  readonly sources?: readonly string[];
  readonly cache?: string;
}

export interface TrustRun {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export async function createTrustScene(t: TestContext): Promise<TrustScene> {
  const world = await createWorld(t);
  const key = newKey();
  let hosts = 0;
  return {
    world,
    key,
    run: async (args, options = {}) => {
      let stdout = '';
      let stderr = '';
      const exitCode = await runModelCommand(args, {
        env: {
          AIRCHER_CACHE_DIR: options.cache ?? world.cache,
          AIRCHER_MANIFEST_URL: (options.sources ?? [world.manifestUrl]).join(' '),
          AIRCHER_PUBLIC_KEY: (options.publicKeys ?? [key]).map(lineOf).join(' '),
        },
        stdout: { write: (text) => (stdout += text) },
        stderr: { write: (text) => (stderr += text) },
        signal: new AbortController().signal,
        program: 'aircher model',
      });
      return { exitCode, stdout, stderr };
    },
    copyHost: async () => {
      const directory = world.path(`host-${++hosts}`);
      await cp(world.mirrorDirectory, directory, { recursive: true });
      const mirror = await startStaticMirror({ directory });
      t.after(() => mirror.close());
      return { mirror, directory, manifestUrl: `${mirror.url}/manifest.json` };
    },
    serve: async (directory, manifest, signer) => {
      const bytes = Buffer.from(formatManifest(manifest));
      const signature =
        signer && signMessage(bytes, signer, { trustedComment: trustedCommentOf('manifest.json', manifest) });
      for (const place of [directory, join(directory, manifest.release ?? '')]) {
        await writeFile(join(place, 'manifest.json'), bytes);
        if (signature !== undefined) await writeFile(join(place, 'manifest.json.minisig'), signature);
      }
    },
  };
}

/** A manifest and its signature as they lie in a directory. */
export async function readPair(directory: string): Promise<{ readonly manifest: Buffer; readonly signature: Buffer }> {
  return {
    manifest: await readFile(join(directory, 'manifest.json')),
    signature: await readFile(join(directory, 'manifest.json.minisig')),
  };
}
