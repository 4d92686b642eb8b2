import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { createJobReport } from '../../src/cli/job-report.ts';
import { problemPlace } from '../../src/cli/problem-place.ts';
import { secretMask } from '../../src/cli/secret-mask.ts';
import { AircherError } from '../../src/core/errors.ts';
import { createReleaseWorkspace, modelConfig } from '../fixtures/release-workspace.ts';
import { hubScene } from '../targets/scene.ts';

async function temporaryDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'aircher-job-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

describe('what a command tells its CI job', () => {
  it('annotates every problem of release.json at its line, in the form that GitHub reads', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    await workspace.configure({
      models: {
        alpha: modelConfig('alpha', '1.0'),
        'b.json': modelConfig('beta', '1.0.0', { license: '50% free,\nno' }),
      },
    });
    const lines = (await readFile(workspace.path('manifests/release.json'), 'utf8')).split('\n');
    const summary = workspace.path('summary.md');
    const env = { GITHUB_ACTIONS: 'true', GITHUB_STEP_SUMMARY: summary };
    const { stderr, stdout } = await workspace.run(['plan', '--json'], { env });
    const found = [...stderr.matchAll(/^::error file=manifests\/release\.json,line=(\d+)::(.*)$/gm)].map(
      ([, line, text]) => [lines[Number(line) - 1]?.trim(), text],
    );
    assert.equal(found.length, 3, stderr);
    assert.equal(found[0]?.[0], '"version": "1.0",');
    assert.equal(found[1]?.[0], '"license": "50% free,\\nno",');
    assert.equal(found[2]?.[0], '"b.json": {');
    assert.match(found[2]?.[1] ?? '', /ends like an artifact.*%0ARename the model\.$/);
    assert.doesNotThrow(() => JSON.parse(stdout), 'stdout stays data');
    assert.match(await readFile(summary, 'utf8'), /^## Failed\n\n(- .*\n){3}/);
  });

  it('says nothing of the kind elsewhere', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    await workspace.configure({ release: 'x' });
    const { stderr } = await workspace.run(['plan'], { env: { GITHUB_ACTIONS: '', GITHUB_STEP_SUMMARY: '' } });
    assert.doesNotMatch(stderr, /::error/);
  });

  it('finds the line of a JSON path, or of the nearest key above it, and none for what is no file here', async (t) => {
    const directory = await temporaryDirectory(t);
    await writeFile(join(directory, 'r.json'), '{\n "a": {\n  "x.y": [1,\n   { "b": 2 }] },\n "c": 3\n}\n');
    const at = async (path: string, file = 'r.json') => await problemPlace({ file, path, message: '' }, directory);
    assert.deepEqual(await at('$.a["x.y"][1].b'), { file: 'r.json', line: 4 });
    assert.deepEqual(await at('$.c'), { file: 'r.json', line: 5 });
    assert.deepEqual(await at('$.a.missing.deeper'), { file: 'r.json', line: 2 });
    assert.deepEqual(await at('$'), { file: 'r.json', line: 1 });
    assert.equal(await at('$.a', 'github.com/acme/models manifest.json'), undefined);
    assert.equal(await at('$.a', '../outside.json'), undefined);
    const told = await problemPlace({ message: 'r.json:3: the key "x" stands twice' }, directory);
    assert.deepEqual(told, { file: 'r.json', line: 3 });
  });

  it('warnings are annotated at the end, and texts are escaped so that no message makes a command of its own', async (t) => {
    const directory = await temporaryDirectory(t);
    const written: string[] = [];
    const mask = secretMask({ githubToken: 'ghp_secretToken' });
    const job = createJobReport(
      { inActions: true, summaryFile: join(directory, 'summary'), outputFile: undefined },
      { directory, write: (text) => void written.push(text), mask },
    );
    job.warned({ level: 'warning', message: 'odd\n::set-output name=x::y 100%' });
    await job.ended(new AircherError('remote', 'the host said ghp_secretToken', { hint: 'Look.' }));
    assert.deepEqual(written, [
      '::warning::odd%0A::set-output name=x::y 100%25\n',
      '::error::the host said ***%0ALook.\n',
    ]);
    assert.equal(await readFile(join(directory, 'summary'), 'utf8'), '## Failed\n\n- the host said *** Look.\n\n');
  });

  it('a secret is masked before it is escaped, as it would not be found afterwards', async (t) => {
    const directory = await temporaryDirectory(t);
    let written = '';
    const secret = 'pass%*word*_[of]_key';
    const job = createJobReport(
      { inActions: true, summaryFile: join(directory, 'summary'), outputFile: undefined },
      {
        directory,
        write: (text) => {
          written += text;
        },
        mask: secretMask({ signingPassword: secret }),
      },
    );
    await job.ended(new AircherError('remote', `the host said ${secret}`, { hint: secret }));
    assert.doesNotMatch(written + (await readFile(join(directory, 'summary'), 'utf8')), /word/);
  });

  it('plan gives the outputs that the workflow asks for', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    const output = workspace.path('output');
    await workspace.run(['plan'], { env: { GITHUB_OUTPUT: output } });
    const values = Object.fromEntries(
      (await readFile(output, 'utf8'))
        .trim()
        .split('\n')
        .map((line) => /^([a-z]+)=(.*)$/.exec(line)?.slice(1) ?? []),
    );
    assert.equal(values.tag, 'models-v1.0.0');
    assert.equal(values.pack, 'true');
    assert.equal(values.carried, '');
    assert.deepEqual(
      JSON.parse(values.matrix)
        .include.map(({ models }: { models: string }) => models)
        .sort(),
      ['alpha', 'beta'],
    );
  });
});

describe('masking', () => {
  it('replaces tokens, passwords and every line of a key, wherever they stand, and leaves paths and short words alone', () => {
    const line = 'A'.repeat(63);
    const mask = secretMask({
      githubToken: 'ghp_one',
      hfToken: 'hf_token',
      signingPassword: 'pass',
      signingKey: 'keys/aircher.key',
      gpgKey: `-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n${line}\n=abcd`,
    });
    assert.equal(mask(`ghp_one-hf_token ${line} keys/aircher.key pass PGP`), '***-*** *** keys/aircher.key pass PGP');
  });

  it('holds for what a check command prints', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    await workspace.configure({ check: ['bash', '-c', 'echo the token is hf_$((40+2))secret; exit 1'] });
    for (const step of ['plan', 'pack']) await workspace.run([step]);
    const { stderr, exitCode } = await workspace.run(['prove'], { env: { HF_TOKEN: 'hf_42secret' } });
    assert.equal(exitCode, 3);
    assert.match(stderr, /the token is \*\*\*/);
  });
});

describe('verify for the weekly job', () => {
  it('--latest takes the newest release that is no prerelease, --expires-within fails before the manifest expires', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    const none = await workspace.run(['verify', '--latest']);
    assert.equal(none.exitCode, 3);
    assert.match(none.stderr, /nothing is published/);
    // Before a first release, the host's repository may not be there either.
    const hub = await hubScene(t);
    await workspace.configure({ huggingface: { repository: 'acme/not-made-yet' } });
    const early = await workspace.run(['verify', '--latest', '--allow-none'], { env: { HF_ENDPOINT: hub.url } });
    assert.equal(early.exitCode, 0, early.stderr);
    assert.match(early.stdout, /Nothing is published yet/);
    // A token that is not valid any more says nothing of what is there.
    const expired = { HF_ENDPOINT: hub.url, HF_TOKEN: 'hf_expired' };
    assert.equal((await workspace.run(['verify', '--latest', '--allow-none'], { env: expired })).exitCode, 6);
    const release = async (version: string, signing: object) => {
      await workspace.configure({ release: version, signing });
      await workspace.json(['release']);
    };
    await release('1.0.0', { expires_in_days: 40 });
    const good = await workspace.run(['verify', '--latest', '--expires-within', '30']);
    assert.equal(good.exitCode, 0, good.stderr);
    assert.match(good.stdout, /models-v1\.0\.0 is whole/);
    const soon = await workspace.run(['verify', '--latest', '--expires-within', '50']);
    assert.equal(soon.exitCode, 3);
    assert.match(soon.stderr, /expires at .*, in 39 days\nhint: Raise "release"/);
    await release('1.1.0-rc.1', {});
    assert.match((await workspace.run(['verify', '--latest'])).stdout, /models-v1\.0\.0 is whole/);
    assert.equal((await workspace.run(['verify'])).exitCode, 2);
    assert.equal((await workspace.run(['verify', '--latest', 'models-v1.0.0'])).exitCode, 2);
    assert.equal((await workspace.run(['verify', '--latest', '--expires-within', 'soon'])).exitCode, 2);
  });
});
