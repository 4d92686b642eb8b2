import { relative, sep } from 'node:path';
import { embedLimitMs, formatEmbedRequest, parseEmbedAnswer } from '../../contract/embed-protocol.ts';
import { limits } from '../../contract/limits.ts';
import { invalidError, isAircherError } from '../../core/errors.ts';
import { runCommand } from '../../core/run-command.ts';
import type { EmbedTexts } from './check-vectors.ts';

export interface EmbedCommandOptions {
  /** All that it finds in its environment, with the model's values. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal | undefined;
  readonly limitMs?: number;
}

const shownBytes = 60;
const form =
  'It must print { "vectors": [[…], …], "runtime": "…" } and nothing else, a vector for each text; what people read goes to stderr.';

/**
 * Embeds by a command of the user, in the working directory: the embed protocol of
 * docs/formats.md. Throws `invalid` where it fails, doesn't end, or prints something else.
 */
export function embedByCommand(command: readonly string[], options: EmbedCommandOptions): EmbedTexts {
  const { environment, signal, limitMs = embedLimitMs } = options;
  const line = command.join(' ');
  return async (texts, { name, version, path, weights_path: weights = path }) => {
    const { failure, said, output } = await runCommand(command, {
      directory: '.',
      environment: {
        ...environment,
        MODEL_NAME: name,
        MODEL_VERSION: version,
        MODEL_DIR: path,
        MODEL_WEIGHTS: relative(path, weights).split(sep).join('/'),
      },
      limitMs,
      signal,
      input: formatEmbedRequest(texts),
      maxOutputBytes: limits.vectorsBytes,
    });
    const words = said === '' ? '' : `\n${said}`;
    if (failure !== undefined) {
      throw invalidError(`${line}: ${failure}.${words}`, 'Nothing could be compared. Mend the command.');
    }
    try {
      return parseEmbedAnswer(output, texts, line);
    } catch (error) {
      if (!isAircherError(error)) throw error;
      const begins = JSON.stringify(output.toString('utf8', 0, shownBytes));
      const more = output.length > shownBytes ? '…' : '';
      throw invalidError(`${error.message}. It printed ${begins}${more}${words}`, form, { cause: error });
    }
  };
}
