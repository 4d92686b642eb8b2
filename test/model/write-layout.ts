import { mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { dtypeBits } from '../../src/weights/dtypes.ts';
import { ggufFile } from '../fixtures/gguf-file.ts';
import { onnxFile } from '../fixtures/onnx-file.ts';
import { writeFiles } from './inspecting.ts';
import type { Layout, TensorList } from './known-layouts.ts';

/**
 * A safetensors file with the header of these tensors and a hole for their data: it takes no room,
 * whatever size it says.
 */
async function writeHollowWeights(
  path: string,
  tensors: TensorList,
  options: { readonly layers?: number; readonly dtype?: string } = {},
): Promise<readonly string[]> {
  const header: Record<string, unknown> = {};
  let offset = 0;
  for (const [name, shape] of expand(tensors, options.layers ?? 0)) {
    const [plain = '', dtype = options.dtype ?? 'F32'] = name.split(' ');
    const bytes = (shape.reduce((product, size) => product * size, 1) * (dtypeBits.get(dtype) ?? 0)) / 8;
    header[plain] = { dtype, shape, data_offsets: [offset, offset + bytes] };
    offset += bytes;
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  await mkdir(dirname(path), { recursive: true });
  const handle = await open(path, 'w');
  await handle.write(Buffer.concat([length, json]));
  await handle.truncate(8 + json.length + offset);
  await handle.close();
  return Object.keys(header);
}

/** `#` is each layer from 0 on, `#+9` each from 9 on. */
function expand(tensors: TensorList, layers: number): [string, readonly number[]][] {
  return Object.entries(tensors).flatMap(([name, shape]): [string, readonly number[]][] => {
    const [place, first = '0'] = /#(?:\+(\d+))?/.exec(name) ?? [];
    if (place === undefined) return [[name, shape]];
    return Array.from({ length: layers }, (_, layer) => [name.replace(place, String(Number(first) + layer)), shape]);
  });
}

function anyContent(path: string): string | Uint8Array {
  if (path.endsWith('.onnx')) return onnxFile({ outputs: {} });
  if (path.endsWith('.gguf')) return ggufFile({ metadata: {} });
  return path.endsWith('.json') ? '{}' : 'x';
}

/**
 * Writes a model as it stands in the table: shards get their index, files without content a byte.
 */
export async function writeLayout(root: string, { files, more = [], weights }: Layout): Promise<void> {
  const weightMap: Record<string, string> = {};
  for (const [path, { tensors, ...options }] of Object.entries(weights)) {
    const names = await writeHollowWeights(join(root, path), tensors, options);
    if (/-of-/.test(path)) for (const name of names) weightMap[name] = path;
  }
  const index = { 'model.safetensors.index.json': JSON.stringify({ weight_map: weightMap }) };
  await writeFiles(root, {
    LICENSE: 'text',
    'README.md': '# Model\n',
    '.gitattributes': '',
    ...Object.fromEntries(more.map((path) => [path, anyContent(path)])),
    ...Object.fromEntries(Object.entries(files).map(([path, content]) => [path, JSON.stringify(content)])),
    ...(Object.keys(weightMap).length === 0 ? {} : index),
  });
}
