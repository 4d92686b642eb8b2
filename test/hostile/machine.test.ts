import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, rmdir, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { parseManifest } from '../../src/contract/manifest.ts';
import { filePathFault } from '../../src/contract/names.ts';
import { formatError, formatWarning } from '../../src/core/error-text.ts';
import { invalidError, toAircherError } from '../../src/core/errors.ts';
import { createWorld } from '../fetch/world.ts';

/** What a machine refuses, a terminal that is gone, and names that no machine should hold. */

const skip = process.platform === 'win32' && 'needs a POSIX shell';
const shell = (line: string, env: Record<string, string> = {}) =>
  execa('sh', ['-c', line], { reject: false, extendEnv: false, env: { PATH: process.env.PATH ?? '', ...env } });
const program = (name: string): string =>
  `'${process.execPath}' '${fileURLToPath(new URL(`../../src/${name}`, import.meta.url))}'`;

const printing = [
  `${program('cli.ts')} --help`,
  `${program('cli.ts')} --no-such`,
  `${program('cli.ts')} model --help`,
  `${program('fetch-cli.ts')} model --help`,
];

describe('output that can’t be written', { skip, concurrency: 2 }, () => {
  for (const command of printing) {
    const name = command.replace(/.*\/src\//, '').replace("'", '');
    it(`${name}: a reader that has gone is no fault, and nothing is said of it`, async () => {
      // The program begins to write when nobody reads any more.
      const { stdout, stderr } = await shell(`{ sleep 0.3; ${command} 2>/dev/null; echo $? >&2; } | true`);
      const alone = await shell(`${command} >/dev/null 2>&1; echo $?`);
      assert.deepEqual([stdout, stderr], ['', alone.stdout]);
    });
  }

  for (const command of printing.filter((line) => !line.includes('--no-such'))) {
    const name = command.replace(/.*\/src\//, '').replace("'", '');
    it(`${name}: a full disk under stdout is exit 7; under stderr nothing can be said`, {
      skip: process.platform !== 'linux' && 'needs /dev/full',
    }, async () => {
      const full = await shell(`${command} > /dev/full`);
      assert.equal(full.exitCode, 7);
      assert.match(full.stderr, /^error: stdout can't be written: ENOSPC.*\nhint: Free some disk space.*$/);
      assert.equal((await shell(`${command} > /dev/null 2> /dev/full`)).exitCode, 0);
      assert.equal((await shell(`${command} >&- 2>&-`)).exitCode, 0);
    });
  }
});

test('a limit of file sizes and a path that is too long are exit 7 with a remedy', { skip }, async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  const install = `${program('fetch-cli.ts')} model install alpha --manifest ${world.manifestUrl}`;
  const limited = await shell(`ulimit -f 200; exec ${install}`, { AIRCHER_CACHE_DIR: world.cache });
  assert.deepEqual([limited.exitCode, /EFBIG/.test(limited.stderr)], [7, true], limited.stderr);
  assert.match(limited.stderr, /hint: .*ulimit -f/);
  const long = await shell(`exec ${install}`, { AIRCHER_CACHE_DIR: world.path('x'.repeat(3000)) });
  assert.deepEqual([long.exitCode, /ENAMETOOLONG/.test(long.stderr)], [7, true], long.stderr);
  assert.match(long.stderr, /hint: .*shorter path/);
  assert.ok(long.stderr.length < 1000, long.stderr);
});

test('errors of the file system are the machine’s, not a bug', { skip }, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'aircher-machine-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  await symlink('circle', join(directory, 'circle'));
  await mkdir(join(directory, 'a/b'), { recursive: true });
  const faults: readonly (readonly [string, () => Promise<unknown>])[] = [
    ['ENOENT', () => mkdtemp(join(directory, 'no/such/place-'))],
    ['ELOOP', () => writeFile(join(directory, 'circle'), '')],
    ['ENAMETOOLONG', () => writeFile(join(directory, 'x'.repeat(300)), '')],
    ['EISDIR', () => writeFile(directory, '')],
    ['ENOTEMPTY', () => rmdir(join(directory, 'a'))],
  ];
  for (const [code, fault] of faults) {
    const error = toAircherError(
      await fault().then(
        () => undefined,
        (thrown: unknown) => thrown,
      ),
    );
    assert.deepEqual([error.code, error.details.system], ['machine', code]);
    assert.doesNotMatch(error.hint ?? '', /bug/);
  }
});

test('names with characters that steer a screen are refused, and named readably', () => {
  const refused = ['\u0080', '\u0085', '\u009b', '\u061c', '\u200e', '\u200f', '\u2028', '\u2029', '\u202a', '\u202e'];
  for (const character of [...refused, '\u2066', '\u2069']) {
    const fault = filePathFault(`a${character}b`);
    assert.ok(fault?.includes(`\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`), fault);
    assert.ok(!fault?.includes(character));
  }
  for (const name of ['é', 'שלום', 'سلام', '模型', 'a b', 'क्ष', 'x\u200dy'])
    assert.equal(filePathFault(name), undefined, name);
});

test('however long a path, a key or a message is, what is printed of it can be read', () => {
  const digest = '0'.repeat(64);
  const manifest = (path: string, key = 'x') => ({
    manifest_version: '1.0.0',
    models: {
      alpha: {
        version: '1.0.0',
        [key]: 1,
        size_bytes: 1,
        sha256: digest,
        download_urls: {},
        files: [{ path, size_bytes: 1, sha256: digest }],
      },
    },
  });
  for (const path of ['x'.repeat(6000), 'x '.repeat(3000), `${'d/'.repeat(3000)}x`]) {
    const bytes = Buffer.from(JSON.stringify(manifest(path, 'k'.repeat(6000))));
    let thrown: unknown;
    try {
      parseManifest(bytes, 'manifest.json');
    } catch (error) {
      thrown = error;
    }
    const lines = formatError(toAircherError(thrown));
    assert.ok(
      lines.some((line) => line.includes('longer than 1024 bytes')),
      lines.join('\n').slice(0, 2000),
    );
    for (const line of lines) assert.ok(line.length < 1200, line);
  }
  const long = `/${'y'.repeat(6000)}`;
  for (const [line = ''] of [
    formatError(invalidError(`${long} is missing`)),
    formatWarning({ level: 'warning', file: long, message: 'is odd' }),
  ]) {
    assert.ok(line.length < 500, line);
    assert.match(line, /y … y.*(missing|odd)/);
  }
});
