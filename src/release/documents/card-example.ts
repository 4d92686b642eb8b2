import type { ManifestModel } from '../../contract/manifest.ts';
import { quoted } from '../../core/printable.ts';

/**
 * Where a model's raw files are: a repository on the Hub, a tag of it, and the folder of that name.
 */
export interface CardPlace {
  readonly repository: string;
  readonly tag: string;
  readonly name: string;
}

/**
 * A Python program that makes a model's own vectors from its folder on the Hub; undefined where
 * none is known. sentence-transformers does what modules.json says (pooling, dense layers,
 * normalisation) and reads the prompts beside it. It takes no `subfolder`, so the folder is
 * downloaded first. Without a modules.json, what the manifest says is done by hand.
 */
export function cardExample(place: CardPlace, entry: ManifestModel): readonly string[] | undefined {
  return hasModules(entry) ? sentenceTransformers(place, entry) : transformers(place, entry);
}

/** Whether sentence-transformers finds out by itself how token vectors become one. */
export function hasModules({ files, embedding }: ManifestModel): boolean {
  return files?.some(({ path }) => path === 'modules.json') ?? typeof embedding?.pooling === 'string';
}

function sentenceTransformers(place: CardPlace, entry: ManifestModel): readonly string[] {
  const code = entry.allow_code ? ', trust_remote_code=True' : '';
  const prompts = promptsOf(entry);
  return [
    'from huggingface_hub import snapshot_download',
    'from sentence_transformers import SentenceTransformer',
    '',
    ...download(place),
    `model = SentenceTransformer(f"{folder}/${place.name}"${code})`,
    ...(prompts.length === 0
      ? ['vectors = model.encode(["A text"])']
      : [
          `# Prompts of this model: ${prompts.join(', ')}`,
          `vectors = model.encode(["A text"], prompt_name=${prompts[0]})`,
        ]),
  ];
}

/**
 * From the token vectors `tokens` and their `mask` (a column a token, 0 for padding) to one vector
 * a text.
 */
const poolings: Readonly<Record<string, string>> = {
  mean: '(tokens * mask).sum(1) / mask.sum(1)',
  cls: 'tokens[:, 0]',
  lasttoken: 'tokens[torch.arange(len(tokens)), mask.shape[1] - 1 - mask.flip(1).argmax(1).squeeze(-1)]',
  max: 'tokens.masked_fill(mask == 0, float("-inf")).max(1).values',
};

function transformers(place: CardPlace, entry: ManifestModel): readonly string[] | undefined {
  const { pooling, normalized, max_tokens: maxTokens } = entry.embedding ?? {};
  // Where nothing says it, sentence-transformers takes the mean of such a folder.
  const pooled = Object.entries(poolings).find(([mode]) => mode === (pooling ?? 'mean'))?.[1];
  if (pooled === undefined) return undefined;
  const code = entry.allow_code ? ', trust_remote_code=True' : '';
  const length = typeof maxTokens === 'number' ? `, max_length=${maxTokens}` : '';
  return [
    'import torch',
    'from huggingface_hub import snapshot_download',
    'from transformers import AutoModel, AutoTokenizer',
    '',
    ...download(place),
    `tokenizer = AutoTokenizer.from_pretrained(f"{folder}/${place.name}"${code})`,
    `model = AutoModel.from_pretrained(f"{folder}/${place.name}"${code})`,
    `inputs = tokenizer(["A text"], padding=True, truncation=True${length}, return_tensors="pt")`,
    'with torch.no_grad():',
    '    tokens = model(**inputs).last_hidden_state',
    'mask = inputs["attention_mask"].unsqueeze(-1)',
    `vectors = ${pooled}`,
    ...(normalized ? ['vectors = torch.nn.functional.normalize(vectors)'] : []),
  ];
}

function download({ repository, tag, name }: CardPlace): readonly string[] {
  return [`folder = snapshot_download("${repository}", revision="${tag}", allow_patterns="${name}/*")`];
}

/** Names of those that say something. */
function promptsOf({ embedding }: ManifestModel): readonly string[] {
  return Object.entries(embedding?.prompts ?? {}).flatMap(([name, text]) => (text === '' ? [] : [quoted(name)]));
}
