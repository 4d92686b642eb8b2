#!/usr/bin/env node
import { availableParallelism } from 'node:os';
import { watchOutput } from './core/standard-streams.ts';
import { supportedNode } from './core/supported-node.ts';

// libuv's pool has four threads by default: compressing and hashing want one a core. Read when the
// pool is first used.
process.env.UV_THREADPOOL_SIZE ??= String(Math.max(4, availableParallelism()));

watchOutput(process);

// Before anything else is loaded: an older Node would fail on a library's syntax, with a stack
// trace.
const fault = supportedNode(process.versions.node, [22, 18]);
if (fault === undefined) {
  const { runCli } = await import('./cli/run-cli.ts');
  process.exitCode = await runCli(process);
} else {
  process.stderr.write(`error: aircher-models ${fault}\n`);
  process.exitCode = 2;
}
