import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import * as tar from 'tar';
import { sha256 } from '../../src/core/hashing.ts';
import {
  collect,
  formats,
  hasProgram,
  packTree,
  sampleTree,
  sourceFiles,
  type Tree,
  temporaryDirectory,
  writeTree,
} from './fixtures.ts';

/** What other programs must find in the archives. */
const tree: Tree = sampleTree();

async function packedSample(context: TestContext): Promise<string> {
  const directory = await temporaryDirectory(context);
  await writeTree(join(directory, 'tree'), tree);
  for (const format of formats) await packTree(join(directory, 'tree'), format, join(directory, `sample.${format}`));
  return directory;
}

function run(
  program: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly input?: Buffer },
): string {
  const result = spawnSync(program, args, {
    ...options,
    maxBuffer: 1 << 28,
    env: { ...process.env, LC_ALL: 'C.UTF-8' },
  });
  assert.equal(result.status, 0, `${program} ${args.join(' ')}: ${result.stderr}`);
  assert.equal(result.stderr.toString(), '', `${program} warns`);
  return result.stdout.toString();
}

async function assertExtracted(directory: string): Promise<void> {
  const files = await sourceFiles(join(directory, 'sample'));
  assert.deepEqual(files.map(({ path }) => path).sort(), Object.keys(tree).sort());
  for (const { path, absolutePath } of files) {
    assert.equal(sha256(await readFile(absolutePath)), sha256(tree[path] ?? ''), path);
  }
}

for (const [program, listing] of [
  ['tar', ['--version']],
  ['bsdtar', ['--version']],
] as const) {
  test(`${program} extracts every format`, async (context) => {
    if (!hasProgram(context, program, listing)) return;
    const directory = await packedSample(context);
    for (const format of formats) {
      if (format === 'tar.zst' && !hasProgram(context, 'zstd')) continue;
      const target = join(directory, `${program}-${format}`);
      await mkdir(target);
      run(program, ['-xf', join(directory, `sample.${format}`)], { cwd: target });
      await assertExtracted(target);
    }
  });
}

test('gzip -t and zstd -t accept the archives, and unpack them to the plain tar', async (context) => {
  const directory = await packedSample(context);
  const plain = await readFile(join(directory, 'sample.tar'));
  for (const [program, name] of [
    ['gzip', 'sample.tar.gz'],
    ['zstd', 'sample.tar.zst'],
  ] as const) {
    if (!hasProgram(context, program)) continue;
    run(program, ['-q', '-t', name], { cwd: directory });
    const unpacked = spawnSync(program, ['-dc', name], { cwd: directory, maxBuffer: 1 << 28 });
    assert.equal(sha256(unpacked.stdout), sha256(plain), program);
  }
});

test('sha256sum -c agrees with the digests of the index', async (context) => {
  if (!hasProgram(context, 'sha256sum')) return;
  const directory = await packedSample(context);
  const target = join(directory, 'out');
  await mkdir(target);
  await tar.extract({ file: join(directory, 'sample.tar.gz'), cwd: target });
  const index = JSON.parse(await readFile(join(directory, 'sample.tar.gz.index.json'), 'utf8')) as {
    readonly files: readonly { readonly path: string; readonly sha256: string }[];
  };
  await writeFile(join(directory, 'sums'), index.files.map((file) => `${file.sha256}  sample/${file.path}\n`).join(''));
  run('sha256sum', ['--quiet', '-c', join(directory, 'sums')], { cwd: target });
});

test("Python's tarfile reads tar.gz and tar, seeking and streaming", async (context) => {
  if (!hasProgram(context, 'python3')) return;
  const directory = await packedSample(context);
  const script = `
import hashlib, json, sys, tarfile
found = {}
with tarfile.open(sys.argv[1], sys.argv[2]) as archive:
    for member in archive:
        assert member.isdir() or member.isreg(), member.name
        assert (member.uid, member.gid, member.uname, member.gname, member.mtime) == (0, 0, '', '', 499162500)
        assert member.mode == (0o755 if member.isdir() else 0o644)
        if member.isreg():
            found[member.name] = hashlib.sha256(archive.extractfile(member).read()).hexdigest()
print(json.dumps(found))
`;
  const expected = Object.fromEntries(
    Object.entries(tree).map(([path, content]) => [`sample/${path}`, sha256(content)]),
  );
  for (const [name, mode] of [
    ['sample.tar.gz', 'r:gz'],
    ['sample.tar.gz', 'r|gz'],
    ['sample.tar', 'r:'],
    ['sample.tar', 'r|'],
  ] as const) {
    const found: unknown = JSON.parse(run('python3', ['-c', script, name, mode], { cwd: directory }));
    assert.deepEqual(found, expected, `${name} ${mode}`);
  }
});

test('node-tar extracts tar.gz and tar', async (context) => {
  const directory = await packedSample(context);
  for (const format of ['tar.gz', 'tar'] as const) {
    const target = join(directory, `node-${format}`);
    await mkdir(target);
    await tar.extract({ file: join(directory, `sample.${format}`), cwd: target, strict: true });
    await assertExtracted(target);
  }
});

test("the web's DecompressionStream unpacks tar.gz", async (context) => {
  const directory = await packedSample(context);
  const stream = Readable.toWeb(createReadStream(join(directory, 'sample.tar.gz'))) as ReadableStream;
  const unpacked = await collect(stream.pipeThrough(new DecompressionStream('gzip')) as AsyncIterable<Uint8Array>);
  assert.equal(sha256(unpacked), sha256(await readFile(join(directory, 'sample.tar'))));
});

test('entries stand in byte order of their full paths, directories with their final slash', async (context) => {
  const directory = await packedSample(context);
  const names: string[] = [];
  await tar.list({ file: join(directory, 'sample.tar'), onReadEntry: (entry) => void names.push(entry.path) });
  assert.deepEqual(
    names,
    [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
  );
  assert.ok(names.indexOf('sample/a-b/file.txt') < names.indexOf('sample/a/'));
  const directories = names.filter((name) => name.endsWith('/'));
  assert.equal(directories[0], 'sample/');
  assert.ok(directories.includes('sample/übung/'));
  assert.ok(directories.some((name) => name.length > 100));
});

test('every byte of a gzip is in a chunk but the ten first and ten last, which are as the format says', async (context) => {
  const directory = await packedSample(context);
  const bytes = await readFile(join(directory, 'sample.tar.gz'));
  assert.equal(bytes.subarray(0, 10).toString('hex'), '1f8b08000000000000ff');
  assert.equal(bytes.subarray(-10, -8).toString('hex'), '0300');
  const plain = await readFile(join(directory, 'sample.tar'));
  assert.equal(bytes.readUInt32LE(bytes.length - 4), plain.length);
});
