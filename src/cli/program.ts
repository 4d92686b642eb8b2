import { Command, Option } from 'commander';
import { toolVersion } from '../core/tool-version.ts';
import { billCommand } from './bill.ts';
import type { CommandDependencies } from './dependencies.ts';
import { initCommand } from './init.ts';
import { keygenCommand } from './keygen.ts';
import { manifestCommands } from './manifest.ts';
import { packCommand } from './pack.ts';
import { planCommand } from './plan.ts';
import { proveCommand } from './prove.ts';
import { publishCommand } from './publish.ts';
import { rehearseCommand } from './rehearse.ts';
import { releaseCommand } from './release.ts';
import { signCommand } from './sign.ts';
import { siteCommand } from './site.ts';
import { stageCommand } from './stage.ts';
import { statusCommand } from './status.ts';
import { validateCommand } from './validate.ts';
import { verifyCommand } from './verify.ts';
import { yankCommand } from './yank.ts';

/**
 * The command tree of `aircher-models`: one file a command, in the order in which a release uses
 * them.
 */
export function createProgram(dependencies: CommandDependencies): Command {
  const program = new Command('aircher-models')
    .description('Cuts releases of embedding models: packs, describes, signs and publishes them.')
    .version(toolVersion)
    .option('--config <file>', 'the release description', 'manifests/release.json')
    .option('--out <dir>', 'directory of the artifacts', 'release')
    .addOption(
      new Option('--model <name>', 'only this model, where a step works per model (may be repeated)').argParser(
        collect,
      ),
    )
    .option('--offline', 'no network: the last published manifest comes from manifests/published/')
    .option('--json', 'one JSON document on stdout')
    .option('--quiet', 'no progress; warnings and errors only')
    .option('--verbose', 'stack traces of errors, what is tried again, and a row for every file that is verified')
    .option('--no-color', 'no colours (also by NO_COLOR)')
    .showHelpAfterError('(see --help)')
    .helpCommand(true)
    .addHelpText('after', `\nClient commands: aircher-models model … (see \`aircher-models model --help\`)`)
    .exitOverride()
    .configureOutput({ writeOut: dependencies.writeOut, writeErr: dependencies.writeError });
  for (const add of [
    initCommand,
    planCommand,
    stageCommand,
    packCommand,
    proveCommand,
    manifestCommands,
    validateCommand,
    signCommand,
    publishCommand,
    billCommand,
    verifyCommand,
    releaseCommand,
    rehearseCommand,
    statusCommand,
    siteCommand,
    yankCommand,
    keygenCommand,
  ]) {
    add(program, dependencies);
  }
  return program;
}

function collect(value: string, earlier: readonly string[] | undefined): readonly string[] {
  return [...(earlier ?? []), value];
}
