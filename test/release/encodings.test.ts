import assert from 'node:assert/strict';
import { cp, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { execa } from 'execa';
import { parseChecksums } from '../../src/contract/checksums.ts';
import { type Manifest, parseManifest } from '../../src/contract/manifest.ts';
import { ModelManager } from '../../src/fetch/model-manager.ts';
import type { LogEntry } from '../../src/rehearsal/request-log.ts';
import { modelConfig } from '../fixtures/release-workspace.ts';
import { createPublishScene, type PublishScene, type PublishSceneOptions, quickCli } from './publish-scene.ts';

const shape = { seed: 1, hidden: 64, vocabulary: 512 };
const beta = modelConfig('beta');

/** `alpha` 1.0.0 is released on all hosts, and 1.1.0, trained further, is about to be. */
async function secondRelease(
  t: TestContext,
  encodings: object = { planes: true },
  options: PublishSceneOptions = {},
  hosts: Readonly<Record<string, unknown>> = {},
): Promise<PublishScene> {
  const scene = await createPublishScene(t, options);
  await scene.workspace.writeModel('alpha', shape);
  await scene.configure(hosts);
  await run(scene, ['release']);
  await scene.workspace.writeModel('alpha', { ...shape, trained: 1 });
  await scene.configure({
    release: '1.1.0',
    encodings,
    models: { alpha: modelConfig('alpha', '1.1.0'), beta },
    ...hosts,
  });
  return scene;
}

async function run(
  scene: PublishScene,
  args: readonly string[],
  exitCode = 0,
): Promise<{ stdout: string; stderr: string }> {
  const { exitCode: found, stdout, stderr } = await scene.start(args);
  assert.equal(found, exitCode, `${args.join(' ')}: ${stderr}`);
  return { stdout: String(stdout), stderr: String(stderr) };
}

async function manifestOf(scene: PublishScene, directory = 'release'): Promise<Manifest> {
  return parseManifest(await readFile(scene.workspace.path(directory, 'manifest.json')), 'manifest');
}

/** When the first of two machines is killed. */
const moments: Readonly<Record<string, (entry: LogEntry) => boolean>> = {
  'fetched the older version': ({ method, path }) =>
    method === 'GET' && path.includes('alpha.tar.gz') && !path.includes('index'),
  uploaded: ({ method, path }) => method === 'POST' && path.includes('from-1.0.0.patch'),
};

const namesOf = ({ models }: Manifest): string[] => (models.alpha!.encodings ?? []).map(({ name }) => name);

describe('releases with encodings', () => {
  it('have planes and a patch on every host; checksums, notes, verify, status, validate and bill tell of them', async (t) => {
    const scene = await secondRelease(t);
    await run(scene, ['release']);
    const manifest = await manifestOf(scene);
    const names = ['alpha.planes', 'alpha.from-1.0.0.patch'];
    assert.deepEqual(namesOf(manifest), names);
    assert.equal(manifest.models.beta!.encodings, undefined, 'what is carried forward waits for its next version');
    const [planes, patch] = manifest.models.alpha!.encodings!;
    assert.equal(patch!.from, '1.0.0');
    for (const { download_urls: urls, index } of [planes!, patch!]) {
      assert.deepEqual(Object.keys(urls), Object.keys(manifest.models.alpha!.download_urls));
      assert.deepEqual(Object.keys(index.download_urls), Object.keys(urls));
    }
    assert.ok(patch!.size_bytes < 0.75 * planes!.size_bytes && planes!.size_bytes < manifest.models.alpha!.size_bytes);

    const all = names.flatMap((name) => [name, `${name}.index.json`]);
    const lines = parseChecksums(await readFile(scene.workspace.path('release/checksums.sha256'), 'utf8'), 'checksums');
    for (const name of all)
      assert.ok(
        lines.some((line) => line.name === name),
        name,
      );
    const notes = await readFile(scene.workspace.path('release/RELEASE_NOTES.md'), 'utf8');
    assert.match(notes, /updates from 1\.0\.0 take a patch of .* KB/);
    assert.match(notes, /installs take .* KB of planes/);
    await run(scene, ['validate']);
    const { stdout: bill } = await run(scene, ['bill']);
    assert.match(bill, /alpha\.planes: fewer bytes/);
    const { stdout: status } = await run(scene, ['status', 'models-v1.1.0', '--json']);
    for (const { files } of (JSON.parse(status) as { targets: { files: { name: string }[] }[] }).targets) {
      for (const name of all)
        assert.ok(
          files.some((file) => file.name === name),
          name,
        );
    }
    scene.clearLogs();
    await run(scene, ['verify', 'models-v1.1.0', '--deep']);
    const read = scene.requests().filter(({ method, path }) => method === 'GET' && path.includes('alpha.planes'));
    assert.ok(read.length >= 3, `${read.length} downloads`);
    // A changed one is found.
    await cp(
      scene.workspace.path('mirror/models-v1.1.0/alpha.planes.index.json'),
      scene.workspace.path('mirror/models-v1.1.0/alpha.planes'),
    );
    const { stderr } = await run(scene, ['verify', 'models-v1.1.0'], 4);
    assert.match(stderr, /alpha\.planes/);
    assert.deepEqual(await readdir(scene.workspace.path('release/.previous')), ['alpha@1.0.0']);
  });

  it('are installed and updated by what they have', async (t) => {
    const scene = await secondRelease(t, { planes: true }, {}, { github: undefined, huggingface: undefined });
    const managerOf = (tag: string) =>
      new ModelManager({
        namespace: 'test',
        cacheDir: scene.workspace.path('cache'),
        manifestSources: [`${scene.mirror.url}/${tag}/manifest.json`],
      });
    await managerOf('models-v1.0.0').install('alpha');
    await run(scene, ['release']);
    const { models } = await manifestOf(scene);
    scene.clearLogs();
    const { models: updates } = await managerOf('models-v1.1.0').update({ names: ['alpha'] });
    assert.equal(updates[0]?.outcome, 'updated');
    const bytes = scene.mirror.log.entries.reduce((sum, entry) => sum + entry.bytesOut, 0);
    const patch = models.alpha!.encodings!.find(({ kind }) => kind === 'patch')!;
    assert.ok(scene.mirror.log.entries.some(({ path }) => path.endsWith('alpha.from-1.0.0.patch')));
    assert.ok(bytes > patch.size_bytes && bytes < models.alpha!.size_bytes, `${bytes}`);
  });

  it('carry encodings forward one by one, and go without what a host lacks', async (t) => {
    const scene = await secondRelease(t);
    await run(scene, ['release']);
    await scene.configure({
      release: '1.1.1',
      encodings: { planes: true },
      models: { alpha: modelConfig('alpha', '1.1.0'), beta },
    });
    await run(scene, ['plan']);
    const planned = (await scene.workspace.readJson('release/plan.json')) as {
      models: { entry: Manifest['models'][string] }[];
    };
    assert.equal(planned.models[0]!.entry.encodings?.length, 2);
    await run(scene, ['release']);
    await rm(scene.workspace.path('mirror/models-v1.1.0/alpha.planes'));
    const models = { alpha: modelConfig('alpha', '1.1.0'), beta };
    await scene.configure({ release: '1.1.2', encodings: { planes: true }, models });
    const { stderr } = await run(scene, ['release']);
    assert.match(stderr, /alpha 1\.1\.0 is carried forward without alpha\.planes/);
    assert.deepEqual(namesOf(await manifestOf(scene)), ['alpha.from-1.0.0.patch']);
  });

  it('are made without a patch from what can’t be read when they are planned, with a warning', async (t) => {
    const scene = await secondRelease(t);
    for (const host of [scene.github, scene.hub, scene.mirror]) {
      host.faults.add({
        match: { method: 'GET', path: 'alpha\\.tar\\.gz\\.index\\.json' },
        times: 'always',
        action: { kind: 'status', status: 404 },
      });
    }
    const { stderr } = await run(scene, ['plan']);
    assert.match(stderr, /alpha 1\.1\.0 gets no patch from 1\.0\.0, which can't be read/);
    scene.clearFaults();
    await run(scene, ['pack']);
    assert.deepEqual(
      (await readdir(scene.workspace.path('release'))).filter((name) => name.includes('patch')),
      [],
    );
  });

  it('ask a mirror that can’t be reached from here for nothing, planes of the older version neither', async (t) => {
    const scene = await secondRelease(t);
    await run(scene, ['release']);
    await scene.workspace.writeModel('alpha', { ...shape, trained: 2 });
    await scene.configure({
      release: '1.2.0',
      models: { alpha: modelConfig('alpha', '1.2.0'), beta },
      mirror: { base_url: scene.mirror.url, directory: 'mirror', probe: false },
    });
    const action = { kind: 'status', status: 404 } as const;
    for (const host of [scene.github, scene.hub])
      host.faults.add({ match: { path: 'alpha\\.planes\\.index' }, times: 'always', action });
    scene.clearLogs();
    await run(scene, ['plan']);
    await run(scene, ['pack']);
    assert.deepEqual(
      scene.mirror.log.entries.map(({ path }) => path),
      [],
    );
  });

  it('stop where what was planned can’t be read any more, and say the ways out', async (t) => {
    const scene = await secondRelease(t);
    await run(scene, ['plan']);
    for (const host of [scene.github, scene.hub, scene.mirror]) {
      host.faults.add({
        match: { method: 'GET', path: 'alpha' },
        times: 'always',
        action: { kind: 'status', status: 404 },
      });
    }
    const { stderr } = await run(scene, ['pack'], 5);
    assert.match(stderr, /the patch from alpha 1\.0\.0 can't be made/);
    assert.match(stderr, /"patches": 0/);
    scene.clearFaults();
    await run(scene, ['pack']);
  });

  it('make nothing that release.json doesn’t ask for, and again what it asks for now', async (t) => {
    const scene = await secondRelease(t, { patches: 0 });
    await run(scene, ['plan']);
    await run(scene, ['pack']);
    const made = async (): Promise<string[]> =>
      (await readdir(scene.workspace.path('release'))).filter((name) => /\.(planes|patch)$/.test(name)).sort();
    assert.deepEqual(await made(), []);
    await scene.configure({
      release: '1.1.0',
      encodings: { planes: true },
      models: { alpha: modelConfig('alpha', '1.1.0'), beta },
    });
    await run(scene, ['plan']);
    await run(scene, ['pack']);
    assert.deepEqual(await made(), ['alpha.from-1.0.0.patch', 'alpha.planes']);
    const { stderr } = await run(scene, ['pack']);
    assert.match(stderr, /not packed again/);
  });

  it('make patches from several versions, withdrawn ones too, and from prereleases for a prerelease alone', async (t) => {
    const scene = await secondRelease(t, { patches: 2 });
    await run(scene, ['release']);
    const release = async (version: string, trained: number, changes: object = {}): Promise<string[]> => {
      await scene.workspace.writeModel('alpha', { ...shape, trained });
      await scene.configure({
        release: version,
        encodings: { patches: 2 },
        models: { alpha: modelConfig('alpha', version), beta },
        yanked: [{ model: 'alpha', version: '1.1.0', reason: 'Wrong prompts.' }],
        ...changes,
      });
      await run(scene, ['release']);
      return namesOf(await manifestOf(scene));
    };
    assert.deepEqual(await release('1.2.0', 2), ['alpha.from-1.1.0.patch', 'alpha.from-1.0.0.patch']);
    assert.deepEqual(await release('1.3.0-rc.1', 3), ['alpha.from-1.2.0.patch', 'alpha.from-1.1.0.patch']);
    assert.deepEqual(await release('1.3.0-rc.2', 4), ['alpha.from-1.3.0-rc.1.patch', 'alpha.from-1.2.0.patch']);
    assert.deepEqual(await release('1.3.0', 5), ['alpha.from-1.2.0.patch', 'alpha.from-1.1.0.patch']);
  });

  for (const [moment, isMoment] of Object.entries(moments)) {
    it(`are the same from two machines, the first of which was killed while it ${moment}`, async (t) => {
      let onMoment = (): void => {};
      const onRequest = (entry: LogEntry): void => {
        if (isMoment(entry)) onMoment();
      };
      // A mirror's directory would be the machine's own.
      const scene = await secondRelease(t, { planes: true }, { onRequest }, { mirror: undefined });
      const second = scene.workspace.path('second');
      await mkdir(second);
      for (const name of ['manifests', 'models']) {
        await cp(scene.workspace.path(name), join(second, name), { recursive: true });
      }
      const first = scene.start(['release']);
      let killed = false;
      onMoment = () => {
        killed = first.kill('SIGKILL') || killed;
      };
      await first;
      onMoment = () => {};
      assert.ok(killed);
      const made = await readFile(scene.workspace.path('release/manifest.json')).catch(() => undefined);
      const other = await execa(process.execPath, [quickCli, 'release'], {
        cwd: second,
        env: scene.env,
        reject: false,
      });
      assert.equal(other.exitCode, 0, other.stderr);
      const released = await readFile(join(second, 'release/manifest.json'));
      assert.equal(namesOf(parseManifest(released, '')).length, 2);
      if (moment === 'uploaded') assert.deepEqual(made, released);
      await run(scene, ['verify', 'models-v1.1.0', '--deep']);
    });
  }
});
