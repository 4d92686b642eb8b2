import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { bytesOf, githubScene, hubScene, makeRelease, repository, temporaryDirectory } from './scene.ts';

const kills = Number(process.env.AIRCHER_TEST_KILLS ?? 6);
const child = fileURLToPath(new URL('./publish-in-child.ts', import.meta.url));

test(`killed ${kills} times at moments of any kind, publication still ends in one whole release, and sends nothing whole again`, async (t) => {
  const limits = { bytesPerSecond: 4_000_000 };
  const github = await githubScene(t, { limits });
  const hub = await hubScene(t, { limits });
  const directory = await temporaryDirectory(t);
  let rounds = 0;
  for (let killed = 0; killed < kills; rounds++) {
    const version = `1.${rounds}.0`;
    const release = await makeRelease(t, {
      version,
      files: {
        'a.tar.gz': bytesOf(`a ${version}`, 600_000),
        'b.tar.gz': bytesOf(`b ${version}`, 600_000),
        'manifest.json': `{"manifest_version":"1.0.0","release":"models-v${version}","models":{}}\n`,
      },
    });
    const path = join(directory, 'release.json');
    await writeFile(path, JSON.stringify(release));
    github.log.clear();
    hub.log.clear();
    for (let finished = false; !finished; ) {
      const running = spawn(process.execPath, [child, path, github.apiUrl, github.url, hub.url], { stdio: 'inherit' });
      const exited = once(running, 'exit');
      // A run takes about a second, most of it from half a second on; the first kills of a round
      // come early, later ones late.
      const moment = killed < kills ? 350 + Math.random() * 900 : Number.POSITIVE_INFINITY;
      const died = Number.isFinite(moment) && (await Promise.race([exited.then(() => false), delay(moment, true)]));
      if (died) {
        running.kill('SIGKILL');
        killed++;
      }
      const [code] = (await exited) as [number | null];
      assert.ok(code === 0 || code === null, `exit ${code} after ${killed} kills`);
      finished = code === 0;
    }
    const releases = github.repository(repository).releases.filter(({ tag_name: tag }) => tag === release.tag);
    assert.equal(releases.length, 1);
    assert.deepEqual(
      releases[0]?.assets.map(({ name, digest, state }) => [name, digest, state]).sort(),
      release.files.map(({ name, sha256 }) => [name, `sha256:${sha256}`, 'uploaded']).sort(),
    );
    // What arrived whole, answered or not, arrived once.
    for (const file of release.files) {
      const arrived = github.log.entries.filter(
        ({ origin, path: at, bytesIn }) =>
          origin === 'uploads' && at.includes(`name=${file.name}`) && bytesIn === file.sizeBytes,
      );
      assert.equal(arrived.length, 1, file.name);
      const stored = hub.log.entries.filter(
        ({ method, path: at, bytesIn }) => method === 'PUT' && at.includes(file.sha256) && bytesIn === file.sizeBytes,
      );
      assert.equal(stored.length, file.name.endsWith('.tar.gz') ? 1 : 0, file.name);
    }
    const main = await fetch(`${hub.url}/${repository}/resolve/main/manifest.json`);
    assert.match(await main.text(), new RegExp(`"models-v${version}"`));
  }
});
