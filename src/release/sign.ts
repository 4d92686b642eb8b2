import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ReleaseConfig } from '../contract/release-config.ts';
import { AircherError } from '../core/errors.ts';
import { writeFileAtomically } from '../core/files.ts';
import { signWithGpg } from '../trust/gpg.ts';
import { formatPublicKey, parsePublicKey } from '../trust/minisign.ts';
import { publicKeyOf, readSecretKey } from '../trust/secret-key.ts';
import { manifestTrustedComment, signMessage } from '../trust/sign.ts';
import { manifestPath, type WrittenManifest } from './manifest.ts';
import type { Workspace } from './workspace.ts';

export interface SignReport {
  /** Names of the signature files that were written. */
  readonly written: readonly string[];
}
