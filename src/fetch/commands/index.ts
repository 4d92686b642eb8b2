import { checkLicenseCommand } from './check-license.ts';
import { checkUpdatesCommand } from './check-updates.ts';
import type { Command, OptionSpecs } from './command.ts';
import { doctorCommand } from './doctor.ts';
import { exportCommand } from './export.ts';
import { installCommand } from './install.ts';
import { listCommand } from './list.ts';
import { pathCommand } from './path.ts';
import { pinCommand, unpinCommand } from './pin.ts';
import { pruneCommand } from './prune.ts';
import { removeCommand } from './remove.ts';
import { rollbackCommand } from './rollback.ts';
import { updateCommand } from './update.ts';
import { verifyCommand } from './verify.ts';

/** Every command, in the order of the help. */
export const commands: readonly Command[] = [
  listCommand,
  pathCommand,
  installCommand,
  checkUpdatesCommand,
  updateCommand,
  verifyCommand,
  rollbackCommand,
  pinCommand,
  unpinCommand,
  pruneCommand,
  removeCommand,
  exportCommand,
  checkLicenseCommand,
  doctorCommand,
];

/** Options of every command. */
export const globalOptions: OptionSpecs = {
  manifest: {
    type: 'string',
    value: 'SOURCE',
    help: 'where releases are announced: URL, file or github:owner/repo#tag-prefix; may be repeated',
  },
  release: { type: 'string', value: 'TAG', help: 'another release than the newest, by tag or version' },
  offline: { type: 'boolean', help: 'never use the network' },
  json: { type: 'boolean', help: 'one JSON document on stdout' },
  quiet: { type: 'boolean', help: 'no progress; warnings and errors stay' },
  verbose: { type: 'boolean', help: 'retries, and the stack of an error' },
  'limit-rate': { type: 'string', value: 'RATE', help: 'bytes a second at most, as 500k or 5MB' },
  connections: { type: 'string', value: 'N', help: 'connections at once at most' },
  'public-key': {
    type: 'string',
    value: 'KEY',
    help: 'accept only manifests signed by this minisign key (text or file); may be repeated',
  },
  'allow-downgrade': { type: 'boolean', help: 'accept an older manifest than the newest seen' },
  'allow-http': { type: 'boolean', help: 'allow plain http to other machines' },
  'cache-dir': { type: 'string', value: 'DIR', help: 'the cache; else AIRCHER_CACHE_DIR, else ~/.cache' },
  'no-color': { type: 'boolean', help: 'no colours (as NO_COLOR)' },
};
