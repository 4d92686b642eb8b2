import { usageError } from '../../core/errors.ts';
import { plural } from '../../core/format.ts';
import { findInstalled } from '../operations/find-installed.ts';
import { linkModel } from '../operations/link-model.ts';
import { notInstalled } from '../operations/select-installed.ts';
import type { Command } from './command.ts';

export const linkCommand: Command = {
  name: 'link',
  operands: 'NAME[@VERSION] --hf-cache',
  summary: 'puts an installed version into the Hugging Face cache, for programs that load models by id',
  details:
    'By hard links, or copies where there are none. The id is that of the Hub’s repository which the release names, or --as. Prints the snapshot’s directory. No network.',
  examples: {
    'gte-large --hf-cache': 'under the id that the release names',
    'gte-large --hf-cache --as acme/gte-large': 'then, with HF_HUB_OFFLINE=1: from_pretrained("acme/gte-large")',
  },
  options: {
    '--hf-cache': 'where huggingface_hub has it: HF_HUB_CACHE, else HF_HOME, else ~/.cache/huggingface',
    '--as OWNER/NAME': 'the id to load it by',
    '--refs keep|replace': 'what to do where main, or the version, is something else there',
  },
  async run({ client, models, options, output, context }) {
    const refs = options.refs?.at(-1);
    if (!options['hf-cache']) throw usageError('Where to? link NAME --hf-cache');
    if (refs !== undefined && refs !== 'keep' && refs !== 'replace') {
      throw usageError(`--refs ${refs} is neither keep nor replace.`);
    }
    for (const { name, range } of models) {
      const part = await findInstalled(client, name, range, { ...context, asInstalled: true });
      if (part === undefined) throw await notInstalled(client, name, range);
      const report = await linkModel(client, part.record, { ...context, as: options.as?.at(-1), refs });
      const { version, repository, linked, copied, present } = report;
      output.document(report);
      output.print(report.path);
      const led = report.refs.length > 0 ? `, as ${report.refs.join(' and ')}` : `, as ${report.revision} alone`;
      output.note(
        `${name} ${version} is ${repository} in the Hugging Face cache${led}: ${plural(linked, 'file')} linked, ${copied} copied, ${present} there already.`,
      );
    }
    return;
  },
};
