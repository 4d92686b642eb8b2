import assert from 'node:assert/strict';
import { readFile, rm } from 'node:fs/promises';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { sha256 } from '../../src/core/hashing.ts';
import type { LogEntry } from '../../src/rehearsal/request-log.ts';
import { readManifest } from '../../src/release/documents/write-manifest.ts';
import { requirePlan } from '../../src/release/plan/plan-record.ts';
import { targetRelease } from '../../src/release/publish/target-release.ts';
import type { ReleaseFile } from '../../src/targets/target.ts';
import { stepOf } from './publish-faults.ts';
import { createPublishScene, modelsAt, type PublishScene, repository } from './publish-scene.ts';
import { observeReleases } from './release-observer.ts';

export interface KillReport {
  readonly kills: number;
  readonly releases: number;
  /** Runs of `publish`, killed ones included. */
  readonly runs: number;
  /** How often the output directory was made anew. */
  readonly packedAgain: number;
  /** Most runs that one release took. */
  readonly mostRuns: number;
  /** Kinds of requests after which a run was killed, and how often. */
  readonly killedAfter: Readonly<Record<string, number>>;
  readonly polls: number;
  readonly installs: number;
  readonly seconds: number;
}

/**
 * Makes releases one after another, and kills `publish` at random requests (and some moments later)
 * until `kills` are used up; after every third kill the output directory is made anew. Each release
 * must end whole, once on each host, with nothing sent again that had arrived whole, and an
 * observer at the default sources must never see one that isn't whole. Throws where that doesn't
 * hold.
 */
export async function killPublish(
  t: TestContext | undefined,
  options: { readonly kills: number; readonly random?: () => number; readonly say?: (line: string) => void },
): Promise<KillReport> {
  const { kills, random = Math.random, say = () => {} } = options;
  const started = performance.now();
  let onRequest: (entry: LogEntry) => void = () => {};
  const scene = await createPublishScene(t, {
    limits: { bytesPerSecond: 8_000_000, latencyMs: 1 },
    onRequest: (entry) => onRequest(entry),
  });
  const stop = await observeReleases(scene, t, 40);
  const killedAfter: Record<string, number> = {};
  let killed = 0;
  let runs = 0;
  let packedAgain = 0;
  let mostRuns = 0;
  let releases = 0;
  // How many requests an undisturbed run makes, as far as it is known.
  let usual = 60;
  try {
    for (; killed < kills; releases++) {
      const tag = await prepare(scene, releases);
      let runsOfThis = 0;
      for (let done = false; !done; ) {
        if (runsOfThis > 0 && killed % 3 === 0) {
          await rm(scene.workspace.path('release'), { recursive: true, force: true });
          await succeed(scene, 'release', '--dry-run');
          packedAgain++;
        }
        const running = scene.start(['publish']);
        // The publisher's requests carry a token; the observer's carry none.
        const wanted = killed < kills ? 1 + Math.floor(random() * usual) : Number.POSITIVE_INFINITY;
        let count = 0;
        let last: LogEntry | undefined;
        const reached = new Promise<true>((resolve) => {
          onRequest = (entry) => {
            if (isPublishers(entry)) count++;
            if (count < wanted || last !== undefined) return;
            last = entry;
            resolve(true);
          };
        });
        const ended = running.then(() => false);
        if (await Promise.race([reached, ended])) {
          await Promise.race([delay(random() * 25), ended]);
          running.kill('SIGKILL');
        }
        const { exitCode, signal, stderr } = await running;
        onRequest = () => {};
        await uploadsEnd(scene);
        runs++;
        runsOfThis++;
        if (signal === 'SIGKILL') {
          killed++;
          const { method, origin, path } = stepOf(last ?? { method: 'nothing', origin: '', path: '' });
          const what = `${method} ${origin} ${path}`;
          killedAfter[what] = (killedAfter[what] ?? 0) + 1;
        } else {
          assert.equal(exitCode, 0, `publish of ${tag} after ${killed} kills: ${stderr}`);
          done = true;
          if (runsOfThis === 1) usual = count;
        }
      }
      mostRuns = Math.max(mostRuns, runsOfThis);
      await checkHosts(scene, tag);
      say(`${tag}: ${runsOfThis} runs; ${killed} of ${kills} kills so far`);
    }
    const { violations, polls, installs } = await stop();
    assert.deepEqual(violations, []);
    const seconds = Math.round((performance.now() - started) / 1000);
    return { kills: killed, releases, runs, packedAgain, mostRuns, killedAfter, polls, installs, seconds };
  } finally {
    await stop();
    if (t === undefined) await scene.close();
  }
}

/**
 * What arrived whole becomes an asset a moment later, however its sender fared: a run that looks
 * before that is right to send it again.
 */
async function uploadsEnd(scene: PublishScene): Promise<void> {
  const isUnderWay = ({ origin, durationMs }: LogEntry): boolean => origin === 'uploads' && durationMs === undefined;
  for (let look = 0; look < 400 && scene.requests().some(isUnderWay); look++) await delay(5);
}

/** Writes the next release and its artifacts: beta always changes, alpha every second time. */
async function prepare(scene: PublishScene, number: number): Promise<string> {
  const release = `1.${number}.0`;
  const alpha = `1.${Math.floor(number / 2)}.0`;
  await scene.workspace.writeModel('beta', { seed: 1000 + number, hidden: 48 });
  await scene.workspace.writeModel('alpha', { seed: 2000 + Math.floor(number / 2) });
  await scene.configure({ release, models: modelsAt(release, alpha) });
  await rm(scene.workspace.path('release'), { recursive: true, force: true });
  await succeed(scene, 'release', '--dry-run');
  scene.clearLogs();
  return `models-v${release}`;
}

async function succeed(scene: PublishScene, ...args: readonly string[]): Promise<void> {
  const { exitCode, stderr } = await scene.start(args);
  assert.equal(exitCode, 0, `${args.join(' ')}: ${stderr}`);
}

/** One release, one tag, right digests everywhere, nothing sent again that was whole. */
async function checkHosts(scene: PublishScene, tag: string): Promise<void> {
  const { loaded, workspace, targets } = await scene.inside();
  const plan = await requirePlan(loaded, workspace);
  const written = await readManifest(workspace);
  const filesOf = async (kind: string): Promise<readonly ReleaseFile[]> => {
    const target = targets.find((candidate) => candidate.kind === kind);
    return (await targetRelease(loaded.config, plan, written, target!, targets, workspace)).files;
  };

  const assets = await filesOf('github');
  const releases = scene.github.repository(repository).releases;
  assert.deepEqual(
    releases.filter((release) => release.draft),
    [],
  );
  const [published, ...others] = releases.filter((release) => release.tag_name === tag);
  assert.deepEqual(others, []);
  assert.deepEqual(
    published?.assets.map(({ name, digest, state }) => `${name} ${digest} ${state}`).sort(),
    assets.map(({ name, sha256 }) => `${name} sha256:${sha256} uploaded`).sort(),
  );

  const refs = (await (await fetch(`${scene.hub.url}/api/models/${repository}/refs`)).json()) as {
    readonly branches: readonly { readonly name: string }[];
    readonly tags: readonly { readonly name: string }[];
  };
  assert.deepEqual(
    refs.branches.map(({ name }) => name),
    ['main'],
  );
  assert.equal(refs.tags.filter(({ name }) => name === tag).length, 1);
  for (const revision of [tag, 'main']) {
    for (const file of await filesOf('huggingface')) {
      const url = `${scene.hub.url}/${repository}/resolve/${revision}/${file.name}`;
      const bytes = Buffer.from(await (await fetch(url)).arrayBuffer());
      assert.equal(sha256(bytes), file.sha256, url);
    }
  }
  const { exitCode, stderr } = await scene.start(['verify', tag]);
  assert.equal(exitCode, 0, String(stderr));
  const [root, own] = await Promise.all(
    ['mirror/manifest.json', 'release/manifest.json'].map((path) => readFile(scene.workspace.path(path))),
  );
  assert.deepEqual(root, own);

  const requests = scene.requests();
  for (const { name, sizeBytes } of assets) {
    const arrived = requests.filter(
      ({ origin, path, bytesIn }) =>
        origin === 'uploads' && new URLSearchParams(path.split('?')[1]).get('name') === name && bytesIn === sizeBytes,
    );
    assert.equal(arrived.length, 1, `${name} arrived whole at GitHub`);
  }
  const large = requests.filter(({ origin, method, status }) => origin === 'cdn' && method === 'PUT' && status === 200);
  const objects = large.map(({ path }) => path.split('?')[0]);
  assert.equal(new Set(objects).size, objects.length, 'an object was stored twice on the Hub');
}

/** Requests of the publisher; the observer has no token, and its downloads go elsewhere. */
function isPublishers({ origin, authorization, method }: LogEntry): boolean {
  return authorization || origin === 'uploads' || method === 'PUT';
}
