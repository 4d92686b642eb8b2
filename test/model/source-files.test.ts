import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, link, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { limits } from '../../src/contract/limits.ts';
import { mapConcurrently } from '../../src/core/concurrency.ts';
import { type ListSourceFilesOptions, listSourceFiles } from '../../src/model/source-files.ts';
import { temporaryDirectory, told, writeFiles } from './inspecting.ts';

const weights = { 'model.safetensors': 'w' };

async function list(
  context: TestContext,
  files: Readonly<Record<string, string | Uint8Array>>,
  options: Partial<ListSourceFilesOptions> & { readonly prepare?: (root: string) => Promise<void> } = {},
): Promise<{
  readonly paths: readonly string[];
  readonly told: readonly string[];
  readonly hints: readonly string[];
  readonly root: string;
}> {
  const { prepare, ...rest } = options;
  const root = join(await temporaryDirectory(context), 'tiny');
  await mkdir(root);
  await writeFiles(root, files);
  await prepare?.(root);
  const listed = await listSourceFiles({ model: 'tiny', root, ...rest });
  return {
    root,
    paths: listed.files.map(({ path }) => path),
    told: told({ root, problems: listed.problems }),
    hints: listed.problems.flatMap(({ hint }) => hint ?? []),
  };
}

test('without include every file is listed but hidden ones, sorted by the bytes of the path', async (context) => {
  const files = {
    'b.json': '1',
    'a/z': '',
    'a-b': '',
    'é.txt': '',
    'Z.txt': '',
    '.gitattributes': '',
    '.cache/x': '',
    ...weights,
  };
  const { paths, told } = await list(context, files);
  assert.deepEqual(paths, ['Z.txt', 'a-b', 'a/z', 'b.json', 'model.safetensors', 'é.txt']);
  assert.deepEqual(told, []);
});

test('size and absolute path of a file are given', async (context) => {
  const root = await temporaryDirectory(context);
  await writeFiles(root, { 'sub/x.safetensors': '12345' });
  const { files } = await listSourceFiles({ model: 'tiny', root });
  assert.deepEqual(files, [{ path: 'sub/x.safetensors', absolutePath: join(root, 'sub/x.safetensors'), sizeBytes: 5 }]);
});

test('in include a * stays in its folder, a ** does not, and only a dot matches a dot', async (context) => {
  const files = { ...weights, 'a.json': '', 'sub/b.json': '', 'sub/deep/c.json': '', 'sub/.d.json': '', '.e.json': '' };
  const taken = async (include: string[]) => (await list(context, files, { include })).paths;
  assert.deepEqual(await taken(['*.json']), ['a.json']);
  assert.deepEqual(await taken(['sub/*']), ['sub/b.json']);
  assert.deepEqual(await taken(['**/*.json']), ['a.json', 'sub/b.json', 'sub/deep/c.json']);
  assert.deepEqual(await taken(['sub/**']), ['sub/b.json', 'sub/deep/c.json']);
  assert.deepEqual(await taken(['{sub/deep,nowhere}/*.json', '.e.json']), ['.e.json', 'sub/deep/c.json']);
  assert.deepEqual(await taken(['sub/.*']), ['sub/.d.json']);
});

test('a pattern that matches nothing is a warning, and so is a folder without a star', async (context) => {
  const files = { ...weights, '1_Pooling/config.json': '{}' };
  const include = ['*.safetensors', 'LICENSE*', '1_Pooling/', '!README.md'];
  const { told, paths } = await list(context, files, { include });
  assert.deepEqual(paths, ['model.safetensors']);
  assert.deepEqual(told, [
    'warning .: no file matches "LICENSE*" of "include"',
    'warning .: no file matches "1_Pooling/" of "include"',
    'warning .: no file matches "!README.md" of "include"',
  ]);
});

test('directories that no pattern reaches are not walked: what is wrong there does not matter', async (context) => {
  const prepare = async (root: string): Promise<void> => {
    await mkdir(join(root, 'junk'));
    await symlink('nowhere', join(root, 'junk/link'));
    await symlink('nowhere', join(root, 'link'));
  };
  assert.deepEqual((await list(context, weights, { include: ['*.safetensors', '1_*/*'], prepare })).told, [
    'warning .: no file matches "1_*/*" of "include"',
  ]);
});

test('links to files and directories are refused, whether their target is there or not', async (context) => {
  const prepare = async (root: string): Promise<void> => {
    await symlink('model.safetensors', join(root, 'file.txt'));
    await symlink('.', join(root, 'folder'));
    await symlink('nowhere', join(root, 'broken.txt'));
  };
  assert.deepEqual((await list(context, weights, { prepare })).told, [
    'error broken.txt: is a link',
    'error file.txt: is a link',
    'error folder: is a link',
  ]);
});

test('with follow_links the targets are taken, and links in circles or to nothing are refused', async (context) => {
  const prepare = async (root: string): Promise<void> => {
    await writeFiles(root, { '../blobs/1': 'weights', '../pooling/config.json': '{}' });
    await symlink('../blobs/1', join(root, 'model.safetensors'));
    await symlink('../pooling', join(root, '1_Pooling'));
    await mkdir(join(root, 'sub'));
    await symlink('../sub', join(root, 'sub/again'));
    await symlink('..', join(root, 'sub/up'));
    await symlink('nowhere', join(root, 'broken'));
  };
  const { paths, told } = await list(context, {}, { followLinks: true, prepare });
  assert.deepEqual(paths, ['1_Pooling/config.json', 'model.safetensors']);
  assert.deepEqual(told, [
    'error broken: is a link to nothing',
    'error sub/again: is a link to a directory above it',
    'error sub/up: is a link to a directory above it',
  ]);
});

test('hard links are files like others', async (context) => {
  const prepare = (root: string): Promise<void> =>
    link(join(root, 'model.safetensors'), join(root, 'same.safetensors'));
  const { paths, told } = await list(context, weights, { prepare });
  assert.deepEqual(paths, ['model.safetensors', 'same.safetensors']);
  assert.deepEqual(told, []);
});

test('a FIFO is refused without being opened', { skip: process.platform === 'win32' }, async (context) => {
  const prepare = async (root: string): Promise<void> => void execFileSync('mkfifo', [join(root, 'pipe')]);
  assert.deepEqual((await list(context, weights, { prepare })).told, ['error pipe: is no regular file']);
});

test('names that clash by case or that Windows cannot hold are all told at once', {
  skip: process.platform !== 'linux',
}, async (context) => {
  const files = {
    ...weights,
    'Vocab.txt': '',
    'vocab.txt': '',
    'a:b.txt': '',
    'aux.json': '',
    'end.': '',
    'A/x': '',
    'a/y': '',
  };
  const { told } = await list(context, files);
  assert.deepEqual(told, [
    'error a:b.txt: the name has the character ":", which Windows can\'t hold',
    'error aux.json: the name has the part "aux.json", a device name on Windows',
    'error end.: the name has a part that ends with a dot or a space, which Windows drops',
    'error a/y: clashes with "A/" where case or Unicode form doesn\'t count',
    'error vocab.txt: clashes with "Vocab.txt" where case or Unicode form doesn\'t count',
  ]);
});

test('a name in decomposed Unicode is refused, and clashes with its composed form', {
  skip: process.platform !== 'linux',
}, async (context) => {
  const { told } = await list(context, { ...weights, 'caf\u00e9': '', 'cafe\u0301': '' });
  assert.deepEqual(told, [
    'error cafe\u0301: the name is not in Unicode normal form NFC',
    'error caf\u00e9: clashes with "cafe\u0301" where case or Unicode form doesn\'t count',
  ]);
});

test('a name that is no Unicode is refused', { skip: process.platform !== 'linux' }, async (context) => {
  const prepare = (root: string): Promise<void> =>
    writeFile(Buffer.concat([Buffer.from(`${root}/bad`), Buffer.of(0xff)]), '');
  const { told } = await list(context, weights, { prepare });
  assert.deepEqual(told, ['error bad\ufffd: has gone, or its name is not valid Unicode']);
});

test('a .version that include names is refused, and left out silently otherwise', async (context) => {
  const files = { ...weights, '.version': '1.0.0\n' };
  assert.deepEqual((await list(context, files)).told, []);
  assert.deepEqual((await list(context, files, { include: ['*', '.*'] })).told, [
    'error .version: is a name that clients use for the installed version',
  ]);
});

test('Python files are left out with a warning, refused where include names them, and kept by allow_code', async (context) => {
  const files = { ...weights, 'train_script.py': '', 'sub/cache.pyc': '' };
  for (const include of [undefined, ['**']]) {
    const { paths, told } = await list(context, files, { include });
    assert.deepEqual(paths, ['model.safetensors']);
    assert.deepEqual(told, [
      'warning sub/cache.pyc: is code and is left out: no loader runs it',
      'warning train_script.py: is code and is left out: no loader runs it',
    ]);
  }
  assert.deepEqual((await list(context, files, { include: ['*.safetensors', '*.py'] })).told, [
    'error train_script.py: is code, and "include" names it',
  ]);
  assert.deepEqual((await list(context, files, { exclude: ['**/*.pyc', 'train_script.py'] })).told, []);
  const allowed = await list(context, files, { allowCode: true });
  assert.deepEqual(allowed.told, []);
  assert.deepEqual(allowed.paths, ['model.safetensors', 'sub/cache.pyc', 'train_script.py']);
});

test('what exclude matches is left out, whole folders without being walked, and a pattern without effect is told', async (context) => {
  const files = { ...weights, 'notes.txt': '', 'onnx/model.onnx': 'o', 'onnx/deep/x': '', 'b.json': '{}' };
  const prepare = (root: string): Promise<void> => symlink('nowhere', join(root, 'onnx/link'));
  const exclude = ['onnx/**', '*.txt', '*.pt'];
  const all = await list(context, files, { exclude, prepare });
  assert.deepEqual(all.paths, ['b.json', 'model.safetensors']);
  assert.deepEqual(all.told, ['warning .: no file matches "*.pt" of "exclude"']);
  const some = await list(context, files, { include: ['*.json', '*.txt', '*.safetensors'], exclude: ['*.txt'] });
  assert.deepEqual(some.paths, ['b.json', 'model.safetensors']);
});

const copy = 'is a pickle and is left out: the safetensors beside it are released';

test('pickles that are copies of the safetensors beside them, or states of a training, are left out with a warning', async (context) => {
  const files = {
    ...weights,
    'pytorch_model.bin': 'p',
    'optimizer.pt': 'p',
    'rng_state_0.pth': 'p',
    'openvino.bin': 'o',
    'openvino.xml': 'o',
    '2_Dense/pytorch_model.bin': 'p',
    '2_Dense/model.safetensors': 'w',
    'big/pytorch_model-00001-of-00002.bin': 'p',
    'big/model-00001-of-00003.safetensors': 'w',
    'open_clip_pytorch_model.bin': 'p',
    'open_clip_pytorch_model.safetensors': 'w',
  };
  for (const include of [undefined, ['**']]) {
    const { paths, told } = await list(context, files, { include });
    assert.deepEqual(
      paths.filter((path) => !path.endsWith('.safetensors')),
      ['openvino.bin', 'openvino.xml'],
    );
    const state = 'is a pickle and is left out: it is the state of a training, which no loader reads';
    assert.deepEqual(told, [
      `warning 2_Dense/pytorch_model.bin: ${copy}`,
      `warning big/pytorch_model-00001-of-00002.bin: ${copy}`,
      `warning open_clip_pytorch_model.bin: ${copy}`,
      `warning optimizer.pt: ${state}`,
      `warning pytorch_model.bin: ${copy}`,
      `warning rng_state_0.pth: ${state}`,
    ]);
  }
});

test('a pickle that is no copy is an error that says what would be lost, until exclude names it', async (context) => {
  const lost = 'is a pickle, which runs code when it is loaded, and no released file holds the same; lost without it: ';
  const files = {
    ...weights,
    '2_Dense/pytorch_model.bin': 'p',
    'colbert_linear.pt': 'p',
    'head.joblib': 'p',
    'model_head.pkl': 'p',
    'sparse_linear.pt': 'p',
  };
  const { told } = await list(context, files);
  assert.deepEqual(told, [
    `error 2_Dense/pytorch_model.bin: ${lost}the weights of 2_Dense`,
    `error colbert_linear.pt: ${lost}the head that makes a vector per token (multi-vector retrieval of BGE-M3)`,
    `error head.joblib: ${lost}what head.joblib holds`,
    `error model_head.pkl: ${lost}the classifier behind the embedding (SetFit's head)`,
    `error sparse_linear.pt: ${lost}the head that weighs words (sparse retrieval of BGE-M3)`,
  ]);
  const decided = await list(context, files, { exclude: ['*.pt', '*.pkl', '*.joblib', '2_Dense/pytorch_model.bin'] });
  assert.deepEqual(decided.told, []);
  assert.deepEqual(decided.paths, ['model.safetensors']);
  const alone = await list(context, { 'pytorch_model.bin': '', 'config.json': '{}' });
  assert.deepEqual(alone.told, [`error pytorch_model.bin: ${lost}the weights of the model`]);
});

test('pickles are refused where include names them', async (context) => {
  const named = await list(
    context,
    { ...weights, 'a.bin': '', 'b.pkl': '' },
    { include: ['*.safetensors', '*.bin', 'b.pkl'] },
  );
  assert.deepEqual(named.told, [
    'error a.bin: is a pickle, which runs code when it is loaded, and "include" names it',
    'error b.pkl: is a pickle, which runs code when it is loaded, and "include" names it',
  ]);
});

test('a hint that names a value is followed: the pattern or key that it writes ends the finding', async (context) => {
  const folder = await list(context, { ...weights, '1_Pooling/config.json': '{}' }, { include: ['*', '1_Pooling/'] });
  assert.deepEqual(folder.hints, ['Write "1_Pooling/**" for everything in the folder.']);
  const files = {
    ...weights,
    'README.md': '',
    'train.py': '',
    'optimizer.pt': '',
    'head.pkl': '',
    'pytorch_model.bin': '',
  };
  const first = await list(context, files, { include: ['*', '!README.md'] });
  const exclude = first.hints.flatMap((hint) => /"([^"]+)" in "exclude"/.exec(hint)?.[1] ?? []);
  assert.deepEqual(exclude.sort(), ['README.md', 'head.pkl', 'optimizer.pt', 'pytorch_model.bin', 'train.py']);
  const { paths, told } = await list(context, files, { include: ['*'], exclude });
  assert.deepEqual([paths, told], [['model.safetensors'], []]);
});

test('a source that is missing, empty or a file is told with the remedy', async (context) => {
  const { root } = await list(context, weights);
  const problems = async (path: string) => (await listSourceFiles({ model: 'tiny', root: path })).problems;
  assert.deepEqual(await problems(join(root, 'nowhere')), [
    {
      level: 'error',
      file: join(root, 'nowhere'),
      message: 'there is no such directory',
      hint: 'Check "source" in release.json.',
    },
  ]);
  assert.equal((await problems(join(root, 'model.safetensors')))[0]?.message, 'is not a directory');
  await mkdir(join(root, 'empty'));
  assert.equal((await problems(join(root, 'empty')))[0]?.message, 'has no file to release');
});

test('messages name the model where the path does not', async (context) => {
  const root = await temporaryDirectory(context);
  const { problems } = await listSourceFiles({ model: 'gte-large', root: join(root, 'nowhere') });
  assert.equal(problems[0]?.file, `${join(root, 'nowhere')} (model gte-large)`);
});

test('unreadable files and directories are told', {
  skip: process.getuid?.() === 0 || process.platform === 'win32',
}, async (context) => {
  const prepare = async (root: string): Promise<void> => {
    await chmod(join(root, 'secret.json'), 0);
    await chmod(join(root, 'locked'), 0);
    context.after(() => chmod(join(root, 'locked'), 0o755));
  };
  const { told } = await list(context, { ...weights, 'secret.json': '', 'locked/x': '' }, { prepare });
  assert.deepEqual(told, ["error locked: can't be read", "error secret.json: can't be read"]);
});

test('thousands of files are listed in time that grows with their number', async (context) => {
  const root = join(await temporaryDirectory(context), 'tiny');
  const listTime = async (): Promise<number> => {
    const start = performance.now();
    await listSourceFiles({ model: 'tiny', root, include: ['**/*'] });
    return performance.now() - start;
  };
  const write = async (folder: string, count: number): Promise<void> => {
    await mkdir(join(root, folder), { recursive: true });
    const write = (number: number): Promise<void> => writeFile(join(root, folder, `${number}.txt`), '');
    await mapConcurrently(Array.from({ length: count }).keys(), 32, write);
  };
  await write('a', 250);
  await listTime();
  const small = await listTime();
  await write('b', 1750);
  const large = await listTime();
  assert.ok(large < 8 * small * 4 + 300, `250 files: ${small} ms, 2,000 files: ${large} ms`);
});

test('more files than a model may have are refused', async (context) => {
  const prepare = async (root: string): Promise<void> => {
    // 101 folders that are one.
    for (let number = 1; number <= 100; number++) await symlink('folder', join(root, `link-${number}`));
  };
  const files = Object.fromEntries(Array.from({ length: limits.filesPerModel / 100 }, (_, n) => [`folder/${n}`, '']));
  assert.deepEqual((await list(context, files, { followLinks: true, prepare })).told, [
    `error .: has more than ${limits.filesPerModel} files to release`,
  ]);
});

test('of a fault that thousands of files have, the first ones are told and the others counted', async (context) => {
  const files = Object.fromEntries(Array.from({ length: 50 }, (_, number) => [`code-${number}.py`, '']));
  const { told } = await list(context, { ...weights, ...files });
  assert.equal(told.length, 21);
  assert.equal(told.at(-1), 'warning .: 30 more of the kind above');
});
