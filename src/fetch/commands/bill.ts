import { billOfInstalled } from '../../contract/bill-of-models.ts';
import { printableJson } from '../../core/printable.ts';
import type { InstallRecord } from '../cache/records.ts';
import { selectInstalled } from '../operations/select-installed.ts';
import type { Command } from './command.ts';

export const billCommand: Command = {
  name: 'bill',
  operands: '[NAME…]',
  summary: 'the bill of what is installed: files, digests, licences and sources as CycloneDX 1.6',
  details:
    'JSON for tools that keep inventories. Every installed version, with the licences that were accepted for it. No network.',
  examples: {
    'gte-large': 'of this model alone',
  },
  async run({ client, names, output }) {
    const models = await selectInstalled(client, names);
    const copies = models.flatMap(({ current, versions }) =>
      versions.map((record) => billed(record, record.version === current)),
    );
    output.raw(printableJson(billOfInstalled(copies, client.namespace)));
    return;
  },
};

/** A version, as far as it is here. Its reference vectors are no part of what is loaded. */
function billed({ model, entry, files, wanted, ...record }: InstallRecord, current: boolean) {
  const here = new Set(files.map(({ path }) => path));
  const weights = entry.weights?.filter((one) => one.files.every((path) => here.has(path)));
  return {
    name: model,
    entry: { ...entry, reference: undefined },
    files,
    facts: {
      installed_at: record.installed_at,
      'manifest:sha256': record.manifest_sha256,
      current,
      wanted: wanted.join(', '),
      weights: weights?.map(({ path }) => path).join(', '),
      accepted_licenses: record.accepted_licenses?.join(', '),
    },
  };
}
