import { join } from 'node:path';
import type { Problem } from '../core/errors.ts';
import { readFileIfThere } from '../core/files.ts';
import { parsePublicKey, verifySignature } from '../trust/minisign.ts';
import { displayPath } from './load-config.ts';
import type { WrittenManifest } from './manifest.ts';
import type { Plan } from './plan-record.ts';
import type { Workspace } from './workspace.ts';

/**
 * Clients trust exactly the keys that the last release announced. A release that none of those signed would be refused by all
 * of them, and so would every later one: that is found before anything is sent.
 */
export async function keyContinuityProblems(
  plan: Plan,
  written: WrittenManifest,
  workspace: Workspace,
): Promise<readonly Problem[]> {
  const trusted = plan.base?.public_keys ?? [];
  if (trusted.length === 0) return [];
  const path = join(workspace.out, 'manifest.json.minisig');
  const signature = await readFileIfThere(path);
  try {
    if (signature !== undefined) {
      verifySignature(written.bytes, signature.toString(), trusted.map(parsePublicKey));
      return [];
    }
  } catch {
    // What is wrong with the signature itself, the signature check says.
  }
  return [
    {
      level: 'error',
      code: 'conflict',
      file: displayPath(workspace, path),
      message: `is not by a key that ${plan.base?.keys_of} announced: every client that checks signatures would refuse this release`,
      hint: 'Sign with the old key, and name both keys in signing.public_keys; use the new one alone from the next release on. Where the old key is lost: --break-trust.',
    },
  ];
}
