import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { createPublishScene, type PublishScene, tokens } from './publish-scene.ts';

const canaries = Object.values(tokens);

/** A scene where git, gpg and the check command write down how they were called. */
async function listening(t: TestContext): Promise<{
  readonly scene: PublishScene;
  readonly env: Readonly<Record<string, string>>;
  heard(): Promise<string>;
}> {
  const scene = await createPublishScene(t);
  const bin = scene.workspace.path('bin');
  const record = scene.workspace.path('heard.txt');
  await mkdir(bin);
  for (const program of ['git', 'gpg', 'check']) {
    const script = `#!/bin/sh\n{ echo "${program} $@"; env; } >> "${record}"\n${program === 'check' ? 'exit 0' : 'exit 1'}\n`;
    await writeFile(join(bin, program), script);
    await chmod(join(bin, program), 0o755);
  }
  await scene.configure({ check: [join(bin, 'check'), 'model'] });
  return {
    scene,
    env: { PATH: `${bin}${delimiter}${process.env.PATH}`, SOURCE_DATE_EPOCH: '' },
    heard: () => readFile(record, 'utf8'),
  };
}

function requireSilence(where: string, text: string): void {
  for (const canary of canaries) assert.ok(!text.includes(canary), `${where} has a token: ${text.slice(0, 300)}`);
}

/** Every file below a directory, as text. */
async function contentOf(directory: string): Promise<string> {
  const texts: string[] = [];
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) texts.push(await readFile(join(entry.parentPath, entry.name), 'latin1'));
  }
  return texts.join('\n');
}

describe('tokens', { skip: process.platform === 'win32' && 'shell scripts write down how programs are called' }, () => {
  it('are in no output, no subprocess, no file, and on no host but their own', async (t) => {
    const { scene, env, heard } = await listening(t);
    const run = await scene.start(['release', '--json', '--verbose'], env);
    assert.equal(run.exitCode, 0, String(run.stderr));
    requireSilence('stdout', String(run.stdout));
    requireSilence('stderr', String(run.stderr));
    const subprocesses = await heard();
    assert.match(subprocesses, /^check model$/m);
    assert.match(subprocesses, /^git /m);
    requireSilence('a subprocess', subprocesses);
    for (const directory of ['release', 'mirror', 'manifests']) {
      requireSilence(directory, await contentOf(scene.workspace.path(directory)));
    }
    requireSilence('the record of requests', JSON.stringify(scene.requests()));
    const authorized = new Set(
      scene
        .requests()
        .filter(({ authorization }) => authorization)
        .map(({ origin }) => origin),
    );
    assert.deepEqual([...authorized].sort(), ['api', 'hub', 'uploads']);
  });

  for (const [name, host, origin, status] of [
    ['a refused upload', 'github', 'uploads', 401],
    ['an API that is down', 'github', 'api', 500],
    ['a Hub that is down', 'hub', 'hub', 502],
    ['storage that is down', 'hub', 'cdn', 503],
  ] as const) {
    it(`are in no message about ${name}, whatever the host says`, async (t) => {
      const { scene, env } = await listening(t);
      scene[host].faults.add({
        match: { origin },
        times: 'always',
        // A host that repeats what it was sent.
        action: { kind: 'status', status, body: JSON.stringify({ message: `bad token ${canaries.join(' ')}` }) },
      });
      const run = await scene.start(['release', '--json', '--verbose'], env);
      assert.ok([5, 6].includes(run.exitCode ?? 0), `exit ${run.exitCode}: ${run.stderr}`);
      requireSilence('stdout', String(run.stdout));
      requireSilence('stderr', String(run.stderr));
    });
  }
});
