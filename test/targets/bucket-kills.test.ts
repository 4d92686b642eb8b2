import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { bucketScene, partBytes, smallFiles } from './bucket-scene.ts';
import { bytesOf, makeRelease, temporaryDirectory } from './scene.ts';

const kills = Number(process.env.AIRCHER_TEST_KILLS ?? 6);
const child = fileURLToPath(new URL('./bucket-in-child.ts', import.meta.url));

test(`killed ${kills} times at moments of any kind, publication to a bucket still ends in one whole release, and sends no part again that had arrived`, async (t) => {
  // Counted, since a busy machine makes every time another one.
  let [asked, last] = [0, Number.POSITIVE_INFINITY];
  let running: ChildProcess | undefined;
  const scene = await bucketScene(t, {
    limits: { sharedBytesPerSecond: 100_000_000 },
    onRequest: () => {
      if (++asked === last) setTimeout(() => running?.kill('SIGKILL'), Math.random() * 60);
    },
  });
  const directory = await temporaryDirectory(t);
  let rounds = 0;
  for (let killed = 0; killed < kills; rounds++) {
    const version = `1.${rounds}.0`;
    const large = bytesOf(`large ${version}`, 2 * partBytes + 1000);
    const release = await makeRelease(t, { version, files: { ...smallFiles(version), 'large.tar.gz': large } });
    const path = join(directory, 'release.json');
    await writeFile(path, JSON.stringify(release));
    scene.s3.log.clear();
    for (let finished = false; !finished; ) {
      // A whole run asks about so often; one that goes on less.
      [asked, last] = [0, killed < kills ? 1 + Math.floor(Math.random() * 60) : Number.POSITIVE_INFINITY];
      running = spawn(process.execPath, [child, path, scene.s3.url], { stdio: 'inherit' });
      const [code] = (await once(running, 'exit')) as [number | null];
      if (code === null) killed++;
      assert.ok(code === 0 || code === null, `exit ${code} after ${killed} kills`);
      finished = code === 0;
    }
    for (const { name, sha256 } of release.files) {
      assert.equal(scene.sha256Of(`${release.tag}/${name}`), sha256, name);
      if (!name.startsWith('tiny') && !name.startsWith('large'))
        assert.equal(scene.sha256Of(name), sha256, `root ${name}`);
    }
    assert.deepEqual(scene.s3.openUploads(), []);
    const parts = scene.s3.log.entries.filter(
      ({ path: at, status }) => at.includes('x-id=UploadPart') && status === 200,
    );
    for (const number of ['1', '2', '3']) {
      const whole = parts.filter(
        ({ path: at }) => at.includes(`partNumber=${number}&`) || at.endsWith(`partNumber=${number}`),
      );
      assert.equal(whole.length, 1, `part ${number}`);
    }
  }
  t.diagnostic(`${rounds} releases`);
});
