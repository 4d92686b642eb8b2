import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmod, readdir, readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { parseSecretKey } from '../../src/trust/secret-key.ts';
import { createReleaseWorkspace } from '../fixtures/release-workspace.ts';

const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));
/** util-linux: runs a command on a terminal of its own, whose keyboard is standard input. */
const skip = spawnSync('script', ['--version']).status !== 0 && 'the program script (util-linux) is not installed';

/**
 * Runs keygen on a terminal, types these lines, each after the question that it answers; answers
 * with all that is seen.
 */
async function keygenOnTerminal(directory: string, answers: readonly string[]) {
  const command = `'${process.execPath}' '${cli}' keygen --key-dir keys`;
  const run = execa('script', ['-qec', command, '/dev/null'], {
    cwd: directory,
    env: { AIRCHER_SIGNING_PASSWORD: undefined },
    reject: false,
    all: true,
  });
  let seen = '';
  const left = [...answers];
  run.all.on('data', (piece: Buffer) => {
    seen += piece.toString();
    const asked = answers.length - left.length;
    if ((seen.match(/key: |again: /g) ?? []).length > asked) run.stdin.write(left.shift() ?? '\u0003');
  });
  const { exitCode } = await run;
  return { seen, exitCode };
}

describe('keygen on a terminal', { skip }, () => {
  it('asks for a password twice, shows it at no time, and encrypts the key with it', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    const { seen, exitCode } = await keygenOnTerminal(workspace.directory, ['correct horse\r', 'correct horse\r']);
    assert.equal(exitCode, 0, seen);
    assert.match(seen, /Password for the new key: [\s\S]*The same again: [\s\S]*secret key /);
    assert.doesNotMatch(seen, /horse/);
    const text = await readFile(workspace.path('keys/aircher.key'), 'utf8');
    await assert.rejects(parseSecretKey(text, { password: 'wrong' }), { code: 'conflict' });
    assert.equal((await parseSecretKey(text, { password: 'correct horse' })).seed.length, 32);
  });

  it('makes no key where the two differ, where it is empty, and where it is interrupted', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    const differ = await keygenOnTerminal(workspace.directory, ['one\r', 'two\r']);
    assert.equal(differ.exitCode, 2);
    assert.match(differ.seen, /error: the two passwords differ\r?\nhint: Run keygen again/);
    const empty = await keygenOnTerminal(workspace.directory, ['\r']);
    assert.equal(empty.exitCode, 2);
    assert.match(empty.seen, /error: the password is empty\r?\nhint: .*--no-password/);
    assert.equal((await keygenOnTerminal(workspace.directory, ['o\u0003'])).exitCode, 130);
    assert.ok(!(await readdir(workspace.directory)).includes('keys'));
  });
});

describe('keygen without a terminal', () => {
  it('takes the password from AIRCHER_SIGNING_PASSWORD, none where that is asked for, and else refuses', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    const refused = await workspace.run(['keygen', '--key-dir', 'a']);
    assert.equal(refused.exitCode, 2);
    assert.match(refused.stderr, /no terminal to ask on\nhint: Set AIRCHER_SIGNING_PASSWORD, or .* --no-password/);
    const env = { AIRCHER_SIGNING_PASSWORD: 'pw' };
    assert.equal((await workspace.run(['keygen', '--key-dir', 'b'], { env })).exitCode, 0);
    assert.match(await readFile(workspace.path('b/aircher.key'), 'utf8'), /minisign encrypted secret key/);
    assert.equal((await workspace.run(['keygen', '--key-dir', 'c', '--no-password'])).exitCode, 0);
    assert.match(await readFile(workspace.path('c/aircher.key'), 'utf8'), /minisign unencrypted secret key/);
  });
});

describe('a key file that others may read', {
  skip: process.platform === 'win32' && 'Windows has no such bits',
}, () => {
  it('is a warning when it is used, with what to do, and signs all the same', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    const made = (await workspace.json(['keygen', '--key-dir', 'keys', '--no-password'])) as { public_key: string };
    await workspace.configure({ signing: { public_keys: [made.public_key] } });
    for (const step of ['plan', 'pack', 'prove', 'manifest', 'checksums']) await workspace.run([step]);
    const env = { AIRCHER_SIGNING_KEY: 'keys/aircher.key' };
    const sign = async (mode: number) => {
      await chmod(workspace.path('keys/aircher.key'), mode);
      await execa('rm', ['-f', workspace.path('release/manifest.json.minisig')]);
      const { stderr, exitCode } = await workspace.run(['sign'], { env });
      assert.equal(exitCode, 0, stderr);
      return stderr;
    };
    assert.equal(await sign(0o600), '');
    assert.equal(await sign(0o400), '');
    for (const mode of [0o640, 0o604, 0o620, 0o644]) {
      assert.match(
        await sign(mode),
        /^warning: keys\/aircher\.key: others .* \(mode 06\d\d\)\nhint: Run: chmod 600 keys\/aircher\.key$/,
      );
    }
  });
});
