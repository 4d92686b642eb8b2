import assert from 'node:assert/strict';
import { mkdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { constants, gzipSync } from 'node:zlib';
import { execa } from 'execa';
import type { ArchiveFormat } from '../../src/contract/chunk-index.ts';
import type { ManifestModel } from '../../src/contract/manifest.ts';
import { sha256 } from '../../src/core/hashing.ts';
import { end, entry, pax, rawEntry } from '../archive/tar-parts.ts';
import { fitting } from '../fixtures/weights-entry.ts';
import { type Arena, createArena, requireRefused } from './arena.ts';

const config = entry({ path: 'victim/config.json' }, '{}');
const declared = [{ path: 'config.json', size_bytes: 2, sha256: sha256('{}') }];

/** The attacker's manifest, whose entry of the victim has this archive and no index. */
async function plantArchive(
  arena: Arena,
  archive: Buffer,
  format: ArchiveFormat,
  files: ManifestModel['files'],
): Promise<void> {
  const { index: _, ...victim } = arena.victim;
  const own = {
    format,
    size_bytes: archive.length,
    sha256: sha256(archive),
    download_urls: { mirror: await arena.plant(`victim.${format}`, archive) },
    ...fitting({ files }),
  };
  const models = { ...arena.manifest.models, victim: { ...victim, ...own } };
  await arena.plant('manifest.json', JSON.stringify({ ...arena.manifest, models }));
}

const gz = (...parts: readonly Buffer[]): Buffer => gzipSync(Buffer.concat(parts));

test('archives without an index, with their right sha256 in an unsigned manifest', async (t) => {
  const arena = await createArena(t);
  const refused = (
    name: string,
    archive: Buffer,
    options: { readonly format?: ArchiveFormat; readonly files?: ManifestModel['files']; readonly says?: RegExp } = {},
  ): Promise<void> =>
    t.test(`refused: ${name}`, async () => {
      for (const files of 'files' in options ? [options.files] : [undefined, declared]) {
        await plantArchive(arena, archive, options.format ?? 'tar.gz', files);
        const outcome = await arena.attack(['install', 'victim']);
        requireRefused(outcome, [4]);
        if (options.says) assert.match(outcome.stderr, options.says);
      }
    });

  await t.test('the honest one is installed', async () => {
    await plantArchive(arena, gz(entry({ path: 'victim/', type: 'Directory' }), config, end), 'tar.gz', declared);
    await assert.rejects(arena.attack(['install', 'victim']), /something was touched/);
  });

  const outside = arena.world.path('outside', 'evil');
  await refused(
    'a symbolic link out of the cache',
    gz(config, entry({ path: 'victim/l', type: 'SymbolicLink', linkpath: outside }), end),
  );
  await refused(
    'a symbolic link to a folder, and a file through it',
    gz(
      entry({ path: 'victim/l', type: 'SymbolicLink', linkpath: arena.world.path('outside') }),
      entry({ path: 'victim/l/evil' }, 'evil'),
      end,
    ),
  );
  await refused(
    'a hard link out of the cache',
    gz(config, entry({ path: 'victim/l', type: 'Link', linkpath: outside }), end),
  );
  await refused(
    'a hard link to another model',
    gz(entry({ path: 'victim/config.json', type: 'Link', linkpath: '../../innocent/1.0.0/config.json' }), end),
  );
  await refused('a character device', gz(config, entry({ path: 'victim/d', type: 'CharacterDevice' }), end));
  await refused('a block device', gz(config, entry({ path: 'victim/d', type: 'BlockDevice' }), end));
  await refused('a named pipe', gz(config, entry({ path: 'victim/p', type: 'FIFO' }), end));
  await refused('a path up and out', gz(config, entry({ path: 'victim/../../outside/evil' }, 'evil'), end));
  await refused('an absolute path', gz(entry({ path: outside }, 'evil'), end));
  await refused('a path into another model', gz(entry({ path: 'innocent/config.json' }, 'evil'), end));
  await refused('a pax path up and out', gz(pax({ path: 'victim/../../outside/evil' }), config, end));
  await refused('a pax link', gz(pax({ linkpath: outside }), config, end));
  await refused('setuid', gz(entry({ path: 'victim/config.json', mode: 0o4755 }, '{}'), end));
  await refused('setgid', gz(entry({ path: 'victim/config.json', mode: 0o2755 }, '{}'), end));
  await refused('a file twice', gz(config, config, end));
  await refused('a file twice, in other case', gz(config, entry({ path: 'victim/CONFIG.json' }, '{}'), end));
  await refused('a file of our own', gz(config, entry({ path: 'victim/.version' }, '9.9.9\n'), end));
  await refused('a sparse file', gz(rawEntry('S', '', 'victim/config.json'), end));
  await refused('no end', gz(config));
  await refused('something behind the end', gz(config, end, config, end));
  await refused('no archive at all', Buffer.from('<!doctype html>'.repeat(100)));
  await refused('half of it', gz(config, end).subarray(0, 60));
  await refused('a flipped bit inside', flipped(gz(config, end)));
  await refused('a format that it isn’t: a gzip said to be a tar', gz(config, end), { format: 'tar' });
  await refused('a format that it isn’t: a gzip said to be zstd', gz(config, end), { format: 'tar.zst' });
  await refused('a format that it isn’t: a tar said to be a gzip', Buffer.concat([config, end]));
  await refused('a file that the manifest doesn’t have', gz(config, entry({ path: 'victim/more' }, 'x'), end), {
    files: declared,
  });
  await refused('a file less than the manifest has', gz(entry({ path: 'victim/', type: 'Directory' }), end), {
    files: declared,
  });
  await refused('a file of another size', gz(entry({ path: 'victim/config.json' }, '{} '), end), { files: declared });
  await refused('a file of other bytes', gz(entry({ path: 'victim/config.json' }, '[]'), end), { files: declared });

  const huge = rawEntry('x', `33 size=${'7'.repeat(18)}\n`);
  await refused('a file that is said to have 777 petabytes', gz(huge, config, end));
  await refused(
    'a name of a megabyte',
    gz(rawEntry('L', `victim/${'x'.repeat(1_000_000)}`, '././@LongLink'), config, end),
  );
  const folders = Array.from({ length: 20_002 }, (_, at) => entry({ path: `victim/${at}/`, type: 'Directory' }));
  await refused('more folders than a model can have', gz(...folders, end), {
    says: /too many entries|unpacks to more/,
  });
  const deep = `victim/${'a/'.repeat(600)}`;
  await refused('folders in folders', gz(pax({ path: deep }), entry({ path: 'victim/x/', type: 'Directory' }), end), {
    files: undefined,
  });

  const zeros = gzipSync(Buffer.alloc(64 * 1024 * 1024), { level: 9 });
  const bomb = Buffer.concat(Array(32).fill(zeros));
  await refused('two gigabytes of zeros in two megabytes', bomb);
  const bigFile = entry({ path: 'victim/config.json', size: 2 ** 31 } as Parameters<typeof entry>[0]).subarray(0, 512);
  await refused('two gigabytes of a file in two megabytes', Buffer.concat([gzipSync(bigFile), bomb]), {
    says: /unpacks to more|2147483648/,
  });
  await refused('zeros without an end behind the end', Buffer.concat([gz(config, end), bomb]), {
    says: /unpacks to more/,
  });
});

function flipped(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  copy[copy.length >> 1]! ^= 1;
  return copy;
}

test('what may lie in a folder or beside an archive that somebody brought', async (t) => {
  const arena = await createArena(t);
  const { world, manifest, victim } = arena;
  const folder = world.path('home', 'usb');
  const contents = new Map<string, Buffer>();
  for (const { path } of victim.files!) contents.set(path, await readFile(world.path('sources/victim/1.0.0', path)));

  const refused = (name: string, prepare: () => Promise<unknown>, codes = [3, 4]): Promise<void> =>
    t.test(`refused: ${name}`, { timeout: 20_000 }, async () => {
      await rm(folder, { recursive: true, force: true });
      await mkdir(join(folder, 'victim/1_Pooling'), { recursive: true });
      for (const [path, bytes] of contents) await writeFile(join(folder, 'victim', path), bytes);
      await writeFile(join(folder, 'manifest.json'), JSON.stringify(manifest));
      await prepare();
      requireRefused(await arena.attack(['install', 'victim', '--from', folder], { manifest: '' }), codes);
    });
  const replace = async (path: string, make: (path: string) => Promise<unknown>): Promise<void> => {
    await rm(join(folder, path), { recursive: true, force: true });
    await make(join(folder, path));
  };

  const pipes = process.platform !== 'win32';
  if (pipes)
    await refused('a named pipe in the place of a file', () =>
      replace('victim/LICENSE', (path) => execa('mkfifo', [path])),
    );
  await refused('a link to an endless device', () => replace('victim/LICENSE', (path) => symlink('/dev/zero', path)));
  await refused('a link to another file', () => replace('victim/LICENSE', (path) => symlink('/etc/passwd', path)));
  await refused('a folder in the place of a file', () => replace('victim/LICENSE', (path) => mkdir(path)));
  await refused('a file missing', () => replace('victim/LICENSE', async () => {}));
  await refused('a flipped bit', () =>
    replace('victim/LICENSE', (path) => writeFile(path, flipped(contents.get('LICENSE')!))),
  );
  await refused('a manifest of three gigabytes', () => truncate(join(folder, 'manifest.json'), 3 * 2 ** 30));
  if (pipes)
    await refused('a manifest that is a named pipe', () => replace('manifest.json', (path) => execa('mkfifo', [path])));
  await refused('an archive of other bytes', () =>
    writeFile(join(folder, 'victim.tar.gz'), gzipSync('x', { level: constants.Z_NO_COMPRESSION })),
  );
  await refused('a manifest with a path out of the folder', () =>
    writeFile(
      join(folder, 'manifest.json'),
      JSON.stringify({
        ...manifest,
        models: { victim: { ...victim, files: [{ ...victim.files![0], path: '../../outside/evil' }] } },
      }),
    ),
  );
});
