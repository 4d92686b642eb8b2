import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string): Promise<string> => readFile(root + path, 'utf8');

test('packages, issue templates and security policy lead to the repository that releases the models', async () => {
  const { github } = JSON.parse(await read('manifests/release.json'));
  const own = `https://github.com/${github.repository}`;
  const { homepage, bugs, repository } = JSON.parse(await read('package.json'));
  assert.deepEqual([homepage, bugs, repository.url], [`${own}#readme`, `${own}/issues`, `git+${own}.git`]);
  for (const path of ['SECURITY.md', '.github/ISSUE_TEMPLATE/config.yml'])
    assert.ok((await read(path)).includes(`${own}/security/advisories/new`), path);
});

test('one Node is meant everywhere: by .nvmrc, the workflows and the development dependencies', async () => {
  const major = (await read('.nvmrc')).trim();
  const { devDependencies } = JSON.parse(await read('package.json'));
  assert.ok(devDependencies.node.startsWith(`^${major}.`));
  for (const name of ['ci', 'drift', 'check-models', 'release-models', 'release-packages'])
    assert.match(await read(`.github/workflows/${name}.yml`), new RegExp(`node-version: ${major}$`, 'm'));
});

test('lines of comments wrap at 100 columns', async () => {
  const long: string[] = [];
  for (const room of ['src', 'scripts', 'test'])
    for (const file of await readdir(root + room, { recursive: true })) {
      if (!file.endsWith('.ts')) continue;
      const lines = (await read(`${room}/${file}`)).split('\n');
      // A layout of bytes, written as an indented block, stays on its line.
      const isLong = (line: string): boolean => line.length > 100 && /^\s*(\/\/ |\/\*| \* {1,3}\S)/.test(line);
      long.push(...lines.filter(isLong).map((line) => `${room}/${file}: ${line}`));
    }
  assert.deepEqual(long, []);
});
