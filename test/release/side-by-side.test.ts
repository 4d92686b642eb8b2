import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Event } from '../../src/core/events.ts';
import { runRelease } from '../../src/release/pipeline.ts';
import type { Target } from '../../src/targets/target.ts';
import { createPublishScene } from './publish-scene.ts';

type Progress = Extract<Event, { type: 'upload-progress' }>;

describe('publishing to several hosts', () => {
  it('sends to all of them at once', async (t) => {
    const scene = await createPublishScene(t);
    const { loaded, workspace, targets } = await scene.inside();
    // Each upload begins when all have been asked to begin: one after the other, none ever would.
    let waiting = targets.length;
    let open = (): void => {};
    const all = new Promise<void>((resolve) => {
      open = resolve;
    });
    const meeting = targets.map(
      (target): Target => ({
        ...target,
        upload: async (...args) => {
          waiting--;
          if (waiting === 0) open();
          await all;
          await target.upload(...args);
        },
      }),
    );
    const { publish } = await runRelease(loaded, meeting, workspace);
    assert.equal(publish.state, 'public');
    assert.deepEqual(
      publish.sent.map(({ target }) => target),
      ['github', 'huggingface', 'mirror'],
    );
  });

  it('where one fails, the others get their files, the failure is told at once, and the next run sends the rest', async (t) => {
    const scene = await createPublishScene(t);
    scene.github.faults.add({ match: { origin: 'uploads' }, times: 'always', action: { kind: 'status', status: 500 } });
    const events: Event[] = [];
    const { loaded, workspace, targets } = await scene.inside((event) => events.push(event));
    await assert.rejects(runRelease(loaded, targets, workspace), { code: 'remote' });
    assert.ok(
      events.some(
        ({ type, ...event }) => type === 'warning' && JSON.stringify(event).includes('the other hosts get the rest'),
      ),
    );
    const puts = (): number =>
      scene.requests().filter(({ origin, method }) => origin === 'cdn' && method === 'PUT').length;
    const before = puts();
    assert.ok(before > 0);
    scene.clearFaults();
    assert.equal((await runRelease(loaded, targets, workspace)).publish.state, 'public');
    assert.equal(puts(), before);
  });

  it('tells for each host how far it is in all, and of every file that is there: host, name, bytes', async (t) => {
    const scene = await createPublishScene(t);
    const events: Event[] = [];
    const { loaded, workspace, targets } = await scene.inside((event) => events.push(event));
    const { publish } = await runRelease(loaded, targets, workspace);
    for (const { target, files, bytes } of publish.sent) {
      const told = events.filter(
        (event): event is Progress => event.type === 'upload-progress' && event.host === target,
      );
      const done = told.map((event) => event.done);
      assert.equal(done[0], 0);
      assert.equal(done.at(-1), bytes, target);
      assert.deepEqual(
        done,
        [...done].sort((a, b) => a - b),
      );
      assert.ok(told.every((event) => event.total === bytes && event.files === files.length));
      const finished = events.flatMap((event) =>
        event.type === 'done' && event.task === 'upload' && event.via === target ? [event] : [],
      );
      assert.deepEqual(finished.map(({ subject }) => subject).sort(), [...files].sort());
      assert.equal(
        finished.reduce((sum, event) => sum + (event.bytes ?? 0), 0),
        bytes,
      );
    }
  });
});
