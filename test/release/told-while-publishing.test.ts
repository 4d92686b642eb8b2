import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PublishReport } from '../../src/release/publish/publish-release.ts';
import { createPublishScene } from './publish-scene.ts';

const client = 'https://github.com/acme/models/releases/download/models-v1.0.0/aircher.mjs';

describe('what a maintainer is told of a publication', () => {
  it('each file that has arrived, and at the end where the release is and how users install', async (t) => {
    const scene = await createPublishScene(t);
    const run = await scene.start(['release']);
    assert.equal(run.exitCode, 0, String(run.stderr));
    for (const host of ['github', 'huggingface', 'mirror']) {
      assert.match(String(run.stderr), new RegExp(`^ {2}${host}: \\d+ files to send, [\\d.]+ [KM]B$`, 'm'));
      assert.match(String(run.stderr), new RegExp(`^ {2}${host}: alpha\\.tar\\.gz, [\\d.]+ KB$`, 'm'));
    }
    assert.ok(!String(run.stderr).includes('\u001b'));
    assert.ok(
      String(run.stdout).endsWith(
        [
          '',
          'https://github.com/acme/models/releases/tag/models-v1.0.0',
          'https://huggingface.co/acme/models/tree/models-v1.0.0',
          `${scene.mirror.url}/models-v1.0.0/manifest.json`,
          '',
          'Users install with:',
          `  curl -fLO ${client}`,
          '  node aircher.mjs model install alpha',
        ].join('\n'),
      ),
      String(run.stdout),
    );
    const again = await scene.start(['publish', '--json']);
    const report = JSON.parse(String(again.stdout)) as PublishReport;
    assert.equal(report.public_urls.mirror, `${scene.mirror.url}/models-v1.0.0/manifest.json`);
    assert.deepEqual(report.install, [`curl -fLO ${client}`, 'node aircher.mjs model install alpha']);
    assert.deepEqual(report.waiting_for, []);
    assert.match(String(again.stderr), /acme\/models has everything/);
  });

  it('Ctrl-C: that the next run goes on where this one stopped, exit 130', async (t) => {
    const scene = await createPublishScene(t, { limits: { bytesPerSecond: 20_000 } });
    const run = scene.start(['release'], { AIRCHER_TEST_PATIENCE: 'real' });
    let told = '';
    const read = (text: Buffer): void => {
      told += text.toString();
      if (!told.includes('files to send')) return;
      run.stderr?.off('data', read);
      run.kill('SIGINT');
    };
    run.stderr?.on('data', read);
    const ended = await run;
    assert.equal(ended.exitCode, 130, String(ended.stderr));
    const last = String(ended.stderr).trimEnd().split('\n').at(-1);
    assert.equal(last, 'error: Interrupted. Run the same command again: it goes on where this one stopped.');
  });

  it('a base_url that is wrong: what the hint says mends it, though the address stands in the manifest', async (t) => {
    const scene = await createPublishScene(t);
    const wrong = { base_url: `${scene.mirror.url}/wrong`, directory: 'mirror' };
    await scene.configure({ mirror: wrong });
    const refused = await scene.start(['release']);
    assert.equal(refused.exitCode, 5, String(refused.stderr));
    assert.match(String(refused.stderr), /hint: .*Correct "mirror\.base_url".*run the same command again/);
    await scene.configure();
    const run = await scene.start(['release']);
    assert.equal(run.exitCode, 0, String(run.stderr));
    assert.equal((await scene.start(['verify', 'models-v1.0.0', '--deep'])).exitCode, 0);
  });
});
