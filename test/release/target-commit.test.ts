import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { readEnvironment } from '../../src/cli/read-environment.ts';
import type { ReleaseConfig } from '../../src/contract/release-config.ts';
import { findTargetCommit } from '../../src/release/publish/target-commit.ts';

const config = { github: { repository: 'acme/models' } } as ReleaseConfig;

test("GitHub's tag names the job's commit, else a pushed HEAD, and nothing that GitHub doesn't have", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'aircher-commit-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  await mkdir(join(directory, 'work/manifests'), { recursive: true });
  const work = join(directory, 'work');
  const git = async (...args: readonly string[]): Promise<string> => {
    const identity = ['-c', 'user.name=t', '-c', 'user.email=t@example.org', '-c', 'init.defaultBranch=main'];
    return (await execa('git', [...identity, ...args], { cwd: work })).stdout;
  };
  const find = (env: Readonly<Record<string, string>> = {}) =>
    findTargetCommit(config, {
      configFile: 'manifests/release.json',
      out: join(work, 'release'),
      directory: work,
      environment: readEnvironment({ PATH: process.env.PATH, HOME: directory, ...env }),
      offline: false,
      models: undefined,
    });
  assert.equal(await find(), undefined, 'outside git');
  await git('init', '-q');
  await git('commit', '-q', '--allow-empty', '-m', 'one');
  await git('remote', 'add', 'origin', 'https://github.com/acme/models.git');
  assert.equal(await find(), undefined, 'not pushed');
  // What a push leaves behind: the remote's branch as git last saw it.
  await git('update-ref', 'refs/remotes/origin/main', 'HEAD');
  assert.equal(await find(), await git('rev-parse', 'HEAD'));
  await git('commit', '-q', '--allow-empty', '-m', 'two');
  assert.equal(await find(), undefined, 'HEAD is ahead of what was pushed');
  const job = { GITHUB_SHA: 'a'.repeat(40), GITHUB_REPOSITORY: 'acme/models' };
  assert.equal(await find(job), 'a'.repeat(40));
  assert.equal(await find({ ...job, GITHUB_REPOSITORY: 'acme/other' }), undefined, "another repository's job");
});
