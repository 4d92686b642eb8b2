import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import type { ModelConfig } from '../../src/contract/release-config.ts';
import type { Problem } from '../../src/core/errors.ts';
import type { ModelFacts } from '../../src/model/facts.ts';
import { inspectModel } from '../../src/model/inspect-model.ts';
import { listSourceFiles } from '../../src/model/source-files.ts';
import { type TinyModelOptions, writeTinyModel } from '../fixtures/tiny-model.ts';

/** A directory that goes when the test ends. */
export async function temporaryDirectory(context: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'aircher-model-'));
  context.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** Writes files by path; a directory is made by a path that ends with a slash. */
export async function writeFiles(root: string, files: Readonly<Record<string, string | Uint8Array>>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
}

export interface Inspected {
  readonly root: string;
  readonly problems: readonly Problem[];
  readonly facts: ModelFacts;
}

/** Lists and inspects a tiny model, as a release does. */
export async function inspectTiny(
  context: TestContext,
  options: TinyModelOptions = {},
  config: Partial<ModelConfig> = {},
): Promise<Inspected> {
  const root = join(await temporaryDirectory(context), 'tiny');
  await writeTinyModel(root, options);
  return inspectDirectory(root, config);
}

export async function inspectDirectory(root: string, config: Partial<ModelConfig> = {}): Promise<Inspected> {
  const whole: ModelConfig = { version: '1.0.0', license: 'Apache-2.0', source: { directory: root }, ...config };
  const { include, exclude, allow_code: allowCode } = whole;
  const listed = await listSourceFiles({ model: 'tiny', root, include, exclude, allowCode });
  const { problems, facts } = await inspectModel({ model: 'tiny', config: whole, files: listed.files });
  return { root, problems: [...listed.problems, ...problems], facts };
}

/** `level path-in-model json-path: message` of each problem. */
export function told({ root, problems }: Pick<Inspected, 'root' | 'problems'>): string[] {
  return problems.map(({ level, file = '', path, message }) => {
    const place = file.startsWith(root) ? file.slice(root.length + 1) || '.' : file;
    return `${level} ${place}${path === undefined ? '' : ` ${path}`}: ${message}`;
  });
}
