import { billCommand } from './bill.ts';
import { checkLicenseCommand } from './check-license.ts';
import { checkUpdatesCommand } from './check-updates.ts';
import { checkVectorsCommand } from './check-vectors.ts';
import type { Command, OptionSpecs } from './command.ts';
import { completionCommand } from './completion.ts';
import { doctorCommand } from './doctor.ts';
import { exportCommand } from './export.ts';
import { infoCommand } from './info.ts';
import { installCommand } from './install.ts';
import { linkCommand } from './link.ts';
import { listCommand } from './list.ts';
import { lockCommand } from './lock.ts';
import { mirrorCommand } from './mirror.ts';
import { pathCommand } from './path.ts';
import { pinCommand, unpinCommand } from './pin.ts';
import { pruneCommand } from './prune.ts';
import { removeCommand } from './remove.ts';
import { rollbackCommand } from './rollback.ts';
import { updateCommand } from './update.ts';
import { verifyCommand } from './verify.ts';

/** Options of every command. */
export const globalOptions: OptionSpecs = {
  '--manifest SOURCE': 'where releases are announced: URL, file or github:owner/repo#tag-prefix; may be repeated',
  '--release TAG': 'another release than the newest, by tag or version',
  '--offline': 'never use the network',
  '--json': 'one JSON document on stdout',
  '--quiet': 'no progress; warnings and errors stay',
  '--progress text|json': 'json: each event, and each message, as one line of JSON on stderr',
  '--verbose': 'retries, and the stack of an error',
  '--limit-rate RATE': 'bytes a second at most, as 500k or 5MB',
  '--connections N': 'connections at once at most',
  '--public-key KEY': 'accept only manifests signed by this minisign key (text or file); may be repeated',
  '--allow-downgrade': 'accept an older manifest than the newest seen',
  '--accept-license ID': 'a licence that the policy would refuse; may be repeated',
  '--allow-http': 'allow plain http to other machines',
  '--cache-dir DIR': 'the cache; else AIRCHER_CACHE_DIR, else ~/.cache',
  '--no-color': 'no colours (as NO_COLOR)',
};

/** Every command, in the order of the help. */
export const commands: readonly Command[] = [
  listCommand,
  infoCommand,
  pathCommand,
  installCommand,
  lockCommand,
  checkUpdatesCommand,
  updateCommand,
  verifyCommand,
  rollbackCommand,
  pinCommand,
  unpinCommand,
  pruneCommand,
  removeCommand,
  exportCommand,
  linkCommand,
  mirrorCommand,
  checkVectorsCommand,
  checkLicenseCommand,
  billCommand,
  doctorCommand,
  completionCommand(() => commands, globalOptions),
];
