import { readFile } from 'node:fs/promises';
import { limits } from '../src/contract/limits.ts';
import { defaultValues, ignoredFields } from '../src/model/architecture.ts';

const document = new URL('../docs/formats.md', import.meta.url);

/**
 * docs/formats.md with its generated parts up to date: what stands between `<!-- generated: NAME -->` and
 * `<!-- end of NAME -->`. The rest is written by hand. Throws where a part is missing.
 */
export async function formatDocs(): Promise<string> {
  let text = await readFile(document, 'utf8');
  for (const [name, content] of Object.entries({ architecture: architecturePart(), limits: limitsPart() })) {
    const [begin, end] = [`<!-- generated: ${name} -->\n`, `<!-- end of ${name} -->`];
    const [from, to] = [text.indexOf(begin), text.indexOf(end)];
    if (from === -1 || to < from) throw new Error(`docs/formats.md has no part "${name}"`);
    text = `${text.slice(0, from + begin.length)}\n${content}\n\n${text.slice(to)}`;
  }
  return text;
}

/** The fields of config.json that don't count, by reason, and the values that say nothing. */
function architecturePart(): string {
  const byReason = new Map<string, string[]>();
  for (const [field, reason] of Object.entries(ignoredFields)) {
    byReason.set(reason, [...(byReason.get(reason) ?? []), `\`${field}\``]);
  }
  const defaults = Object.entries(defaultValues).map(([field, value]) => `\`${field}\`: \`${JSON.stringify(value)}\``);
  return [
    '| these fields do not count | because they are |',
    '|---|---|',
    ...[...byReason].map(([reason, fields]) => `| ${fields.join(', ')} | ${reason} |`),
    '',
    'A field with one of these values counts as left out:',
    '',
    ...defaults.map((line) => `- ${line}`),
  ].join('\n');
}

const limitMeanings: Readonly<Record<keyof typeof limits, string>> = {
  manifestBytes: 'largest manifest.json that is read',
  manifestValues: 'JSON values in a manifest.json',
  manifestMembers: 'members of any list or object in it: models, withdrawals, earlier versions of a model',
  releaseConfigBytes: 'largest release.json',
  indexBytes: 'largest chunk index',
  indexValues: 'JSON values in a chunk index, seven a chunk',
  headerBytes: 'longest header of a safetensors file',
  headerValues: 'JSON values in such a header, about nine a tensor',
  modelConfigBytes: 'largest config of a model, in JSON',
  modelJsonBytes: 'any other JSON file of a model, such as its tokenizer',
  modelJsonValues: 'JSON values in such a file',
  signatureBytes: 'largest signature file',
  jsonDepth: 'deepest nesting of JSON',
  chunkBytes: 'largest chunk, uncompressed',
  filesPerModel: 'files in one model',
  pathBytes: 'longest path of a file, in UTF-8 bytes',
  pathPartBytes: 'longest part of such a path',
  sizeBytes: 'largest size of anything (what a JSON number holds exactly)',
};

function limitsPart(): string {
  const rows = Object.entries(limits).map(
    ([name, value]) => `| ${limitMeanings[name as keyof typeof limits]} | ${value.toLocaleString('en')} |`,
  );
  return ['| limit | value |', '|---|---|', ...rows].join('\n');
}
