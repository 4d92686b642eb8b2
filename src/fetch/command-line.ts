import { nearest } from '../contract/problems-of.ts';
import { builtins } from '../core/builtins.ts';
import { errorDocument, formatError } from '../core/error-text.ts';
import { AircherError, toAircherError, usageError } from '../core/errors.ts';
import { exitCodes } from '../core/exit-codes.ts';
import { printableJson } from '../core/printable.ts';
import { toolVersion } from '../core/tool-version.ts';
import type { ClientOptions } from './api.ts';
import { healCache } from './cache/heal-cache.ts';
import type { Client } from './client.ts';
import type { Command, OptionSpecs, OptionValues } from './commands/command.ts';
import { commandHelp, overviewHelp } from './commands/help.ts';
import { commands, globalOptions } from './commands/index.ts';
import { type ModelReference, parseModelReference, refuseVersion } from './commands/model-reference.ts';
import { numberOption } from './commands/number-option.ts';
import { openClient } from './open-client.ts';
import { parseRate } from './parse-rate.ts';
import { createEventLines } from './render/event-lines.ts';
import { clientSecrets, maskedStream, maskOf } from './render/mask-secrets.ts';
import { createOutput, type TextStream } from './render/output.ts';
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
  /** Where the client's one file is, if it runs from that. */
  readonly oneFile?: () => string | undefined;
}

/**
 * Runs one `aircher model …` command line (`argv` without `model`), prints what there is to print,
 * and answers with the exit code. Never throws.
 */
export async function runModelCommand(argv: readonly string[], environment: CommandEnvironment): Promise<number> {
  const { env, signal, program } = environment;
  const mask = maskOf(clientSecrets(env, argv));
  const stdout = maskedStream(environment.stdout, mask);
  const stderr = maskedStream(environment.stderr, mask);
  const [own] = splitAt(argv, '--');
  const verbose = own.includes('--verbose');
  const json = own.includes('--json');
  const quiet = own.includes('--quiet');
  const wantsEvents = /(^|\s)--progress[= ]json(\s|$)/.test(own.join(' '));
  const progress = wantsEvents ? createEventLines(stderr) : createProgress({ stderr, quiet, verbose });
  let client: Client | undefined;
  try {
    const { help, command, ...parsed } = parseCommandLine(argv);
    if (help || command === undefined) {
      const text = command
        ? commandHelp(program, command, globalOptions)
        : overviewHelp(program, commands, globalOptions);
      (help ? stdout : stderr).write(text);
      return help ? 0 : exitCodes.usage;
    }
    const lock = await command.lockFile?.(parsed.options);
    client = (await openClient({ ...clientOptions(parsed.options, env), lock }, { signal })).client;
    await healCache(client.layout);
    const exitCode = await command.run({
      ...parsed,
      client,
      env,
      names: parsed.models.map(({ name }) => name),
      output: createOutput({ json, quiet, stdout, say: progress.say }),
      context: { signal, onEvent: progress.onEvent },
      oneFile: () => environment.oneFile?.(),
    });
    return exitCode ?? 0;
  } catch (thrown) {
    const cause = toAircherError(thrown);
    const { details } = cause;
    const error = signal.aborted
      ? new AircherError('interrupted', 'Interrupted. What was downloaded is kept for the next run.', {
          cause,
          details,
        })
      : cause;
    if (json && error.details.reported !== true) stdout.write(printableJson(errorDocument(error)));
    for (const message of formatError(error, { verbose })) progress.say(message);
    return exitCodes[error.code];
  } finally {
    progress.end();
    client?.close();
  }
}

interface ParsedCommandLine {
  /** Asked for, of the command or of all. */
  readonly help: boolean;
  /** Undefined where none is named: then help is needed. */
  readonly command: Command | undefined;
  readonly models: readonly ModelReference[];
  readonly options: OptionValues;
  /** What stands behind `--`, of a command that takes such. */
  readonly behind: readonly string[];
}

/** Throws `usage`, naming the nearest command or option. */
export function parseCommandLine(argv: readonly string[]): ParsedCommandLine {
  const [own, behind] = splitAt(argv, '--');
  const everyOption: OptionSpecs = Object.assign({}, globalOptions, ...commands.map((command) => command.options));
  const types = [...valuesOf(everyOption)].map(([option, value]) => {
    return [option.slice(2), { type: value === undefined ? 'boolean' : 'string' }] as const;
  });
  const { tokens } = builtins.util.parseArgs({
    args: [...own],
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: { ...Object.fromEntries(types), help: { type: 'boolean', short: 'h' } },
  });
  const words = tokens.filter((token) => token.kind === 'positional').map((token) => token.value);
  const help = words[0] === 'help' || tokens.some((token) => token.kind === 'option' && token.name === 'help');
  const [name, ...operands] = words[0] === 'help' ? words.slice(1) : words;
  const command = commands.find((each) => each.name === name || each.aliases?.includes(name ?? ''));
  if (name !== undefined && command === undefined) {
    throw unknown(
      'command',
      name,
      commands.flatMap((each) => [each.name, ...(each.aliases ?? [])]),
    );
  }
  if (help) return { help, command, models: [], options: {}, behind: [] };
  const known = valuesOf(command === undefined ? everyOption : { ...globalOptions, ...command.options });
  const options: Record<string, string[]> = {};
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    const { name, rawName, value, inlineValue } = token;
    if (!known.has(rawName)) throw unknown('option', rawName, [...known.keys()], command);
    const wanted = known.get(rawName);
    if (wanted === undefined && inlineValue) throw usageError(`${rawName} takes no value.`);
    if (wanted !== undefined && (value === undefined || (!inlineValue && value.startsWith('-')))) {
      throw usageError(`${rawName} needs a value: ${rawName} ${wanted}`);
    }
    options[name] = [...(options[name] ?? []), value ?? ''];
  }
  const progress = options.progress?.at(-1) ?? 'text';
  if (!['text', 'json'].includes(progress)) throw usageError(`--progress ${progress} is neither text nor json.`);
  if ((options.weights?.length ?? 0) > 1 && command?.name !== 'lock') {
    throw usageError('--weights is given more than once.', 'Call once for each, or take all: --weights all');
  }
  if (command === undefined) return { help, command, models: [], options, behind: [] };
  // Else `--` only says that no options follow.
  const isTaken = command.operands.includes(' -- ');
  const models = parseOperands(command, isTaken ? operands : [...operands, ...behind]);
  return { help, command, models, options, behind: isTaken ? behind : [] };
}

/** What stands before a word, and behind it. */
function splitAt(
  argv: readonly string[],
  word: string,
): readonly [before: readonly string[], behind: readonly string[]] {
  const at = argv.indexOf(word);
  return at === -1 ? [argv, []] : [argv.slice(0, at), argv.slice(at + 1)];
}

/** By option, what stands for its value; undefined for a flag. */
function valuesOf(options: OptionSpecs): ReadonlyMap<string, string | undefined> {
  return new Map(
    Object.keys(options).map((written) => {
      const [option = '', value] = written.split(' ');
      return [option, value];
    }),
  );
}

function parseOperands(command: Command, operands: readonly string[]): readonly ModelReference[] {
  const { name } = command;
  const [wanted = ''] = command.operands.split(' -- ');
  const most = wanted === '' ? 0 : wanted.includes('…') ? operands.length : 1;
  const tooFew = wanted.startsWith('NAME') && operands.length === 0;
  if (tooFew || operands.length > most) {
    throw usageError(
      tooFew ? `${name} needs ${wanted}.` : `${name}: ${operands[most]} is one too many.`,
      `${name} ${wanted} (see: help ${name})`,
    );
  }
  const models = operands.map(parseModelReference);
  if (!wanted.includes('@')) models.forEach(refuseVersion);
  return models;
}

function unknown(what: string, found: string, known: readonly string[], command?: Command): AircherError {
  const near = nearest(found, known);
  return usageError(
    `Unknown ${what}: ${found}`,
    near === undefined ? `See: help ${command?.name ?? ''}`.trim() : `Did you mean ${near}?`,
  );
}

function clientOptions(options: OptionValues, env: CommandEnvironment['env']): ClientOptions {
  const rate = options['limit-rate']?.at(-1);
  if (rate !== undefined && parseRate(rate) === undefined) {
    throw usageError(`--limit-rate ${rate} is not a rate.`, 'Write it as 500k, 5MB or 1.5MB/s.');
  }
  return {
    env,
    cacheDir: options['cache-dir']?.at(-1),
    manifestSources: options.manifest,
    publicKeys: options['public-key'],
    release: options.release?.at(-1),
    offline: options.offline ? true : undefined,
    allowDowngrade: options['allow-downgrade'] !== undefined,
    acceptLicenses: options['accept-license'],
    limitRate: rate,
    connections: numberOption(options, 'connections', 64),
    http: { userAgent: `aircher/${toolVersion}`, ...(options['allow-http'] && { allowInsecure: true }) },
  };
}
