#!/usr/bin/env node
// aircher, the client of embedding model releases
import { exitCodes } from './core/exit-codes.ts';
import { watchOutput } from './core/standard-streams.ts';
import { supportedNode } from './core/supported-node.ts';
import { toolVersion } from './core/tool-version.ts';
import { type CommandEnvironment, runModelCommand } from './fetch/command-line.ts';
import { isStartedFile, runningClient } from './fetch/started-file.ts';

/**
 * The file `aircher.mjs`: a module with the client's library, and a command where Node is started
 * with it.
 */
export * from './fetch/index.ts';

/**
 * The executable `aircher`: reads the process's environment, passes it on, and ends with the exit
 * code.
 */
async function main(argv: readonly string[]): Promise<number> {
  const fault = supportedNode(process.versions.node, [20, 19]);
  if (fault !== undefined) {
    process.stderr.write(`error: aircher ${fault}\n`);
    return 2;
  }
  if (argv[0] === '--version' || argv[0] === 'version') {
    process.stdout.write(`aircher ${toolVersion}\n`);
    return 0;
  }
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      // The second one doesn't wait for anything.
      if (controller.signal.aborted) process.exit(130);
      controller.abort();
    });
  }
  const environment: CommandEnvironment = {
    env: process.env,
    stdout: process.stdout,
    stderr: process.stderr,
    signal: controller.signal,
    program: 'aircher model',
    oneFile: () => runningClient(process.argv[1]),
  };
  if (argv.length === 0) return runModelCommand(['help'], environment);
  return runModelCommand(argv[0] === 'model' ? argv.slice(1) : argv, environment);
}

if (isStartedFile(import.meta.url, process.argv[1])) {
  watchOutput(process);
  // What a command that never ends would leave; not awaited here, since a bundler could make no
  // CommonJS of that.
  process.exitCode = exitCodes.unexpected;
  void main(process.argv.slice(2)).then((exitCode) => {
    process.exitCode = exitCode;
  });
}
