import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { readEnvironment } from '../../src/cli/read-environment.ts';
import { parseManifest } from '../../src/contract/manifest.ts';
import type { AircherError, Problem } from '../../src/core/errors.ts';
import type { Event } from '../../src/core/events.ts';
import { sha256 } from '../../src/core/hashing.ts';
import type { FaultRule } from '../../src/rehearsal/faults.ts';
import type { Hub } from '../../src/rehearsal/hub/server.ts';
import { startStaticMirror } from '../../src/rehearsal/static-mirror.ts';
import { type HubSource, hubSourceOf } from '../../src/release/hub-source/hub-source.ts';
import { stageHubSources } from '../../src/release/hub-source/stage-sources.ts';
import { listModel } from '../../src/release/plan/source-listing.ts';
import type { Workspace } from '../../src/release/workspace.ts';
import type { RemoteTuning } from '../../src/targets/remote.ts';
import { commitFiles, hubToken, startTestHub } from '../fixtures/hub-repository.ts';
import { createReleaseWorkspace, modelConfig } from '../fixtures/release-workspace.ts';
import { tinyModelFiles } from '../fixtures/tiny-model.ts';

const quick: RemoteTuning = {
  attempts: 4,
  baseDelayMs: 2,
  maxDelayMs: 10,
  maxWaitMs: 5000,
  deadlines: { connectMs: 2000, stallMs: 400, totalMs: 10_000, minBytesPerSecond: 1_000_000 },
};

const repository = 'acme/tiny';
/** About 1 MB of weights in large file storage, so that there is a middle to break off at. */
const files = tinyModelFiles({ layers: 2, hidden: 96, vocabulary: 500 });
const weights = files.get('model.safetensors')!;

interface Scene {
  readonly hub: Hub;
  readonly revision: string;
  readonly source: HubSource;
  readonly workspace: Workspace & { readonly events: Event[] };
  stage(changes?: Partial<Workspace>): Promise<readonly Problem[]>;
  staged(path: string): Promise<Buffer>;
}

async function scene(
  t: TestContext,
  options: {
    readonly settings?: Parameters<Hub['createRepository']>[1];
    readonly token?: string;
    readonly include?: readonly string[];
    readonly revision?: string;
    readonly repository?: string;
  } = {},
): Promise<Scene> {
  const hub = await startTestHub(t);
  const pushed = await commitFiles(hub, repository, files, options.settings);
  hub.log.clear();
  const revision = options.revision ?? pushed;
  const out = await mkdtemp(join(tmpdir(), 'aircher-stage-'));
  t.after(() => rm(out, { recursive: true, force: true }));
  const events: Event[] = [];
  const workspace = {
    configFile: 'manifests/release.json',
    out,
    directory: out,
    environment: readEnvironment({ HF_ENDPOINT: hub.url, HF_TOKEN: options.token ?? '' }),
    offline: false,
    models: undefined,
    events,
    onEvent: (event: Event) => events.push(event),
  };
  const config = {
    version: '1.0.0',
    license: 'Apache-2.0',
    source: { huggingface: options.repository ?? repository, revision },
    ...(options.include === undefined ? {} : { include: [...options.include] }),
  };
  const source = hubSourceOf('tiny', config, workspace)!;
  return {
    hub,
    revision,
    source,
    workspace,
    stage: (changes = {}) => stageHubSources([source], { ...workspace, ...changes }, quick),
    staged: (path) => readFile(join(source.directory, path)),
  };
}

async function assertStaged({ staged }: Scene, expected = files): Promise<void> {
  for (const [path, bytes] of expected) assert.equal(sha256(await staged(path)), sha256(bytes), path);
}

const contents = (hub: Hub) => hub.log.entries.filter(({ path }) => !path.startsWith('/api/models/'));
const cdn = (hub: Hub) => hub.log.entries.filter(({ origin }) => origin === 'cdn');

describe('models from the Hub', () => {
  it('are planned from the listing, staged, packed and released with their source in the manifest', async (t) => {
    const hub = await startTestHub(t);
    const revision = await commitFiles(hub, repository, new Map([...files, ['pytorch_model.bin', Buffer.from('x')]]));
    const workspace = await createReleaseWorkspace(t);
    const env = { HF_ENDPOINT: hub.url };
    const source = { huggingface: repository, revision };
    const include = ['*.safetensors', '*.json', 'vocab.txt', 'README.md', 'LICENSE', '1_Pooling/*'];
    await workspace.configure({ models: { tiny: modelConfig('tiny', '1.0.0', { source, include }) } });

    hub.log.clear();
    const plan = await workspace.run(['plan', '--json'], { env });
    assert.equal(plan.exitCode, 0, plan.stderr);
    const bytes = [...files.values()].reduce((sum, file) => sum + file.length, 0);
    const [model] = JSON.parse(plan.stdout).models;
    assert.deepEqual([model.source_bytes, model.source_file_count], [bytes, files.size]);
    assert.deepEqual(contents(hub), [], 'no content is asked for');

    const release = await workspace.run(['release', '--json'], { env });
    assert.equal(release.exitCode, 0, release.stderr);
    const manifest = parseManifest(await readFile(workspace.path('mirror/manifest.json')), 'manifest.json');
    assert.deepEqual(manifest.models.tiny?.source, source);
    const digests = new Map(manifest.models.tiny?.files?.map((file) => [file.path, file.sha256]));
    assert.deepEqual(digests, new Map([...files].sort().map(([path, file]) => [path, sha256(file)])));
    assert.deepEqual(await readdir(workspace.path('release/.sources/tiny')), [revision, `${revision}.json`]);

    // Another pin under a published version must hold the same files.
    const readme = Buffer.from('---\nlicense: apache-2.0\n---\nOther.\n');
    for (const [path, content, message] of [
      ['notes.txt', Buffer.from('not included'), undefined],
      ['README.md', readme, /tiny 1\.0\.0 is published, but README\.md has 3\d bytes/],
    ] as const) {
      const moved = await commitFiles(hub, repository, new Map([[path, content]]));
      const config = modelConfig('tiny', '1.0.0', { source: { huggingface: repository, revision: moved }, include });
      await workspace.configure({ release: '1.0.1', models: { tiny: config } });
      const again = await workspace.run(['stage'], { env });
      assert.equal(again.exitCode, 3, 'the plan is of another release.json');
      await workspace.run(['plan'], { env });
      const staged = await workspace.run(['stage'], { env });
      assert.equal(staged.exitCode, message === undefined ? 0 : 3, staged.stderr);
      if (message) assert.match(staged.stderr, message);
    }
  });

  it('only included files are downloaded, and the plan names patterns without a file', async (t) => {
    const here = await scene(t, { include: ['config.json', '1_Pooling/*', 'nothing.*'] });
    const listed = await listModel('tiny', here.source.config, here.workspace, quick);
    assert.deepEqual(
      listed.files.map(({ path }) => path),
      ['1_Pooling/config.json', 'config.json'],
    );
    assert.match(listed.problems[0]?.message ?? '', /no file matches "nothing\.\*"/);
    assert.deepEqual(await here.stage(), []);
    assert.deepEqual((await readdir(here.source.directory)).sort(), ['1_Pooling', 'config.json']);
  });

  it('what is staged is not asked for or read again; a changed file is fetched again, and only it', async (t) => {
    const here = await scene(t);
    assert.deepEqual(await here.stage(), []);
    await assertStaged(here);
    here.hub.log.clear();
    assert.deepEqual(await here.stage({ offline: true }), []);
    assert.deepEqual(here.hub.log.entries, [], 'no request at all');
    const changed = Buffer.from(weights);
    changed[changed.length - 1]! ^= 1;
    await writeFile(join(here.source.directory, 'model.safetensors'), changed);
    assert.deepEqual(await here.stage(), []);
    await assertStaged(here);
    assert.equal(cdn(here.hub).length, 1);
    assert.equal(contents(here.hub).length, 2);
  });

  it('without the record, what is there is hashed and kept', async (t) => {
    const here = await scene(t);
    await here.stage();
    await rm(`${here.source.directory}.json`);
    here.hub.log.clear();
    assert.deepEqual(await here.stage(), []);
    assert.deepEqual(contents(here.hub), []);
  });

  it('an interrupted stage is gone on from where it ended, and progress never runs backwards', async (t) => {
    const here = await scene(t);
    const half = Math.floor(weights.length / 2);
    here.hub.faults.add({ match: { origin: 'cdn' }, action: { kind: 'stall', atByte: half, ms: 60_000 } });
    const controller = new AbortController();
    const onEvent = (event: Event) => {
      if (event.type === 'progress' && event.done > half) controller.abort();
    };
    await assert.rejects(here.stage({ signal: controller.signal, onEvent }), { code: 'interrupted' });
    here.hub.log.clear();
    assert.deepEqual(await here.stage(), []);
    await assertStaged(here);
    const [request] = cdn(here.hub);
    const from = Number(/^bytes=(\d+)-$/.exec(request?.range ?? '')?.[1]);
    assert.ok(from > 0 && from <= half, `resumed at ${from}`);
    assert.equal(request?.bytesOut, weights.length - from);
    assert.ok(!(await readdir(join(here.source.directory, '..'))).includes(`${here.revision}.part`));
    const done = here.workspace.events.flatMap((event) => (event.type === 'progress' ? [event.done] : []));
    assert.deepEqual(
      done,
      [...done].sort((a, b) => a - b),
    );
    assert.equal(
      done.at(-1),
      [...files.values()].reduce((sum, file) => sum + file.length, 0),
    );
  });

  it('the token goes to the endpoint alone, not to storage, and not across a redirect to another host', async (t) => {
    const here = await scene(t, { token: hubToken, settings: { private: true } });
    const directory = await mkdtemp(join(tmpdir(), 'aircher-elsewhere-'));
    t.after(() => rm(directory, { recursive: true, force: true }));
    await writeFile(join(directory, 'vocab.txt'), files.get('vocab.txt')!);
    const elsewhere = await startStaticMirror({ directory, host: 'localhost' });
    t.after(() => elsewhere.close());
    here.hub.faults.add({
      match: { path: /resolve.*vocab\.txt/ },
      action: { kind: 'redirect', to: `${elsewhere.url}/vocab.txt` },
    });
    assert.deepEqual(await here.stage(), []);
    await assertStaged(here);
    assert.ok(here.hub.log.entries.some((entry) => entry.origin === 'hub' && entry.authorization));
    assert.ok(cdn(here.hub).length > 0);
    assert.deepEqual(
      [...cdn(here.hub), ...elsewhere.log.entries].filter(({ authorization }) => authorization),
      [],
    );
    assert.equal(elsewhere.log.entries.length, 1);
    assert.ok(!JSON.stringify(here.workspace.events).includes(hubToken));
  });
});

describe('a bad day at the Hub', () => {
  const resolve = { path: /\/resolve\/.*model\.safetensors/ };
  const onceMended: Readonly<Record<string, Omit<FaultRule, 'times'>>> = {
    'a 503 with Retry-After': {
      match: resolve,
      action: { kind: 'status', status: 503, headers: { 'retry-after': '0' } },
    },
    'a 429 with RateLimit': {
      match: resolve,
      action: { kind: 'status', status: 429, headers: { ratelimit: '"resolvers";r=0;t=0' } },
    },
    'a 500 of the listing': { match: { path: /\/tree\// }, action: { kind: 'status', status: 500 } },
    'a torn listing': { match: { path: /\/tree\// }, action: { kind: 'truncate', atByte: 50 } },
    'a reset connection': { match: { origin: 'cdn' }, action: { kind: 'reset', atByte: 300_000 } },
    'a body that ends early': { match: { origin: 'cdn' }, action: { kind: 'truncate', atByte: 300_000 } },
    'a stalled body': { match: { origin: 'cdn' }, action: { kind: 'stall', atByte: 300_000 } },
    'a flipped byte': { match: { origin: 'cdn' }, action: { kind: 'flip', atByte: 300_000 } },
    'a web page with status 200': { match: { origin: 'cdn' }, action: { kind: 'html' } },
    'a signed URL that has expired': { match: resolve, action: { kind: 'expired-url' } },
    'a compressed body': { match: { origin: 'cdn' }, action: { kind: 'gzip' } },
  };
  for (const [name, rule] of Object.entries(onceMended)) {
    it(`${name}: the stage goes on and ends with the right bytes`, async (t) => {
      const here = await scene(t);
      here.hub.faults.add({ name, ...rule });
      assert.deepEqual(await here.stage(), []);
      assert.equal(here.hub.faults.hits(name), 1);
      await assertStaged(here);
    });
  }

  for (const kind of ['ignore-range', 'slice-as-200', 'wrong-content-range'] as const) {
    it(`${kind} after a reset: the right bytes all the same`, async (t) => {
      const here = await scene(t);
      here.hub.faults.add({ match: { origin: 'cdn' }, action: { kind: 'reset', atByte: 300_000 } });
      here.hub.faults.add({ match: { origin: 'cdn' }, nth: 2, action: { kind } });
      assert.deepEqual(await here.stage(), []);
      await assertStaged(here);
    });
  }

  it('bytes that stay wrong are an integrity error, and never get the final name', async (t) => {
    const here = await scene(t);
    here.hub.faults.add({ match: { origin: 'cdn' }, times: 'always', action: { kind: 'flip', atByte: 1000 } });
    await assert.rejects(here.stage(), (error: AircherError) => {
      assert.equal(error.code, 'integrity');
      assert.match(error.message, /model\.safetensors: what arrives has the sha256 .* the Hub lists/);
      return true;
    });
    await assert.rejects(here.staged('model.safetensors'), { code: 'ENOENT' });
    here.hub.faults.clear();
    assert.deepEqual(await here.stage(), []);
    await assertStaged(here);
  });

  it('a Hub that stays down is exit 5 in bounded time, and the next run completes it', async (t) => {
    const here = await scene(t);
    here.hub.faults.add({ match: { origin: 'cdn' }, times: 'always', action: { kind: 'status', status: 502 } });
    await assert.rejects(here.stage(), { code: 'remote' });
    here.hub.faults.clear();
    assert.deepEqual(await here.stage(), []);
  });
});

describe('repositories that can not be had', () => {
  const missing = 'f'.repeat(40);
  const cases = {
    'gated, without a token': {
      options: { settings: { gated: 'auto' as const } },
      code: 'conflict',
      says: /is gated/,
      hint: /Accept its terms at http.*acme\/tiny, then set HF_TOKEN/,
    },
    'gated, with a token of somebody else': {
      options: { settings: { gated: 'manual' as const }, token: 'hf_stranger' },
      code: 'conflict',
      says: /is gated/,
      hint: /with the account of HF_TOKEN/,
    },
    'private, without a token': {
      options: { settings: { private: true } },
      code: 'conflict',
      says: /does not exist, or is private/,
      hint: /set HF_TOKEN/,
    },
    'missing, with a token': {
      options: { repository: 'acme/nothing', token: hubToken },
      code: 'conflict',
      says: /acme\/nothing: does not exist, or is private/,
      hint: /Correct "huggingface"/,
    },
    'a revision that is not there': {
      options: { revision: missing },
      code: 'invalid',
      says: /has no revision f{40}/,
      hint: /Copy a full commit id from/,
    },
    'a token that is none': {
      options: { token: 'hf_madeUp' },
      code: 'conflict',
      says: /token is not valid or has expired/,
      hint: /HF_TOKEN/,
    },
  };
  for (const [name, { options, code, says, hint }] of Object.entries(cases)) {
    it(`${name}: what is wrong, where, and the remedy, before any byte`, async (t) => {
      const here = await scene(t, options);
      const [problem, ...others] = await here.stage();
      assert.equal(problem?.code, code);
      assert.equal(problem?.path, '$.models.tiny.source');
      assert.match(problem?.message ?? '', says);
      assert.match(problem?.hint ?? '', hint);
      assert.deepEqual(others, []);
      assert.deepEqual(contents(here.hub), []);
    });
  }

  it('a gated repository is staged with a token that may', async (t) => {
    const here = await scene(t, { settings: { gated: 'auto' }, token: hubToken });
    assert.deepEqual(await here.stage(), []);
    await assertStaged(here);
  });

  it('offline, an unstaged source says so', async (t) => {
    const here = await scene(t);
    const [problem] = await here.stage({ offline: true });
    assert.equal(problem?.code, 'remote');
    assert.match(problem?.message ?? '', /tiny is not staged/);
  });
});
