import { readFile } from 'node:fs/promises';
import { limits } from '../src/contract/limits.ts';
import {
  adapterDefaults,
  defaultsByModel,
  defaultsOfAll,
  ignoredAdapterFields,
  ignoredFields,
} from '../src/model/config-defaults.ts';
import { classDefaults, ignoredSettings, settingDefaults } from '../src/model/tokenizer-defaults.ts';

/** Documents with generated parts, by path; the rest of them is written by hand. */
const documents: Readonly<Record<string, Readonly<Record<string, () => string>>>> = {
  'docs/formats.md': { limits: limitsPart },
  'docs/spaces.md': {
    'fields of config.json': () => reasonsTable(ignoredFields),
    'defaults of config.json': () => valuesTable({ any: defaultsOfAll, ...defaultsByModel }),
    'fields of adapter_config.json': () => reasonsTable(ignoredAdapterFields),
    'defaults of adapter_config.json': () => valuesTable({ LORA: adapterDefaults }),
    'fields of tokenizer_config.json': () => reasonsTable(ignoredSettings),
    'defaults of tokenizer_config.json': () => valuesTable({ any: settingDefaults, ...classDefaults }),
  },
};

/**
 * The documents with what stands between `<!-- generated: NAME -->` and `<!-- end of NAME -->` up
 * to date. Throws where a part is missing.
 */
export async function formatDocs(): Promise<Readonly<Record<string, string>>> {
  const made: Record<string, string> = {};
  for (const [path, parts] of Object.entries(documents)) {
    let text = await readFile(new URL(`../${path}`, import.meta.url), 'utf8');
    for (const [name, content] of Object.entries(parts)) {
      const [begin, end] = [`<!-- generated: ${name} -->\n`, `<!-- end of ${name} -->`];
      const [from, to] = [text.indexOf(begin), text.indexOf(end)];
      if (from === -1 || to < from) throw new Error(`${path} has no part "${name}"`);
      text = `${text.slice(0, from + begin.length)}\n${content()}\n\n${text.slice(to)}`;
    }
    made[path] = text;
  }
  return made;
}

/** Fields that don't count, by reason. */
function reasonsTable(reasons: Readonly<Record<string, string>>): string {
  const byReason = new Map<string, string[]>();
  for (const [field, reason] of Object.entries(reasons)) {
    byReason.set(reason, [...(byReason.get(reason) ?? []), `\`${field}\``]);
  }
  const rows = [...byReason].map(([reason, fields]) => `| ${fields.join(', ')} | ${reason} |`);
  return ['| these fields do not count | because they are |', '|---|---|', ...rows].join('\n');
}

/** Values that say the same as leaving the field out, by what has them. */
function valuesTable(byName: Readonly<Record<string, Readonly<Record<string, unknown>>>>): string {
  const rows = Object.entries(byName).map(([name, values]) => {
    const said = Object.entries(values).map(
      ([field, value]) => `\`${field}\` ${JSON.stringify(value).replaceAll('|', '\\|')}`,
    );
    return `| ${name} | ${said.join(', ')} |`;
  });
  return ['| of | values |', '|---|---|', ...rows].join('\n');
}

const limitMeanings: Readonly<Record<keyof typeof limits, string>> = {
  manifestBytes: 'largest manifest.json that is read',
  manifestValues: 'JSON values in a manifest.json',
  manifestMembers: 'members of any list or object in it: models, withdrawals, earlier versions of a model',
  releaseConfigBytes: 'largest release.json',
  indexBytes: 'largest chunk index',
  indexValues: 'JSON values in a chunk index, seven a chunk',
  headerBytes: 'longest header of a safetensors file; what describes the tensors of an ONNX or GGUF file',
  headerValues: 'JSON values in such a header, about nine a tensor; fields of an ONNX file',
  modelConfigBytes: 'largest config of a model, in JSON',
  modelJsonBytes: 'any other JSON file of a model, such as its tokenizer; metadata of a GGUF file',
  modelJsonValues: 'values in such a file',
  signatureBytes: 'largest signature file',
  jsonDepth: 'deepest nesting of JSON',
  chunkBytes: 'largest chunk, uncompressed',
  filesPerModel: 'files in one model',
  pathBytes: 'longest path of a file, in UTF-8 bytes',
  pathPartBytes: 'longest part of such a path',
  vectorsBytes: 'largest file of reference vectors; what an embed command may print',
  referenceTexts: 'reference texts of one model',
  referenceTextLength: 'longest reference text, in UTF-16 units',
  referenceTextsBytes: 'largest file of reference texts',
  dimensions: 'numbers in one vector',
  sizeBytes: 'largest size of anything (what a JSON number holds exactly)',
};

function limitsPart(): string {
  const rows = Object.entries(limits).map(
    ([name, value]) => `| ${limitMeanings[name as keyof typeof limits]} | ${value.toLocaleString('en')} |`,
  );
  return ['| limit | value |', '|---|---|', ...rows].join('\n');
}
