import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { readInstalled, readLinkedVersion } from '../../src/fetch/cache/installed.ts';
import { type CacheLayout, cacheLayout } from '../../src/fetch/cache/layout.ts';
import { locateCache } from '../../src/fetch/cache/locate.ts';
import { writeRecord } from '../../src/fetch/cache/records.ts';
import { pointCurrent, type SwitchOptions, switchCurrent } from '../../src/fetch/cache/switch-current.ts';

const real = { symlink: fs.symlink, rename: fs.rename, rm: fs.rm, cp: fs.cp };

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code });
}

/** A cache with two versions of one model, made by hand. */
async function cacheWithVersions(t: TestContext): Promise<CacheLayout> {
  const layout = cacheLayout(await mkdtemp(join(tmpdir(), 'aircher-switch-')));
  t.after(() => rm(layout.root, { recursive: true, force: true }));
  for (const version of ['1.0.0', '1.1.0']) {
    await mkdir(layout.version('alpha', version), { recursive: true });
    await writeFile(join(layout.version('alpha', version), 'config.json'), version);
    await writeFile(join(layout.version('alpha', version), '.version'), `${version}\n`);
    await writeRecord(layout, {
      record_version: 1,
      cache: layout,
      model: 'alpha',
      version,
      installed_at: '2026-01-01T00:00:00Z',
      manifest_sha256: '0'.repeat(64),
      local: false,
      wanted: ['default'],
      files: [],
      entry: { version, size_bytes: 0, sha256: '0'.repeat(64), download_urls: { mirror: 'https://example.org/x' } },
    });
  }
  return layout;
}

const windows: readonly (readonly [string, SwitchOptions])[] = [
  ['by a junction', { platform: 'win32', fileSystem: real, patienceMs: 1000 }],
  [
    'by a copy, where the file system has no links',
    {
      platform: 'win32',
      patienceMs: 1000,
      fileSystem: {
        ...real,
        symlink: async () => {
          throw systemError('EPERM');
        },
      },
    },
  ],
];

for (const [how, options] of windows) {
  test(`Windows switches ${how}, again and again`, async (t) => {
    const layout = await cacheWithVersions(t);
    for (const version of ['1.0.0', '1.1.0', '1.0.0']) {
      await switchCurrent(layout, 'alpha', version, options);
      assert.equal(await readFile(join(layout.current('alpha'), 'config.json'), 'utf8'), version);
      assert.equal(await readLinkedVersion(layout, 'alpha'), version);
    }
    assert.deepEqual(await readdir(layout.models), ['alpha'], 'nothing is left beside');
    assert.equal(await readFile(join(layout.version('alpha', '1.1.0'), 'config.json'), 'utf8'), '1.1.0');
  });

  test(`Windows ${how}: a virus scanner that holds the fresh link for a moment is waited for`, async (t) => {
    const layout = await cacheWithVersions(t);
    let refusals = 3;
    const fileSystem = {
      ...(options.fileSystem ?? real),
      rename: async (from: string, to: string) => {
        if (refusals-- > 0) throw systemError(['EPERM', 'EACCES', 'EBUSY'][refusals % 3]!);
        return fs.rename(from, to);
      },
    };
    await switchCurrent(layout, 'alpha', '1.1.0', { ...options, fileSystem: fileSystem as typeof real });
    assert.equal(await readLinkedVersion(layout, 'alpha'), '1.1.0');
  });

  test(`Windows ${how}: a switch that dies between remove and rename is completed by the intention`, async (t) => {
    const layout = await cacheWithVersions(t);
    await switchCurrent(layout, 'alpha', '1.0.0', options);
    const dying = {
      ...(options.fileSystem ?? real),
      rename: async () => {
        throw systemError('EIO');
      },
    };
    await assert.rejects(switchCurrent(layout, 'alpha', '1.1.0', { ...options, fileSystem: dying as typeof real }));
    assert.equal(await readLinkedVersion(layout, 'alpha'), undefined, 'removed, not renamed');
    assert.equal((await readInstalled(layout, 'alpha'))?.current, '1.1.0');
    await pointCurrent(layout, 'alpha', '1.1.0', options);
    assert.equal(await readLinkedVersion(layout, 'alpha'), '1.1.0');
  });
}

test('POSIX: the switch is one rename; there is no moment without the model', async (t) => {
  const layout = await cacheWithVersions(t);
  await switchCurrent(layout, 'alpha', '1.0.0');
  let watching = true;
  let looks = 0;
  const watch = (async () => {
    while (watching) {
      const text = await readFile(join(layout.current('alpha'), 'config.json'), 'utf8');
      assert.match(text, /^1\.[01]\.0$/);
      looks++;
    }
  })();
  for (let round = 0; round < 50; round++) await switchCurrent(layout, 'alpha', round % 2 ? '1.0.0' : '1.1.0');
  watching = false;
  await watch;
  assert.ok(looks > 0);
});

test('the cache is found by the rules of each platform', () => {
  const at = (env: Record<string, string>, platform: NodeJS.Platform = 'linux', home?: string) =>
    locateCache({ namespace: 'ns', env, platform, home: () => home }).root;
  assert.equal(at({ AIRCHER_CACHE_DIR: '/c', XDG_CACHE_HOME: '/x' }), '/c');
  assert.equal(at({ XDG_CACHE_HOME: '/x' }), '/x/ns');
  assert.equal(at({ XDG_CACHE_HOME: 'relative' }, 'linux', '/h'), '/h/.cache/ns');
  assert.equal(at({ LOCALAPPDATA: '/appdata' }, 'win32', '/h'), '/appdata/ns');
  assert.equal(at({ LOCALAPPDATA: '/appdata' }, 'linux', '/h'), '/h/.cache/ns');
  assert.equal(locateCache({ namespace: 'ns', cacheDir: '/d', env: { AIRCHER_CACHE_DIR: '/c' } }).root, '/d');
  assert.throws(() => at({}), /no home directory/);
});
