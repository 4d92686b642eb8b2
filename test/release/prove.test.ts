import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import type { AircherError } from '../../src/core/errors.ts';
import { sha256 } from '../../src/core/hashing.ts';
import { runCommand } from '../../src/core/run-command.ts';
import { requirePackRecord } from '../../src/release/pack/pack-record.ts';
import { requireProof } from '../../src/release/prove/proof.ts';
import { createReleaseWorkspace, type ReleaseWorkspace } from '../fixtures/release-workspace.ts';
import { insideOf } from './vectors-scene.ts';

const skip = process.platform === 'win32' && 'process groups and shell scripts';

async function packed(t: TestContext, check?: readonly string[]): Promise<ReleaseWorkspace> {
  const workspace = await createReleaseWorkspace(t);
  await workspace.configure(check ? { check } : {});
  for (const step of ['plan', 'pack']) await workspace.json([step]);
  return workspace;
}

async function fails(workspace: ReleaseWorkspace, step: string, exitCode: number, said: RegExp): Promise<void> {
  const result = await workspace.run([step]);
  assert.equal(result.exitCode, exitCode, result.stderr);
  assert.match(result.stderr, said);
  assert.match(result.stderr, /^ *hint: /m);
}

/**
 * Whether a process with this id runs: one that was killed and that nobody has waited for doesn't.
 */
async function runs(pid: number): Promise<boolean> {
  const { stdout } = await execa('ps', ['-o', 'stat=', '-p', String(pid)], { reject: false });
  return stdout.trim() !== '' && !stdout.trim().startsWith('Z');
}

describe('prove', () => {
  it('gives the check what was packed, unpacked by its index, and writes a proof of it', { skip }, async (t) => {
    const check = ['sh', '-c', 'cp -R "$MODEL_DIR" "seen-$MODEL_NAME-$MODEL_VERSION"'];
    const workspace = await packed(t, check);
    assert.deepEqual(((await workspace.json(['prove'])) as { check: unknown }).check, check);
    const digests = async (directory: string) => {
      const entries = await readdir(workspace.path(directory), { recursive: true, withFileTypes: true });
      const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
      return await Promise.all(paths.sort().map(async (path) => sha256(await readFile(path))));
    };
    for (const model of ['alpha', 'beta']) {
      assert.deepEqual(await digests(`seen-${model}-1.0.0`), await digests(`models/${model}`));
      const { archive } = (await workspace.readJson(`release/${model}.pack.json`)) as { archive: { sha256: string } };
      const { archive_sha256, check } = (await workspace.readJson(`release/${model}.proof.json`)) as {
        archive_sha256: string;
        check: string[];
      };
      assert.equal(archive_sha256, archive.sha256);
      assert.equal(check[0], 'sh');
    }
    assert.deepEqual(
      (await readdir(workspace.path('release'))).filter((name) => name.startsWith('.')),
      [],
    );
  });

  it('a check that fails stops the release with what it said, takes the proof away, and nothing goes on without one', async (t) => {
    const workspace = await packed(t);
    await workspace.json(['prove']);
    await workspace.configure({ check: [process.execPath, '-e', 'console.error("wrong vectors"); process.exit(9)'] });
    await workspace.json(['plan']);
    await fails(workspace, 'manifest', 3, /alpha\.proof\.json is not of alpha 1\.0\.0 as it is packed and checked now/);
    await fails(workspace, 'prove', 3, /the check of alpha 1\.0\.0 failed \(exit code 9\):\n.*wrong vectors/);
    await fails(workspace, 'manifest', 3, /alpha\.proof\.json is not there: alpha is not proved/);
    await fails(workspace, 'release', 3, /the check of alpha 1\.0\.0 failed/);
    await assert.rejects(readdir(workspace.path('mirror')), { code: 'ENOENT' });
  });

  it('an archive or index that is not what was packed is damage, and named', async (t) => {
    const workspace = await packed(t);
    const archive = workspace.path('release/alpha.tar.gz');
    const bytes = await readFile(archive);
    const broken = Buffer.from(bytes);
    broken[broken.length >> 1]! ^= 1;
    await writeFile(archive, broken);
    await fails(workspace, 'prove', 4, /alpha\.tar\.gz/);
    await writeFile(archive, bytes);
    const index = workspace.path('release/alpha.tar.gz.index.json');
    await writeFile(index, (await readFile(index, 'utf8')).replace('"index_version": 1', '"index_version":  1'));
    await fails(workspace, 'prove', 4, /alpha\.tar\.gz\.index\.json is not what was packed/);
    await rm(workspace.path('release/alpha.pack.json'));
    await fails(workspace, 'prove', 3, /alpha is not packed/);
  });

  it('believes no proof but the one of this archive and this check, whatever stands in its place', async (t) => {
    const workspace = await packed(t);
    await workspace.json(['prove']);
    const path = workspace.path('release/alpha.proof.json');
    const here = insideOf(workspace);
    const record = await requirePackRecord('alpha', '1.0.0', here);
    const refused = async (said: RegExp): Promise<void> =>
      await assert.rejects(
        requireProof(record, { check: undefined, reference: undefined }, here),
        (error: AircherError) => {
          assert.equal(error.code, 'invalid');
          assert.match(error.message, said);
          assert.match(error.hint ?? '', /aircher-models prove --model alpha/);
          return true;
        },
      );
    await requireProof(record, { check: undefined, reference: undefined }, here);
    const good = await readFile(path, 'utf8');
    const proof = JSON.parse(good);
    for (const [content, said] of [
      ['', /alpha\.proof\.json/],
      ['\0'.repeat(100), /alpha\.proof\.json/],
      ['['.repeat(60_000), /alpha\.proof\.json/],
      [good.replace('{', '{ "version": "9.9.9",'), /the key "version"/],
      [JSON.stringify({ ...proof, download_urls: {} }), /is not a proof of this version/],
      [JSON.stringify({ ...proof, proof_version: 2 }), /is not a proof of this version/],
      [JSON.stringify({ ...proof, model: 'beta' }), /is not of alpha 1\.0\.0/],
      [JSON.stringify({ ...proof, version: '1.0.1' }), /is not of alpha 1\.0\.0/],
      [JSON.stringify({ ...proof, archive_sha256: '0'.repeat(64) }), /is not of alpha 1\.0\.0/],
      [JSON.stringify({ ...proof, check: ['true'] }), /is not of alpha 1\.0\.0/],
      [`${good}${' '.repeat(70_000)}`, /is more than the limit of 65536/],
    ] as const) {
      await writeFile(path, content);
      await refused(said);
    }
    // 300 GB that take no space: refused by size, not read.
    await truncate(path, 300e9);
    await refused(/300000000000 bytes is more than the limit/);
    await rm(path);
    await mkdir(path);
    await refused(/alpha\.proof\.json is not there/);
    if (process.platform !== 'win32') {
      await rm(path, { recursive: true });
      await execa('mkfifo', [path]);
      await refused(/alpha\.proof\.json is not there/);
    }
    await workspace.json(['prove']);
    await workspace.json(['manifest']);
  });
});

describe('the check command', { skip }, () => {
  // Each of these would otherwise never end; none ends because time passes.
  const timeout = 120_000;
  const run = async (directory: string, script: string, options: { limitMs?: number; signal?: AbortSignal } = {}) =>
    await runCommand(['bash', '-c', script], {
      directory,
      environment: { PATH: process.env.PATH ?? '' },
      limitMs: options.limitMs ?? timeout,
      signal: options.signal,
    });
  const leftBehind = async (workspace: ReleaseWorkspace): Promise<number> =>
    Number(await readFile(workspace.path('left'), 'utf8'));

  it('a process that it leaves behind ends with it, and holds up no release', { timeout }, async (t) => {
    const workspace = await packed(t, ['bash', '-c', 'sleep 1000 & echo $! > left']);
    await workspace.json(['prove']);
    assert.equal(await runs(await leftBehind(workspace)), false);
  });

  it('even one that left its process group and holds the output open is not waited for', { timeout }, async (t) => {
    const workspace = await createReleaseWorkspace(t);
    const script =
      'setsid bash -c "echo \\$\\$ > left; exec sleep 1000" & until [ -s left ]; do sleep 0.05; done; echo bad; exit 4';
    const result = await run(workspace.directory, script);
    process.kill(await leftBehind(workspace), 'SIGKILL');
    assert.deepEqual([result.failure, result.said], ['exit code 4', 'bad']);
  });

  it('one that never ends is ended with all that it started, at its limit or when the release is interrupted', {
    timeout,
  }, async (t) => {
    const workspace = await createReleaseWorkspace(t);
    const script = 'sleep 1000 & echo $! > left; echo begun; wait';
    const late = await run(workspace.directory, script, { limitMs: 2000 });
    assert.deepEqual([late.failure, late.said], ['not done after 2 s', 'begun']);
    assert.equal(await runs(await leftBehind(workspace)), false);

    await rm(workspace.path('left'));
    const interruption = new AbortController();
    const running = run(workspace.directory, script, { signal: interruption.signal });
    while ((await readFile(workspace.path('left'), 'utf8').catch(() => '')) === '') await delay(20);
    interruption.abort(new Error('Ctrl-C'));
    await assert.rejects(running, /Ctrl-C/);
    assert.equal(await runs(await leftBehind(workspace)), false);
  });

  it('one that prints without end is heard to its last lines, in bounded memory', { timeout }, async (t) => {
    const workspace = await createReleaseWorkspace(t);
    const before = process.memoryUsage().rss;
    const { failure, said } = await run(workspace.directory, 'yes | head -c 300000000; echo the end; exit 1');
    assert.equal(failure, 'exit code 1');
    assert.match(said, /^(y\n){9}the end$/);
    assert.ok(process.memoryUsage().rss - before < 200e6);
  });
});
