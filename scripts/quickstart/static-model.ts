import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { safetensorsFile } from '../../test/fixtures/tiny-model.ts';

/**
 * Writes a model of sentence-transformers' kind StaticEmbedding: a vector for each word, their
 * mean, length 1. Its words are those of our README; its vectors are made up.
 */
export async function writeStaticModel(directory: string): Promise<void> {
  const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
  const words = ['[UNK]', ...new Set(readme.toLowerCase().match(/[a-z]+/g))];
  const module = (idx: number, path: string, kind: string) => {
    return { idx, name: String(idx), path, type: `sentence_transformers.models.${kind}` };
  };
  const tokenizer = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [],
    normalizer: { type: 'Lowercase' },
    pre_tokenizer: { type: 'Whitespace' },
    post_processor: null,
    decoder: null,
    model: { type: 'WordLevel', unk_token: '[UNK]', vocab: Object.fromEntries(words.map((word, id) => [word, id])) },
  };
  const files: Readonly<Record<string, string | Buffer>> = {
    'modules.json': json([module(0, '', 'StaticEmbedding'), module(1, '1_Normalize', 'Normalize')]),
    'config_sentence_transformers.json': json({ prompts: {}, default_prompt_name: null, similarity_fn_name: 'cosine' }),
    'tokenizer.json': json(tokenizer),
    'model.safetensors': safetensorsFile({ tensors: [{ name: 'embedding.weight', shape: [words.length, 128] }] }),
    'README.md': '---\nlicense: apache-2.0\n---\n\n# A static embedder\n',
    LICENSE: 'The text of the licence.\n',
  };
  await mkdir(directory, { recursive: true });
  for (const [path, content] of Object.entries(files)) await writeFile(join(directory, path), content);
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
