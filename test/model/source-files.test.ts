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
): Promise<{ readonly paths: readonly string[]; readonly told: readonly string[]; readonly root: string }> {
  const { prepare, ...rest } = options;
  const root = join(await temporaryDirectory(context), 'tiny');
  await mkdir(root);
  await writeFiles(root, files);
  await prepare?.(root);
  const listed = await listSourceFiles({ model: 'tiny', root, ...rest });
  return { root, paths: listed.files.map(({ path }) => path), told: told({ root, problems: listed.problems }) };
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
    'warning .: no file matches "!README.md" of "include": patterns say what is taken, none says what is not',
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

test('Python files are refused unless the model allows code', async (context) => {
  const files = { ...weights, 'modeling.py': '', 'sub/cache.pyc': '' };
  assert.deepEqual((await list(context, files)).told, [
    'error modeling.py: is code that a loader may run',
    'error sub/cache.pyc: is code that a loader may run',
  ]);
  const allowed = await list(context, files, { allowCode: true });
  assert.deepEqual(allowed.told, []);
  assert.deepEqual(allowed.paths, ['model.safetensors', 'modeling.py', 'sub/cache.pyc']);
});

test('pickles beside safetensors are left out with a warning, also where a pattern matches them by chance', async (context) => {
  const files = { ...weights, 'pytorch_model.bin': 'p', 'optimizer.pt': 'p', 'openvino.bin': 'o', 'openvino.xml': 'o' };
  for (const include of [undefined, ['*']]) {
    const { paths, told } = await list(context, files, { include });
    assert.deepEqual(paths, ['model.safetensors', 'openvino.bin', 'openvino.xml']);
    assert.deepEqual(told, [
      'warning optimizer.pt: is a pickle and is left out: the safetensors are released',
      'warning pytorch_model.bin: is a pickle and is left out: the safetensors are released',
    ]);
  }
});

test('pickles are refused where include names them, and where there are no safetensors', async (context) => {
  const named = await list(
    context,
    { ...weights, 'a.bin': '', 'b.pkl': '' },
    { include: ['*.safetensors', '*.bin', 'b.pkl'] },
  );
  assert.deepEqual(named.told, [
    'error a.bin: is a pickle, which runs code when it is loaded, and "include" names it',
    'error b.pkl: is a pickle, which runs code when it is loaded, and "include" names it',
  ]);
  const others = { ...weights, 'head.joblib': '', 'words.pickle': '' };
  assert.deepEqual((await list(context, others)).told, [
    'warning head.joblib: is a pickle and is left out: the safetensors are released',
    'warning words.pickle: is a pickle and is left out: the safetensors are released',
  ]);
  assert.deepEqual((await list(context, { 'model.ckpt': '', 'config.json': '{}' })).told, [
    'error model.ckpt: is a pickle, which runs code when it is loaded, and there are no safetensors',
  ]);
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
  assert.equal(told.at(-1), 'error .: 30 more of the kind above');
});
