import { join } from 'node:path';
import type { Problem } from '../../core/errors.ts';
import { readFileIfThere } from '../../core/read-files.ts';
import { parsePublicKey, verifySignature } from '../../trust/minisign.ts';
import type { WrittenManifest } from '../documents/write-manifest.ts';
import { displayPath } from '../load-config.ts';
import type { Workspace } from '../workspace.ts';
import type { Plan } from './plan-record.ts';

const hint =
  'Sign with the old key, and name both keys in signing.public_keys; use the new one alone from the next release on. Where the old key is lost: --break-trust.';

/**
 * Clients trust exactly the keys that the last release announced. A release that none of those
 * signed would be refused by all of them, and so would every later one: that is found before
 * anything is sent.
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
      hint,
    },
  ];
}

/**
 * The same before anything is signed: whether a signature by one of `keys` (in minisign's base64
 * form) would do.
 */
export function announcedKeyProblems(
  { base }: Plan,
  keys: readonly string[],
  { configFile }: Workspace,
): readonly (Omit<Problem, 'level'> & { readonly code: 'conflict' })[] {
  const trusted = base?.public_keys ?? [];
  if (trusted.length === 0 || keys.some((key) => trusted.includes(key))) return [];
  const who = keys.length === 0 ? 'no key signs' : `${keys.join(' or ')} signs`;
  return [
    {
      code: 'conflict',
      file: configFile,
      path: '$.signing',
      message: `the release would not be by a key that ${base?.keys_of} announced (${who}): every client that checks signatures would refuse this release`,
      hint,
    },
  ];
}
