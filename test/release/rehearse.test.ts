import assert from 'node:assert/strict';
import { readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { parseManifest } from '../../src/contract/manifest.ts';
import { namedFaults, parseFault, rulesOf } from '../../src/release/rehearse/named-faults.ts';
import { createReleaseWorkspace, modelConfig, type ReleaseWorkspace } from '../fixtures/release-workspace.ts';
import { embed } from './vectors-scene.ts';

const everywhere = {
  github: { repository: 'acme/models' },
  huggingface: { repository: 'acme/models', raw_files: true },
  mirror: { base_url: 'https://models.example.org/test', directory: 'mirror' },
  // alpha goes to GitHub first, beta to the Hub.
  routing: { large_model_bytes: 150_000 },
};

interface Report {
  readonly ok: boolean;
  readonly faults: readonly { readonly name: string; readonly hits: number }[];
  readonly differences: readonly string[];
  readonly directory?: string;
  readonly installs: readonly {
    readonly name: string;
    readonly version: string;
    readonly mirrors: readonly { readonly mirror: string; readonly bytes: number; readonly set_aside?: string }[];
  }[];
  readonly install_traffic: readonly { readonly host: string; readonly requests: number }[];
  readonly failure?: { readonly during: string; readonly message: string };
}

async function workspaceFor(
  t: TestContext,
  changes: Readonly<Record<string, unknown>> = {},
): Promise<ReleaseWorkspace> {
  const workspace = await createReleaseWorkspace(t);
  await workspace.writeModel('beta', { seed: 2, hidden: 48 });
  await workspace.configure({ ...everywhere, ...changes });
  return workspace;
}

async function rehearse(
  workspace: ReleaseWorkspace,
  ...args: readonly string[]
): Promise<{ readonly exitCode: number | undefined; readonly report: Report; readonly stderr: string }> {
  const { exitCode, stdout, stderr } = await workspace.run(['rehearse', '--json', ...args]);
  return { exitCode, report: JSON.parse(stdout) as Report, stderr };
}

/** The mirror that gave most of a model. */
function giver(report: Report, model: string): string | undefined {
  const mirrors = report.installs.find(({ name }) => name === model)?.mirrors ?? [];
  return [...mirrors].sort((a, b) => b.bytes - a.bytes)[0]?.mirror;
}

describe('rehearse', () => {
  it('makes reference vectors too, on all hosts, and says that a kept space is not measured', async (t) => {
    const workspace = await workspaceFor(t);
    const reference = { command: embed() };
    await workspace.configure({
      ...everywhere,
      models: { alpha: modelConfig('alpha', '1.0.0', { reference, keep_space: true }) },
    });
    const { exitCode, report, stderr } = await rehearse(workspace, '--keep');
    assert.equal(exitCode, 0, stderr);
    assert.match(report.differences.join('\n'), /"keep_space" of alpha isn't tried/);
    t.after(() => rm(report.directory!, { recursive: true, force: true }));
    const found = (await readdir(report.directory!, { recursive: true })).filter((path) =>
      path.endsWith('alpha.vectors.json'),
    );
    assert.ok(found.length >= 2, found.join(' '));
  });

  it('makes planes too, on all hosts, and installs by them', async (t) => {
    const workspace = await workspaceFor(t, { encodings: { planes: true } });
    await workspace.writeModel('alpha', { seed: 1, hidden: 64, vocabulary: 512 });
    const { exitCode, report, stderr } = await rehearse(workspace, '--keep');
    assert.equal(exitCode, 0, stderr);
    t.after(() => rm(report.directory!, { recursive: true, force: true }));
    const manifest = parseManifest(await readFile(join(report.directory!, 'release/manifest.json')), 'manifest');
    const { encodings, size_bytes: archive } = manifest.models.alpha!;
    assert.deepEqual(Object.keys(encodings![0]!.download_urls).sort(), ['github', 'huggingface', 'mirror']);
    const fetched = report.installs
      .find(({ name }) => name === 'alpha')!
      .mirrors.reduce((sum, { bytes }) => sum + bytes, 0);
    assert.ok(fetched < archive && encodings![0]!.size_bytes < archive, `${fetched} of ${archive}`);
  });

  it('releases to stand-ins and installs as a user does: the small model from GitHub, the large one from the Hub', async (t) => {
    const workspace = await workspaceFor(t);
    const before = await readdir(workspace.directory, { recursive: true });
    const { exitCode, report, stderr } = await rehearse(workspace);
    assert.equal(exitCode, 0, stderr);
    assert.equal(report.ok, true);
    assert.equal(giver(report, 'alpha'), 'github');
    assert.equal(giver(report, 'beta'), 'huggingface');
    // No output directory, no mirror, no copy of the manifest, and nothing left behind.
    assert.deepEqual(await readdir(workspace.directory, { recursive: true }), before);
    const left = (await readdir(tmpdir())).filter((name) => name.startsWith('aircher-rehearsal-'));
    for (const name of left) assert.ok(!stderr.includes(name), name);
  });

  it('with a host down, the others give what it has', async (t) => {
    const workspace = await workspaceFor(t);
    const { exitCode, report, stderr } = await rehearse(workspace, '--fault', 'github-down');
    assert.equal(exitCode, 0, stderr);
    assert.ok((report.faults[0]?.hits ?? 0) > 0);
    assert.notEqual(giver(report, 'alpha'), 'github');
    assert.equal(report.installs.length, 2);
  });

  it('a release on a bad day ends well: broken uploads, lost answers, conflicts, limits, another name', async (t) => {
    const workspace = await workspaceFor(t);
    const names = [
      'github-upload-500=2',
      'github-draft-lost-response',
      'github-publish-lost-response',
      'hub-commit-conflict',
      'hub-commit-lost-response',
      'hub-storage-flip',
      'hub-tag-lost-response',
      'hub-renamed',
      'lfs-verify-header',
      'github-secondary-limit',
      'mirror-unreachable=3',
    ];
    const { exitCode, report, stderr } = await rehearse(workspace, ...names.flatMap((name) => ['--fault', name]));
    assert.equal(exitCode, 0, stderr);
    for (const { name, hits } of report.faults) assert.ok(hits > 0, `${name} never hit`);
  });

  it('a fault that never ends fails the rehearsal with the exit code of the real release, and one document on stdout', async (t) => {
    const workspace = await workspaceFor(t, { models: { alpha: modelConfig('alpha') } });
    const { exitCode, report, stderr } = await rehearse(workspace, '--fault', 'hub-commit-500=always');
    assert.equal(exitCode, 5);
    assert.equal(report.ok, false);
    assert.equal(report.failure?.during, 'release');
    assert.match(stderr, /hint: Run the same command again/);
  });

  it('a mirror whose public address nobody reaches is exit 5, and says how to go on', async (t) => {
    const workspace = await workspaceFor(t, { models: { alpha: modelConfig('alpha') } });
    const { exitCode, report, stderr } = await rehearse(workspace, '--fault', 'mirror-unreachable');
    assert.equal(exitCode, 5, stderr);
    assert.equal(report.failure?.during, 'release');
    assert.match(stderr, /no pointer was moved.*"probe": false/);
  });

  it('a model that fails the gate fails the rehearsal as it would the release', async (t) => {
    const workspace = await workspaceFor(t);
    await workspace.writeModel('alpha', { files: { 'model.safetensors': 'not safetensors' } });
    const { exitCode, stderr } = await rehearse(workspace);
    assert.equal(exitCode, 3, stderr);
    assert.match(stderr, /model\.safetensors/);
  });

  it('signs with a key of its own where the real one is not at hand, and says so', async (t) => {
    const workspace = await workspaceFor(t);
    assert.equal((await workspace.run(['keygen', '--key-dir', 'keys', '--no-password'])).exitCode, 0);
    const lines = (await readFile(workspace.path('keys/aircher.pub'), 'utf8')).split('\n');
    await workspace.configure({ ...everywhere, signing: { public_keys: [lines[1]] } });
    const { exitCode, report, stderr } = await rehearse(workspace);
    assert.equal(exitCode, 0, stderr);
    assert.ok(report.differences.some((text) => text.includes('a key made for this rehearsal')));
  });

  it('a prerelease is installed by its own manifest, since no default source names it', async (t) => {
    const workspace = await workspaceFor(t, { release: '2.0.0-rc.1' });
    const { exitCode, report, stderr } = await rehearse(workspace);
    assert.equal(exitCode, 0, stderr);
    assert.equal(report.installs.length, 2);
  });

  it('only the hosts of release.json take part, and a fault of another one is wrong usage', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    const { exitCode, report, stderr } = await rehearse(workspace);
    assert.equal(exitCode, 0, stderr);
    assert.deepEqual(
      report.install_traffic.map(({ host }) => host),
      ['mirror'],
    );
    const refused = await workspace.run(['rehearse', '--fault', 'hub-down']);
    assert.equal(refused.exitCode, 2);
    assert.match(refused.stderr, /release\.json has no "huggingface"/);
  });

  it('tokens of the environment reach no stand-in and no client', async (t) => {
    const workspace = await workspaceFor(t);
    const env = { GITHUB_TOKEN: 'ghp_realTokenOfThis', HF_TOKEN: 'hf_realTokenOfThis' };
    const { exitCode, stdout, stderr } = await workspace.run(['rehearse', '--json', '--verbose'], { env });
    assert.equal(exitCode, 0, stderr);
    // A stand-in that saw the real token would have answered 401: it knows its own alone.
    assert.doesNotMatch(stdout + stderr, /realTokenOfThis/);
  });
});

describe('faults by name', () => {
  it('are listed with a line each, and have unlike names', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    const { exitCode, stdout } = await workspace.run(['rehearse', '--fault', 'list']);
    assert.equal(exitCode, 0);
    for (const { name, meaning } of namedFaults) assert.ok(stdout.includes(name) && stdout.includes(meaning), name);
    assert.equal(new Set(namedFaults.map(({ name }) => name)).size, namedFaults.length);
  });

  it('take a number of times, and a wrong name is told with the nearest', () => {
    assert.equal(rulesOf(parseFault('hub-429=3'))[0]?.times, 3);
    assert.equal(rulesOf(parseFault('hub-429=always'))[0]?.times, 'always');
    assert.throws(() => parseFault('hub-downn'), { code: 'usage', hint: /Did you mean hub-down\?/ });
    assert.throws(() => parseFault('hub-429=0'), { code: 'usage' });
  });
});
