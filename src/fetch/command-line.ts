import { parseArgs } from 'node:util';
import { nearest } from '../contract/problems-of.ts';
import { errorDocument, formatError } from '../core/error-text.ts';
import { AircherError, toAircherError, usageError } from '../core/errors.ts';
import { exitCodes } from '../core/exit-codes.ts';
import { toolVersion } from '../core/tool-version.ts';
import { healCache } from './cache/heal-cache.ts';
import { type ClientOptions, createClient } from './client.ts';
import type { Command, OptionSpecs, OptionValues } from './commands/command.ts';
import { commandHelp, overviewHelp } from './commands/help.ts';
import { commands, globalOptions } from './commands/index.ts';
import { parseRate } from './parse-rate.ts';
import { clientSecrets, maskedStream, maskOf } from './render/mask-secrets.ts';
import { createOutput, jsonLines, type TextStream } from './render/output.ts';
import { createProgress } from './render/progress.ts';

/** What an executable gives the command line of the world around it. */
export interface CommandEnvironment {
  /** The process's variables. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: TextStream;
  readonly stderr: TextStream;
  /** Aborts on Ctrl-C and the like. */
  readonly signal: AbortSignal;
  /** How the program was called, for the help: `aircher model`. */
  readonly program: string;
}

/**
 * Runs one `aircher model …` command line (`argv` without `model`), prints what there is to print, and answers with the exit
 * code. Never throws.
 */
export async function runModelCommand(argv: readonly string[], environment: CommandEnvironment): Promise<number> {
  const { env } = environment;
  const mask = maskOf(clientSecrets(env, argv));
  const stdout = maskedStream(environment.stdout, mask);
  const stderr = maskedStream(environment.stderr, mask);
  const verbose = argv.includes('--verbose');
  const json = argv.includes('--json');
  const progress = createProgress({ stderr, quiet: argv.includes('--quiet'), verbose });
  try {
    const parsed = parseCommandLine(argv);
    if (parsed.help !== undefined) {
      const text =
        parsed.command === undefined
          ? overviewHelp(environment.program, commands, globalOptions)
          : commandHelp(environment.program, parsed.command, globalOptions);
      (parsed.help === 'asked' ? stdout : stderr).write(text);
      return parsed.help === 'asked' ? 0 : exitCodes.usage;
    }
    const { command, operands, options } = parsed;
    const client = createClient(clientOptions(options, env));
    try {
      await healCache(client.layout);
      return await command.run({
        client,
        operands,
        options,
        output: createOutput({ json, quiet: Boolean(options.quiet), stdout, say: progress.say }),
        context: { signal: environment.signal, onEvent: progress.onEvent },
      });
    } finally {
      client.close();
    }
  } catch (thrown) {
    const error = environment.signal.aborted
      ? new AircherError('interrupted', 'Interrupted. What was downloaded is kept for the next run.')
      : toAircherError(thrown);
    progress.end();
    if (json && error.details.reported !== true) stdout.write(jsonLines(errorDocument(error)));
    progress.say(formatError(error, { verbose }));
    return exitCodes[error.code];
  } finally {
    progress.end();
  }
}

type ParsedCommandLine =
  | { readonly help: 'asked' | 'needed'; readonly command: Command | undefined }
  | {
      readonly help: undefined;
      readonly command: Command;
      readonly operands: readonly string[];
      readonly options: OptionValues;
    };

/** Throws `usage`, naming the nearest command or option. */
export function parseCommandLine(argv: readonly string[]): ParsedCommandLine {
  const every: OptionSpecs = Object.assign({}, globalOptions, ...commands.map((command) => command.options ?? {}));
  const { tokens } = parseArgs({
    args: [...argv],
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: parseSpecs(every),
  });
  const words = tokens.filter((token) => token.kind === 'positional').map((token) => token.value);
  const asked = tokens.some((token) => token.kind === 'option' && ['help', 'h'].includes(token.name));
  const wantsHelp = asked || words[0] === 'help';
  const name = words[0] === 'help' ? words[1] : words[0];
  const command = commands.find((candidate) => candidate.name === name);
  if (name !== undefined && command === undefined)
    throw unknown(
      'command',
      name,
      commands.map((each) => each.name),
    );
  if (wantsHelp) return { help: 'asked', command };
  if (command === undefined) {
    const option = tokens.find((token) => token.kind === 'option' && !Object.hasOwn(every, token.name));
    if (option?.kind === 'option')
      throw unknown(
        'option',
        option.rawName,
        Object.keys(every).map((each) => `--${each}`),
      );
    return { help: 'needed', command: undefined };
  }
  const specs: OptionSpecs = { ...globalOptions, ...command.options };
  const options: Record<string, string | boolean | readonly string[]> = {};
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    const spec = Object.hasOwn(specs, token.name) ? specs[token.name] : undefined;
    if (spec === undefined)
      throw unknown(
        'option',
        token.rawName,
        Object.keys(specs).map((each) => `--${each}`),
        command,
      );
    if (spec.type === 'boolean') {
      if (token.value !== undefined) throw usageError(`${token.rawName} takes no value.`);
      options[token.name] = true;
    } else {
      const missing = token.value === undefined || (!token.inlineValue && token.value.startsWith('-'));
      if (missing) throw usageError(`${token.rawName} needs a value: ${token.rawName} ${spec.value}`);
      const before = options[token.name];
      const value = token.value ?? '';
      options[token.name] = spec.multiple ? [...(Array.isArray(before) ? before : []), value] : value;
    }
  }
  const operands = words.slice(1);
  const [min, max] = command.count;
  if (operands.length < min || operands.length > max) {
    throw usageError(
      operands.length < min
        ? `${command.name} needs ${command.operands}.`
        : `${command.name}: ${operands[max]} is one too many.`,
      `${command.name} ${command.operands} (see: help ${command.name})`,
    );
  }
  return { help: undefined, command, operands, options };
}

function parseSpecs(
  specs: OptionSpecs,
): Record<string, { type: 'string' | 'boolean'; multiple?: boolean; short?: string }> {
  const entries = Object.entries(specs).map(([name, { type }]) => [name, { type }] as const);
  return { ...Object.fromEntries(entries), help: { type: 'boolean', short: 'h' } };
}

function unknown(what: string, found: string, known: readonly string[], command?: Command): AircherError {
  const near = nearest(found, known);
  const where = command === undefined ? 'help' : `help ${command.name}`;
  return usageError(`Unknown ${what}: ${found}`, near === undefined ? `See: ${where}` : `Did you mean ${near}?`);
}

function clientOptions(options: OptionValues, env: CommandEnvironment['env']): ClientOptions {
  const text = (name: string): string | undefined => {
    const value = options[name];
    return typeof value === 'string' ? value : undefined;
  };
  const texts = (name: string): readonly string[] | undefined => {
    const value = options[name];
    return Array.isArray(value) ? value : undefined;
  };
  const rate = text('limit-rate');
  const limitRate = rate === undefined ? undefined : parseRate(rate);
  if (rate !== undefined && limitRate === undefined) {
    throw usageError(`--limit-rate ${rate} is not a rate.`, 'Write it as 500k, 5MB or 1.5MB/s.');
  }
  const connections = text('connections');
  if (connections !== undefined && !/^([1-9]|[1-5]\d|6[0-4])$/.test(connections)) {
    throw usageError(`--connections ${connections} is not a number from 1 to 64.`);
  }
  return {
    env,
    cacheDir: text('cache-dir'),
    manifestSources: texts('manifest'),
    publicKeys: texts('public-key'),
    release: text('release'),
    offline: options.offline === true ? true : undefined,
    allowDowngrade: options['allow-downgrade'] === true,
    limitRate,
    connections: connections === undefined ? undefined : Number(connections),
    http: {
      userAgent: `aircher/${toolVersion}`,
      ...(options['allow-http'] === true ? { allowInsecure: true } : {}),
    },
  };
}
