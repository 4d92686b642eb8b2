import type { Findings } from './findings.ts';
import { documentOf, inDirectory, type ModelView } from './model-view.ts';
import { libraryConfigName, transformerConfigPath } from './pooling.ts';

/**
 * Reports lengths that are written as text (`"384"`). Checks here ignore them, and loaders fail or
 * take another value. `base`: the folder of the transformer.
 */
export function checkWrittenNumbers(view: ModelView, base: string, findings: Findings): void {
  const config = inDirectory(base, 'config.json');
  const sentence = transformerConfigPath(view, base);
  for (const [file, key] of [
    [config, 'hidden_size'],
    [config, 'vocab_size'],
    [config, 'max_position_embeddings'],
    [sentence, 'max_seq_length'],
    [inDirectory(base, 'tokenizer_config.json'), 'model_max_length'],
    [libraryConfigName, 'truncate_dim'],
  ] as const) {
    const value = file === undefined ? null : (documentOf(view, file)?.[key] ?? null);
    if (value === null || typeof value === 'number') continue;
    const written = typeof value === 'object' ? 'a list or an object' : JSON.stringify(value).slice(0, 40);
    findings.warning({
      in: file,
      at: `$.${key}`,
      message: `is ${written}, not a number: loaders fail at it, or take another`,
      hint: 'Write the number without quotes, as the model was trained.',
    });
  }
}
