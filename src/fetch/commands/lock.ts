import { usageError } from '../../core/errors.ts';
import { exitUpdatesFound } from '../../core/exit-codes.ts';
import { isFile } from '../../core/read-files.ts';
import { checkLock } from '../lock/check-lock.ts';
import { type LockReport, lockModels, updateLock } from '../lock/lock-models.ts';
import { defaultLockPath, type ModelsLock } from '../lock/read-lock.ts';
import type { Output } from '../render/output.ts';
import { type Command, lockOptions, type OptionValues } from './command.ts';
import { refuseVersion } from './model-reference.ts';
import { showModels } from './show-models.ts';

export const lockCommand: Command = {
  name: 'lock',
  operands: '[NAME[@RANGE]…]',
  summary: 'writes into models.lock exactly which models a project uses, for `install --frozen`',
  details:
    'A model that is locked keeps what isn’t named: its version and range, its weights. --update goes on, in the ranges that were locked; --check changes nothing: exit code 10 where --update would bring other versions.',
  examples: {
    'gte-large@^1.0.0 --weights onnx': 'the newest 1.x, its ONNX weights',
    'gte-large --weights all': 'of the version that is locked, all weights',
    '--update': 'all models, to the newest versions in their ranges',
    '--check': 'for CI: holds the lock against the releases, and tells withdrawals',
  },
  options: {
    '--weights PATH|FORMAT|all': 'weights by path, by a format that one has, or all; may be repeated',
    '--update': 'models that are locked, to newer versions',
    '--check': 'only look',
    ...lockOptions,
  },
  async lockFile(options) {
    const path = pathOf(options);
    return options.update || options.check || (await isFile(path)) ? path : undefined;
  },
  async run({ client, models, names, options, output, context }) {
    const path = pathOf(options);
    const { lock } = client;
    const { update, check, weights } = options;
    if (lock === undefined || !(update || check)) {
      if (models.length === 0) throw usageError('Which model? lock NAME[@RANGE]…', 'Or: lock --update, lock --check');
      tellLocked(path, await lockModels(client, path, models, { ...context, weights }), output);
      return 0;
    }
    models.forEach(refuseVersion);
    if (weights) throw usageError('--weights goes with names alone.', 'Lock others: lock NAME --weights PATH');
    if (update && check) throw usageError('--update or --check: one of both.');
    if (update) tellLocked(path, await updateLock(client, lock, names, context), output);
    return check ? showCheck(lock, names, { client, output, context }) : 0;
  },
};

function pathOf({ lock }: OptionValues): string {
  return lock?.at(-1) ?? defaultLockPath;
}

const indices = {
  same: ' Indices stay valid.',
  changes: ' Indices made with it must be rebuilt.',
  unknown: ' Whether indices made with it stay valid, the release doesn’t say.',
};

function tellLocked(path: string, models: readonly LockReport[], output: Output): void {
  output.document({ models });
  for (const { name, from, to, space_change: change } of models) {
    const meaning = from === undefined || from === to ? '' : ` (was ${from}).${indices[change ?? 'unknown']}`;
    output.note(`${name} ${to} is locked in ${path}${meaning || '.'}`);
  }
}

async function showCheck(
  lock: ModelsLock,
  names: readonly string[],
  { client, output, context }: Pick<Parameters<Command['run']>[0], 'client' | 'output' | 'context'>,
): Promise<number> {
  const report = await checkLock(client, lock, names, context);
  showModels(output, report, {
    LOCKED: (model) => model.version,
    OFFERED: (model) => model.available,
    RELEASE: (model) => model.tag,
    STATUS: (model) => model.status,
  });
  for (const { name, version, yanked } of report.models) {
    if (yanked !== undefined) output.note(`${name} ${version} was withdrawn: ${yanked}`);
  }
  const updates = report.models.filter(({ status }) => status === 'update').length;
  if (updates > 0) output.note('To lock what is offered: lock --update');
  return updates > 0 ? exitUpdatesFound : 0;
}
