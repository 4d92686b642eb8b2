import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { startStaticMirror } from '../../src/rehearsal/static-mirror.ts';
import { lockPackage } from '../fixtures/lock-package.ts';
import { writeTinyModel } from '../fixtures/tiny-model.ts';

const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));

async function place(t: TestContext, origin?: string) {
  const directory = await mkdtemp(join(tmpdir(), 'aircher-init-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const path = (...parts: readonly string[]): string => join(directory, ...parts);
  const run = async (...args: readonly string[]) =>
    await execa(process.execPath, [cli, ...args], { cwd: directory, reject: false });
  await execa('git', ['init', '--quiet'], { cwd: directory });
  if (origin !== undefined) await execa('git', ['remote', 'add', 'origin', origin], { cwd: directory });
  await lockPackage(directory);
  const config = async () => JSON.parse(await readFile(path('manifests/release.json'), 'utf8'));
  return { directory, path, run, config };
}

const workflowNames = ['check-models.yml', 'drift.yml', 'release-models.yml'];

describe('init', () => {
  it("makes a valid release.json for the GitHub repository of git's remote, and all that goes with it", async (t) => {
    const { path, run, config } = await place(t, 'git@github.com:acme/Embedding-Models.git');
    const { exitCode, stdout, stderr } = await run('init', '--huggingface', 'acme/models');
    assert.equal(exitCode, 0, stderr);
    const { github, huggingface, namespace, $schema } = await config();
    assert.equal(github.repository, 'acme/Embedding-Models');
    assert.equal(huggingface.repository, 'acme/models');
    assert.equal(namespace, 'embedding-models');
    assert.match(stdout, /HF_TOKEN/);
    assert.match(stdout, /git push origin models-v1\.0\.0/);
    const schema = JSON.parse(await readFile(path('manifests', $schema), 'utf8'));
    assert.ok('models' in schema.properties);
    assert.deepEqual((await readdir(path('.github/workflows'))).sort(), workflowNames);
    assert.equal((await run('validate', 'manifests/release.json')).exitCode, 0);
    const ignored = await execa('git', ['check-ignore', 'release', 'aircher.key'], { cwd: path(), reject: false });
    // Patterns with a final slash hold for directories, which aren't there yet.
    assert.match(ignored.stdout, /aircher\.key/);
  });

  it('takes other forms of the remote, and options before it', async (t) => {
    for (const origin of [
      'https://github.com/acme/m.git',
      'https://x-access-token:secret@github.com/acme/m',
      'ssh://git@github.com/acme/m.git',
    ]) {
      const { run, config } = await place(t, origin);
      assert.equal((await run('init')).exitCode, 0);
      assert.deepEqual((await config()).github, { repository: 'acme/m', make_latest: false }, origin);
    }
    for (const origin of ['https://acme.ghe.com/acme/m.git', 'acme@acme.ghe.com:acme/m.git']) {
      const { run, config } = await place(t, origin);
      assert.equal((await run('init')).exitCode, 0);
      const { repository, server_url } = (await config()).github;
      assert.deepEqual([repository, server_url], ['acme/m', 'https://acme.ghe.com'], origin);
    }
    const { run, config } = await place(t, 'https://github.com/acme/m');
    const options = ['--no-github', '--mirror', 'https://models.example.org/m', '--namespace', 'acme'];
    assert.equal((await run('init', ...options)).exitCode, 0);
    const { github, mirror, namespace } = await config();
    assert.equal(github, undefined);
    assert.deepEqual(mirror, { base_url: 'https://models.example.org/m', directory: 'mirror' });
    assert.equal(namespace, 'acme');
  });

  it('overwrites nothing, completes what is missing, and says which is which', async (t) => {
    const { path, run } = await place(t, 'https://github.com/acme/m');
    assert.equal((await run('init')).exitCode, 0);
    const own = '# ours\n';
    await writeFile(path('.github/workflows/release-models.yml'), own);
    await writeFile(path('.gitignore'), 'node_modules/\n/release/');
    await rm(path('.github/workflows/drift.yml'));
    const config = JSON.parse(await readFile(path('manifests/release.json'), 'utf8'));
    const changed = JSON.stringify({ ...config, tag_prefix: 'weights-' });
    await writeFile(path('manifests/release.json'), changed);
    const { stdout } = await run('init', '--json');
    const states = Object.fromEntries(
      JSON.parse(stdout).files.map((file: { path: string; state: string }) => [file.path, file.state]),
    );
    assert.deepEqual(states, {
      'manifests/release.json': 'kept',
      'manifests/schema/release.schema.json': 'kept',
      '.github/workflows/release-models.yml': 'kept',
      '.github/workflows/check-models.yml': 'kept',
      '.github/workflows/drift.yml': 'written',
      'scripts/embed.py': 'kept',
      '.gitignore': 'extended',
    });
    assert.equal(await readFile(path('.github/workflows/release-models.yml'), 'utf8'), own);
    assert.equal(await readFile(path('manifests/release.json'), 'utf8'), changed);
    assert.equal(await readFile(path('.gitignore'), 'utf8'), 'node_modules/\n/release/\n/mirror/\naircher.key\n');
    await rm(path('.github/workflows/release-models.yml'));
    await run('init');
    assert.match(await readFile(path('.github/workflows/release-models.yml'), 'utf8'), /tags: \['weights-\*'\]/);
  });

  it('is refused where no lock file names the package, which anybody could register, and then writes nothing', async (t) => {
    const { directory, path, run } = await place(t, 'https://github.com/acme/m');
    const refused = async () => {
      const { exitCode, stderr } = await run('init');
      assert.equal(exitCode, 3, stderr);
      assert.match(stderr, /package-lock\.json does not name aircher-models/);
      assert.match(stderr, /hint: .*npm install --save-dev \.\/TARBALL/);
      await assert.rejects(readdir(path('.github')), { code: 'ENOENT' });
    };
    await writeFile(path('package-lock.json'), JSON.stringify({ lockfileVersion: 3, packages: { '': {} } }));
    await refused();
    await writeFile(path('package-lock.json'), 'no JSON');
    await refused();
    await rm(path('package-lock.json'));
    await refused();
    await lockPackage(directory);
    assert.equal((await run('init')).exitCode, 0);
  });

  it('has the workflows install what package-lock.json names, and run nothing else', async (t) => {
    const { directory, path, run } = await place(t, 'https://github.com/acme/m');
    for (const resolved of ['https://registry.npmjs.org/aircher-models/-/aircher-models-0.1.0.tgz', 'file:a/b.tgz']) {
      await lockPackage(directory, { version: '0.1.0', resolved });
      const { stdout } = await run('init', '--update');
      assert.match(stdout, /Commit \(package\.json and package-lock\.json too\)/);
      assert.doesNotMatch(stdout, /outside/);
      for (const name of workflowNames) {
        const text = await readFile(path('.github/workflows', name), 'utf8');
        assert.equal(text.match(/run: npm ci --ignore-scripts\n/g)?.length, text.match(/setup-node@/g)?.length);
        assert.match(text, /run: npx --no -- aircher-models /);
      }
    }
    assert.match(await readFile(path('.gitignore'), 'utf8'), /^node_modules\/$/m);
    for (const entry of [{ resolved: 'file:../b.tgz' }, { resolved: '../b', link: true }]) {
      await lockPackage(directory, entry);
      assert.match((await run('init')).stdout, /from outside this repository/);
    }
  });

  it('says how the models get to CI before the first push', async (t) => {
    const { run } = await place(t, 'https://github.com/acme/m');
    const { stdout } = await run('init');
    const [said, pushed] = ['git lfs track', 'git push origin'].map((words) => stdout.indexOf(words)) as [
      number,
      number,
    ];
    assert.ok(said !== -1 && said < pushed, stdout);
    assert.match(stdout, /A source on the Hub .* is fetched there/);
  });

  it('--update shows what differs from this version, writes it, and leaves what the maintainer wrote', async (t) => {
    const { path, run } = await place(t, 'https://github.com/acme/m');
    assert.equal((await run('init')).exitCode, 0);
    const [workflow, schema] = [
      path('.github/workflows/release-models.yml'),
      path('manifests/schema/release.schema.json'),
    ];
    const [current, currentSchema, config] = await Promise.all(
      [workflow, schema, path('manifests/release.json')].map((file) => readFile(file, 'utf8')),
    );
    await writeFile(workflow, current!.replace('retention-days: 1', 'retention-days: 7'));
    await writeFile(schema, currentSchema!.replaceAll('\n', '\r\n'));
    await writeFile(path('manifests/release.json'), `${config}\n`);
    const kept = await run('init');
    assert.doesNotMatch(kept.stdout, /retention-days/);
    assert.match(await readFile(workflow, 'utf8'), /retention-days: 7/);

    const { stdout, exitCode } = await run('init', '--update');
    assert.equal(exitCode, 0);
    assert.match(stdout, /^--- a\/\.github\/workflows\/release-models\.yml\n\+\+\+ b\/\.github/m);
    assert.match(stdout, /^- +retention-days: 7\n\+ +retention-days: 1$/m);
    assert.match(stdout, /^\.github\/workflows\/release-models\.yml +updated$/m);
    assert.match(stdout, /^manifests\/schema\/release\.schema\.json +kept as it was$/m);
    assert.equal(await readFile(workflow, 'utf8'), current);
    assert.equal(await readFile(path('manifests/release.json'), 'utf8'), `${config}\n`);
    const again = JSON.parse((await run('init', '--update', '--json')).stdout) as { diff: string };
    assert.equal(again.diff, '');
  });

  it('is refused as wrong usage where no target is known or an option is malformed, and then writes nothing', async (t) => {
    const { path, run } = await place(t, 'https://git.example.org/acme/m');
    for (const [args, said] of [
      [['init'], /no place to release to[\s\S]*--huggingface/],
      [['init', '--github', 'acme'], /\$\.github\.repository: must be "owner\/name"/],
      [['init', '--mirror', 'models.example.org'], /\$\.mirror\.base_url: must be an absolute URL/],
      [['init', '--github', 'acme/m', '--namespace', 'A B'], /\$\.namespace/],
      [['init', '--github', 'acme/m', '--config', 'my models/release.json'], /--config my models/],
    ] as const) {
      const { exitCode, stderr } = await run(...args);
      assert.equal(exitCode, 2, stderr);
      assert.match(stderr, said);
    }
    assert.deepEqual(await readdir(path()), ['.git', 'package-lock.json']);
  });

  it('leads to a first release once the model is there', async (t) => {
    const { path, run } = await place(t);
    // A web server that publishes the mirror's directory: its address is asked before the release
    // shows.
    const server = await startStaticMirror({ directory: path('mirror') });
    t.after(server.close);
    assert.equal((await run('init', '--mirror', server.url)).exitCode, 0);
    const before = await run('plan');
    assert.equal(before.exitCode, 3);
    assert.match(before.stderr, /models\/my-model of my-model is not there/);
    assert.match(before.stderr, /hint: .*In CI the repository must bring it \(by Git LFS\)/);
    await writeTinyModel(path('models/my-model'), {});
    const { exitCode, stderr } = await run('release');
    assert.equal(exitCode, 0, stderr);
  });
});
