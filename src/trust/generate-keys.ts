import { randomBytes } from 'node:crypto';
import { mkdir, open, realpath, rm } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { AircherError, systemErrorCode } from '../core/errors.ts';
import { exists } from '../core/read-files.ts';
import { formatKeyId, formatPublicKey, untrustedPrefix } from './minisign.ts';
import { formatSecretKey, secretKeyOf } from './secret-key.ts';

export interface GeneratedKeys {
  readonly secretKeyPath: string;
  readonly publicKeyPath: string;
  /** The line for `signing.public_keys`. */
  readonly publicKey: string;
  readonly keyId: string;
}

/**
 * Makes a key pair in minisign's format: `aircher.key` (mode 0600; encrypted where a password is
 * given) and `aircher.pub` in `keyDirectory`. Throws `conflict` where one of them is there already,
 * `usage` where the place is inside `outDirectory`, whose content gets published.
 */
export async function generateKeys(options: {
  readonly keyDirectory: string;
  readonly outDirectory?: string | undefined;
  readonly password?: string | undefined;
}): Promise<GeneratedKeys> {
  const { keyDirectory, outDirectory, password } = options;
  if (password === '') {
    throw new AircherError('usage', 'the password for the new key is empty', {
      hint: 'Give a password, or ask for a key without one by --no-password.',
    });
  }
  if (outDirectory !== undefined && (await isInside(keyDirectory, outDirectory))) {
    throw new AircherError('usage', `${keyDirectory} is inside ${outDirectory}, whose content gets published`, {
      hint: 'Choose another place for the keys by --key-dir.',
    });
  }
  const secretKeyPath = join(keyDirectory, 'aircher.key');
  const publicKeyPath = join(keyDirectory, 'aircher.pub');
  for (const path of [secretKeyPath, publicKeyPath]) if (await exists(path)) throw keyExists(path);

  const key = secretKeyOf(randomBytes(32), randomBytes(8));
  const publicKey = formatPublicKey(key.publicKey);
  const keyId = formatKeyId(key.publicKey.keyId);
  const secretText = await formatSecretKey(key, { password });
  await mkdir(keyDirectory, { recursive: true, mode: 0o700 });
  await writeNew(secretKeyPath, secretText, 0o600);
  try {
    await writeNew(publicKeyPath, `${untrustedPrefix}minisign public key ${keyId}\n${publicKey}\n`, 0o644);
  } catch (error) {
    await rm(secretKeyPath, { force: true });
    throw error;
  }
  return { secretKeyPath, publicKeyPath, publicKey, keyId };
}

/** Writes a file that must not exist; what another process made meanwhile stays as it is. */
async function writeNew(path: string, text: string, mode: number): Promise<void> {
  const handle = await open(path, 'wx', mode).catch((error: unknown) => {
    throw systemErrorCode(error) === 'EEXIST' ? keyExists(path) : error;
  });
  try {
    await handle.writeFile(text);
    await handle.sync();
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
}

function keyExists(path: string): AircherError {
  return new AircherError('conflict', `${path} exists already`, {
    hint: 'Keys are never overwritten. Choose another directory by --key-dir, or move the old pair away.',
  });
}

/** Whether `path` lies in `directory` or is it, links followed; neither has to exist. */
async function isInside(path: string, directory: string): Promise<boolean> {
  const way = relative(await realPathOf(directory), await realPathOf(path));
  return way === '' || (way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way));
}

async function realPathOf(path: string): Promise<string> {
  const absolute = resolve(path);
  try {
    return await realpath(absolute);
  } catch (error) {
    const parent = dirname(absolute);
    if (systemErrorCode(error) !== 'ENOENT' || parent === absolute) throw error;
    return join(await realPathOf(parent), basename(absolute));
  }
}
