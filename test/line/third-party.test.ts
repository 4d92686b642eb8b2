import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { downloadFile, listFiles } from '@huggingface/hub';
import { execa } from 'execa';
import { sha256 } from '../../src/core/hashing.ts';
import { createPublishScene, type PublishScene, repository } from '../release/publish-scene.ts';

const tag = 'models-v1.0.0';
const python = process.env.AIRCHER_TEST_HF_PYTHON ?? 'python3';

/** A release of our own pipeline on both hosts, fetched by other people's clients, unmodified. */
describe('a release that aircher-models published', () => {
  let scene: PublishScene;
  let work: string;
  const expected = new Map<string, string>();

  before(async () => {
    scene = await createPublishScene(undefined);
    await scene.configure();
    const released = await scene.start(['release']);
    assert.equal(released.exitCode, 0, String(released.stderr));
    work = await mkdtemp(join(tmpdir(), 'aircher-others-'));
    for (const name of await readdir(scene.workspace.path('release'))) {
      const bytes = await readFile(scene.workspace.path('release', name)).catch(() => undefined);
      if (bytes) expected.set(name, sha256(bytes));
    }
    expected.set('weights', sha256(await readFile(scene.workspace.path('models/alpha/model.safetensors'))));
  });

  after(async () => {
    await scene?.close();
    if (work) await rm(work, { recursive: true, force: true });
  });

  const digest = async (path: string): Promise<string> => sha256(await readFile(path));
  const assetUrl = (name: string): string => `${scene.github.url}/${repository}/releases/download/${tag}/${name}`;
  const environment = (): Record<string, string> => ({
    HOME: work,
    HF_HOME: join(work, 'hf'),
    HF_ENDPOINT: scene.hub.url,
    HF_HUB_DISABLE_TELEMETRY: '1',
    HF_HUB_DISABLE_PROGRESS_BARS: '1',
    GIT_TERMINAL_PROMPT: '0',
    NO_PROXY: '127.0.0.1,localhost',
  });

  async function needs(t: TestContext, program: string, ...args: readonly string[]): Promise<boolean> {
    const found = await execa(program, args, { reject: false });
    if (found.failed) t.skip(`${program} is not installed`);
    return !found.failed;
  }

  it('curl downloads an asset, and goes on where it stopped', async (t) => {
    if (!(await needs(t, 'curl', '--version'))) return;
    const file = join(work, 'curl.tar.gz');
    await execa('curl', ['-sfL', '--range', '0-99999', '-o', file, assetUrl('alpha.tar.gz')]);
    await execa('curl', ['-sfL', '-C', '-', '-o', file, assetUrl('alpha.tar.gz')]);
    assert.equal(await digest(file), expected.get('alpha.tar.gz'));
  });

  it('aria2c downloads an asset over several connections', async (t) => {
    if (!(await needs(t, 'aria2c', '--version'))) return;
    await execa('aria2c', ['-q', '-x4', '-s4', '-k1M', '-d', work, '-o', 'aria.tar.gz', assetUrl('alpha.tar.gz')]);
    assert.equal(await digest(join(work, 'aria.tar.gz')), expected.get('alpha.tar.gz'));
  });

  it('git ls-remote sees the tag on both hosts', async (t) => {
    if (!(await needs(t, 'git', '--version'))) return;
    for (const url of [`${scene.github.url}/${repository}.git`, `${scene.hub.url}/${repository}`]) {
      const { stdout } = await execa('git', ['ls-remote', '--tags', url], { env: environment() });
      assert.match(stdout, new RegExp(`refs/tags/${tag}$`, 'm'), url);
    }
  });

  it('the checksums of the release hold for what was downloaded', async (t) => {
    if (!(await needs(t, 'sha256sum', '--version')) || !(await needs(t, 'curl', '--version'))) return;
    const directory = await mkdtemp(join(work, 'sums-'));
    for (const name of ['checksums.sha256', 'manifest.json', 'alpha.tar.gz', 'beta.tar.gz.index.json']) {
      await execa('curl', ['-sfL', '-o', join(directory, name), assetUrl(name)]);
    }
    const { stdout } = await execa('sha256sum', ['-c', '--ignore-missing', 'checksums.sha256'], { cwd: directory });
    assert.equal(stdout.trim().split('\n').length, 3);
  });

  it("the Hub package's own calls list the tag and download the weights", async () => {
    const names: string[] = [];
    for await (const file of listFiles({ repo: repository, revision: tag, recursive: true, hubUrl: scene.hub.url })) {
      names.push(file.path);
    }
    assert.ok(names.includes('alpha/model.safetensors') && names.includes('alpha.safetensors'));
    const blob = await downloadFile({
      repo: repository,
      path: 'alpha.safetensors',
      revision: tag,
      hubUrl: scene.hub.url,
    });
    assert.equal(sha256(Buffer.from(await blob!.arrayBuffer())), expected.get('weights'));
  });

  it('Python: snapshot_download of the tag holds folders that load as they are', async (t) => {
    if (!(await needs(t, python, '-c', 'import huggingface_hub'))) return;
    const script = `from huggingface_hub import snapshot_download\nprint(snapshot_download("${repository}", revision="${tag}"))`;
    const { stdout } = await execa(python, ['-c', script], { env: environment() });
    assert.equal(await digest(join(stdout.trim(), 'alpha/model.safetensors')), expected.get('weights'));
    assert.equal(await digest(join(stdout.trim(), 'manifest.json')), expected.get('manifest.json'));
    assert.ok((await readdir(join(stdout.trim(), 'alpha'))).includes('config.json'));
  });

  it('Rust: hf-hub 0.4 gets <model>.safetensors from main', async (t) => {
    const program = process.env.AIRCHER_TEST_HF_HUB_RS;
    if (!program) return t.skip('AIRCHER_TEST_HF_HUB_RS names no program');
    const { stdout } = await execa(program, [repository, 'alpha.safetensors'], { env: environment() });
    assert.equal(await digest(stdout.trim().split('\n').at(-1)!), expected.get('weights'));
  });
});
