import { mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { packArchive } from '../../../src/archive/pack-archive.ts';
import type { ModelConfig } from '../../../src/contract/release-config.ts';
import { defaultWeights, fingerprintNames, fingerprintsOf } from '../../../src/model/fingerprints.ts';
import { inspectModel } from '../../../src/model/inspect-model.ts';
import { listSourceFiles } from '../../../src/model/source-files.ts';
import { lengthBytes, parseHeader } from '../../../src/weights/safetensors-header.ts';
import { safetensorsOf, type WrittenTensor } from '../../fixtures/tiny-model.ts';

/** The files of a model in memory, and ways to change them as a maintainer or a library would. */
export class ModelFiles {
  readonly files: Map<string, Buffer>;

  constructor(files: Iterable<readonly [string, Uint8Array]>) {
    this.files = new Map([...files].map(([path, bytes]) => [path, Buffer.from(bytes)]));
  }

  text(path: string): string {
    const bytes = this.files.get(path);
    if (bytes === undefined) throw new Error(`the model has no ${path}`);
    return bytes.toString();
  }

  write(path: string, content: string | Uint8Array | undefined): void {
    if (content === undefined) this.files.delete(path);
    else this.files.set(path, Buffer.from(content));
  }

  /** Changes a JSON file by its parsed value, or what `change` answers with instead. */
  // biome-ignore lint/suspicious/noExplicitAny: test code that reaches into configs of any form.
  json(path: string, change: (value: any) => unknown): void {
    const value = JSON.parse(this.files.get(path)?.toString() ?? '{}');
    this.write(path, JSON.stringify(change(value) ?? value));
  }

  rename(from: string, to: string): void {
    for (const [path, bytes] of [...this.files]) {
      if (path !== from && !path.startsWith(`${from}/`)) continue;
      this.files.delete(path);
      this.files.set(to + path.slice(from.length), bytes);
    }
  }

  tensors(path: string): WrittenTensor[] {
    const bytes = this.files.get(path);
    if (bytes === undefined) throw new Error(`the model has no ${path}`);
    const length = Number(bytes.readBigUInt64LE());
    const { headerBytes, tensors } = parseHeader(bytes.subarray(lengthBytes, lengthBytes + length), bytes.length);
    return tensors.map(({ name, dtype, shape, begin, end }) => ({
      ...{ name, dtype, shape },
      data: Buffer.from(bytes.subarray(headerBytes + begin, headerBytes + end)),
    }));
  }

  /** Writes a safetensors file with what `change` makes of its tensors. */
  weights(path: string, change: (tensors: WrittenTensor[]) => WrittenTensor[]): void {
    this.write(path, safetensorsOf(change(this.tensors(path))));
  }

  /** Cuts model.safetensors into shards with an index, as save_pretrained does. */
  shard(count: number): void {
    const tensors = this.tensors('model.safetensors');
    const five = (number: number): string => String(number).padStart(5, '0');
    const weightMap: Record<string, string> = {};
    for (let shard = 0; shard < count; shard++) {
      const name = `model-${five(shard + 1)}-of-${five(count)}.safetensors`;
      const own = tensors.filter((_, number) => number % count === shard);
      for (const tensor of own) weightMap[tensor.name] = name;
      this.write(name, safetensorsOf(own));
    }
    this.write('model.safetensors', undefined);
    this.write('model.safetensors.index.json', JSON.stringify({ metadata: {}, weight_map: weightMap }));
  }
}

export interface Fingerprinted {
  readonly fingerprints: ReturnType<typeof fingerprintsOf>['fingerprints'];
  readonly weights: ReturnType<typeof fingerprintsOf>['weights'];
  /** That of the default weights. */
  readonly space: string;
  /** Messages of errors that the gate has. */
  readonly errors: readonly string[];
}

let made = 0;

/** Of a model whose default weights can't be told, which is an error. */
const noFingerprints = { weights: null, layout: null, tokenizer: null, pooling: null, architecture: null };

/** Inspects and packs a model as a release does. */
export async function fingerprint({ files: content }: ModelFiles): Promise<Fingerprinted> {
  const root = join(tmpdir(), `aircher-spaces-${process.pid}-${made++}`);
  try {
    for (const [path, bytes] of content) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), bytes);
    }
    const config: ModelConfig = {
      version: '1.0.0',
      license: 'Apache-2.0',
      source: { directory: root },
      allow_code: true,
    };
    const { files } = await listSourceFiles({ model: 'tiny', root, allowCode: true });
    const { facts, problems } = await inspectModel({ model: 'tiny', config, files });
    const packed = await packArchive({ model: 'tiny', files, format: 'tar', output: `${root}.tar`, mtimeSeconds: 0 });
    const errors = problems.filter(({ level }) => level === 'error').map(({ message }) => message);
    // Facts are kept as JSON between inspecting and packing.
    const { fingerprints, weights } =
      defaultWeights(facts.weights) === undefined
        ? { fingerprints: noFingerprints, weights: [] }
        : fingerprintsOf(JSON.parse(JSON.stringify(facts)), packed);
    return { fingerprints, weights, space: defaultWeights(weights)?.space ?? '', errors };
  } finally {
    await rm(root, { recursive: true, force: true });
    for (const end of ['', '.index.json']) await rm(`${root}.tar${end}`, { force: true });
  }
}

/** Names of the fingerprints that differ; none where the space is the same. */
export function differing(before: Fingerprinted, after: Fingerprinted): readonly string[] {
  return fingerprintNames.filter((name) => before.fingerprints[name] !== after.fingerprints[name]);
}
