import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '../../src/contract/limits.ts';
import { fitting } from '../fixtures/weights-entry.ts';
import { createArena, requireRefused } from './arena.ts';

type Json = Readonly<Record<string, unknown>>;

test('what an unsigned manifest of an attacker may say, through the whole client', async (t) => {
  const arena = await createArena(t);
  const { manifest, victim } = arena;
  const [file] = victim.files!;
  const honest = JSON.stringify(manifest);

  const refused = (name: string, text: string | Uint8Array, codes?: readonly number[]): Promise<void> =>
    t.test(`refused: ${name}`, async () => {
      await arena.plant('manifest.json', text);
      requireRefused(await arena.attack(['install', 'victim']), codes);
    });
  const refusedTop = (name: string, changes: Json, codes?: readonly number[]): Promise<void> =>
    refused(name, JSON.stringify({ ...manifest, ...changes }), codes);
  const refusedEntry = (name: string, changes: Json, codes?: readonly number[]): Promise<void> =>
    refusedTop(name, { models: { ...manifest.models, victim: { ...victim, ...fitting(changes) } } }, codes);

  const paths: Readonly<Record<string, string>> = {
    'one level up': '../evil',
    'up and out': 'a/../../../outside/evil',
    'another model': '../../innocent/1.0.0/config.json',
    absolute: '/tmp/evil',
    'a drive': 'C:/evil',
    'a drive without a slash': 'c:evil',
    'backslashes up': '..\\..\\evil',
    'a share': '\\\\host\\share\\evil',
    'an alternate stream': 'config.json:evil',
    'a device': 'CON',
    'a device with an ending': 'nul.txt',
    'a device in the middle': 'a/com1/b',
    'a device with a superscript': 'lpt¹.json',
    'an empty part': 'a//b',
    'a dot': './a',
    nothing: '',
    'a slash at the end': 'a/',
    'a dot at the end': 'a.',
    'a blank at the end': 'a ',
    'a zero byte': 'a\0b',
    'a line break': 'a\nb',
    'an escape sequence': 'a\u001b[2Jb',
    'a decomposed letter': 'e\u0301.json',
    'half a surrogate pair': 'a\ud800',
    'a long part': 'a'.repeat(256),
    'a long path': 'abcdefg/'.repeat(200),
    'the file of our own': '.version',
    'the file of our own in capitals': '.VERSION',
    'a folder in the place of our own file': '.version/x',
    'our mark of a copy': '.aircher-copy',
    'a folder in the place of our mark': '.aircher-copy/x',
  };
  for (const [name, path] of Object.entries(paths)) {
    await refusedEntry(`a file's path: ${name}`, { files: [...victim.files!, { ...file, path }] });
    await refusedEntry(`a file's path, in an archive without an index: ${name}`, {
      files: [{ ...file, path }],
      index: undefined,
    });
  }

  const [weights] = victim.weights!;
  const others: Readonly<Record<string, unknown>> = {
    none: [],
    'no list': weights,
    'a format that nobody knows': [{ ...weights, format: 'ot' }],
    'a path twice': [weights, { ...weights, default: undefined }],
    'two defaults': [weights, { ...weights, path: 'config.json', files: ['config.json'] }],
    'no default': [{ ...weights, default: undefined }],
    'a default that is false': [{ ...weights, default: false }],
    'no file': [{ ...weights, files: [] }],
    'a file that the model does not have': [{ ...weights, files: [weights!.path, '../evil'] }],
    'a file twice': [{ ...weights, files: [weights!.path, weights!.path] }],
    'another size than that of their files': [{ ...weights, size_bytes: 1 }],
    'another space than the embedding': [{ ...weights, space: '0'.repeat(64) }],
  };
  for (const [name, value] of Object.entries(others)) await refusedEntry(`weights: ${name}`, { weights: value });
  await refusedEntry('files without weights', { weights: undefined });
  await refusedTop('weights without files', {
    models: { ...manifest.models, victim: { ...victim, files: undefined } },
  });

  const clashes: Readonly<Record<string, readonly string[]>> = {
    case: ['a', 'A'],
    'case beyond ASCII': ['ä', 'Ä'],
    'sharp s': ['straße', 'STRASSE'],
    ligature: ['ﬁle', 'FILE'],
    'long s': ['ſ', 's'],
    'twice the same': ['a', 'a'],
    'a file and a folder': ['a', 'a/b'],
    'a file and a folder that differ in case': ['A', 'a/b'],
    'folders that differ in case': ['A/x', 'a/y'],
  };
  for (const [name, both] of Object.entries(clashes)) {
    await refusedEntry(`clashing paths: ${name}`, { files: both.map((path) => ({ ...file, path })) });
  }

  const numbers: Readonly<Record<string, string>> = {
    negative: '-1',
    'a fraction': '1.5',
    huge: '1e300',
    'more than a number can hold': '1e400',
    'beyond exactness': '9007199254740993',
    'a text': '"10"',
    nothing: 'null',
    'a list': '[]',
    'a truth': 'true',
    'not a number': 'NaN',
    infinite: 'Infinity',
    hexadecimal: '0x10',
  };
  const { size_bytes: archiveSize } = victim;
  for (const [name, number] of Object.entries(numbers)) {
    const spoil = (text: string, size: number): string =>
      text.replaceAll(`"size_bytes":${size}`, `"size_bytes":${number}`);
    await refused(`the archive's size: ${name}`, spoil(honest, archiveSize));
    await refused(`a file's size: ${name}`, spoil(honest, file!.size_bytes));
    await refused(`the index's size: ${name}`, spoil(honest, victim.index!.size_bytes));
    if (number.startsWith('9')) continue;
    await refused(
      `the dimensions: ${name}`,
      honest.replaceAll('"dimensions":8', `"dimensions":${number}`).replaceAll(':null', ':"x"'),
    );
  }
  const enormous = Number.MAX_SAFE_INTEGER;
  await refusedEntry('sizes beyond the disk', { size_bytes: enormous, index: undefined }, [7]);
  await refusedEntry(
    'sizes whose sum is beyond every disk',
    { index: undefined, files: [1, 2, 3].map((n) => ({ ...file, path: `${n}`, size_bytes: enormous })) },
    [7],
  );
  await refusedEntry('an index larger than any', { index: { ...victim.index, size_bytes: limits.indexBytes + 1 } });

  const url = (text: string): Json => ({ download_urls: { mirror: text }, index: undefined });
  for (const text of [
    'file:///etc/passwd',
    'ftp://127.0.0.1/x.tar.gz',
    'data:application/gzip;base64,H4sI',
    'javascript:alert(1)',
    'https://user:password@127.0.0.1/x.tar.gz',
    'https://user@127.0.0.1/x.tar.gz',
    '//127.0.0.1/x.tar.gz',
    '/x.tar.gz',
    'x.tar.gz',
    '',
    `https://127.0.0.1/${'x'.repeat(5000)}`,
  ]) {
    await refusedEntry(`the URL ${text.slice(0, 40)}`, url(text));
    await refusedEntry(`the index's URL ${text.slice(0, 40)}`, {
      index: { ...victim.index, download_urls: { mirror: text } },
    });
    await refusedEntry(`a raw file's URL ${text.slice(0, 40)}`, {
      files: [{ ...file, download_urls: { huggingface: text } }],
    });
  }
  await refusedEntry('no URL at all', url(undefined as unknown as string));
  await refusedEntry('plain http to another machine', url('http://192.0.2.1/x.tar.gz'), [5]);

  for (const version of [
    '1.0.0/../../innocent',
    '../1.0.0',
    '1.0.0+build',
    'v1.0.0',
    ' 1.0.0',
    '01.0.0',
    '1.0',
    '',
    '1.0.0-\u001b',
    `1.0.0-${'a'.repeat(300)}`,
  ]) {
    await refusedEntry(`the version ${JSON.stringify(version).slice(0, 30)}`, { version });
  }
  await refusedEntry('a version that no file name can hold', { version: `1.0.0-${'a'.repeat(240)}` });

  for (const release of ['../models-v1.0.0', 'models/v1.0.0', 'a b', '', 'x'.repeat(300), 'models-v1.0.0\n', 1, null]) {
    await refusedTop(`the release ${JSON.stringify(release).slice(0, 30)}`, { release });
  }

  for (const name of [
    ...[
      '../victim',
      '.hidden',
      'a/b',
      'a\\b',
      'c:a',
      'con',
      'NUL',
      'aux.x',
      'x.json',
      'x.tar.gz',
      'checksums.json',
      'a.',
    ],
    ...['', '１a', 'victi\u043c', 'a\u0000', 'a\u001b[31m', 'x'.repeat(97), 'INNOCENT', 'CACHEDIR.TAG'],
  ]) {
    await refusedTop(`a model named ${JSON.stringify(name).slice(0, 30)}`, {
      models: { ...manifest.models, [name]: victim },
    });
  }
  for (const models of [[], null, 'x', 1, { victim: null }, { victim: [] }, { victim: 1 }]) {
    await refusedTop(`models: ${JSON.stringify(models)}`, { models });
  }

  await refused('the key __proto__', honest.replace('"models":{', '"models":{"__proto__":{},'));
  await refused('the key __proto__ at the top', `{"__proto__":{"models":{}},${honest.slice(1)}`);
  await refused(
    'the key __proto__ in an entry',
    honest.replaceAll('"download_urls":{', '"download_urls":{"__proto__":{"github":"x"},'),
  );
  await refused('the key __proto__, escaped', honest.replace('"models":{', '"models":{"\\u005f_proto__":{},'));
  await refused(
    'an entry that is only a prototype',
    honest.replace(/"victim":\{/, '"victim":{"constructor":{"prototype":{}},"version":"x",'),
  );
  await refused('a key twice', honest.replace('"models":{', '"models":{},"models":{'));
  await refused('a key twice, once escaped', honest.replace('"models":{', '"\\u006dodels":{},"models":{'));
  await refused('a model twice', honest.replace('"victim":{', `"victim":${JSON.stringify(victim)},"victim":{`));
  await refused('lists in lists', `{"x":${'['.repeat(65)}${']'.repeat(65)},${honest.slice(1)}`);
  await refused('a hundred thousand lists in lists', '['.repeat(100_000));
  await refused('a hundred thousand objects in objects', `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`);

  await refused('nothing', '', [5]);
  await refused('null', 'null');
  await refused('a list', '[]');
  await refused('a number', '1');
  await refused('a text', '"manifest"');
  await refused('a web page', '<!doctype html><title>Sign in</title>', [5]);
  await refused('half of it', honest.slice(0, honest.length / 2));
  await refused('two of it', honest + honest);
  await refused('no UTF-8', Buffer.concat([Buffer.from(honest.slice(0, -1)), Buffer.from([0xff, 0x7d])]));
  await refused('UTF-16', Buffer.from(`\ufeff${honest}`, 'utf16le'));
  await refused('a zero byte behind it', `${honest}\0`);
  await refusedTop('a newer major version', { manifest_version: '2.0.0' });
  await refusedTop('a version that is none', { manifest_version: '1e9' });
  await refusedTop('a date that is none', { generated_at: '2026-02-31T00:00:00' });
  await refusedTop('an expiry that is none', { expires_at: 'never' });
  await refusedTop('an expiry long ago', { expires_at: '1970-01-01T00:00:01Z' }, [4]);
  await refusedTop('a key that is none', { signing: { public_keys: ['../../key'] } });

  const yanked = { model: 'other', version: '1.0.0', reason: 'r' };
  await refusedTop('gigantic withdrawals', { yanked: Array(limits.manifestMembers + 1).fill(yanked) });
  await refusedTop('a withdrawal that is none', { yanked: [{ model: '../x', version: '1.0.0', reason: 'r' }] });
  await refusedEntry('gigantic earlier versions', { published_versions: Array(limits.manifestMembers + 1).fill({}) });
  await refusedEntry('gigantic lists of files', { files: Array(limits.manifestMembers + 1).fill(file) });
  await refusedTop('a hundred thousand bad models', {
    models: Object.fromEntries(Array.from({ length: 100_000 }, (_, n) => [`m${n}`, {}])),
  });
  await refusedTop('ten thousand bad models', {
    models: Object.fromEntries(Array.from({ length: limits.manifestMembers }, (_, n) => [`m${n}`, {}])),
  });
  await refusedTop('many models without the one that is asked for', {
    models: Object.fromEntries(
      Array.from({ length: limits.manifestMembers }, (_, n) => [
        `m${n}`,
        { ...victim, files: undefined, weights: undefined },
      ]),
    ),
  });
});

test('as many withdrawals and models as a manifest may have are listed in bounded time', async (t) => {
  const arena = await createArena(t);
  const { files: _, published_versions: __, index: ___, weights: ____, ...victim } = arena.victim;
  const count = limits.manifestMembers;
  await arena.plant(
    'manifest.json',
    JSON.stringify({
      ...arena.manifest,
      models: Object.fromEntries(Array.from({ length: count }, (_, n) => [`m${n}`, victim])),
      yanked: Array.from({ length: count }, (_, n) => ({ model: `other${n}`, version: '1.0.0', reason: 'r' })),
    }),
  );
  const outcome = await arena.attack(['list', '--remote', '--json']);
  assert.equal(outcome.exitCode, 0, outcome.stderr.slice(0, 500));
  assert.ok(outcome.milliseconds < 60_000, `${outcome.milliseconds} ms`);
});

test('models named like members of every JavaScript object are models like others', async (t) => {
  const arena = await createArena(t);
  const { world } = arena;
  const names = ['constructor', 'toString', 'hasOwnProperty', 'valueOf'];
  const shapes = (version: string) =>
    Object.fromEntries(names.map((name) => [name, { version, layers: 1, layerBytes: 1000 }]));
  await world.release('1.1.0', shapes('1.0.0'));
  const manager = world.manager();
  for (const name of names) assert.equal((await manager.ensureModel(name)).version, '1.0.0');
  await world.release('1.2.0', shapes('1.1.0'));
  for (const name of names) {
    assert.equal((await manager.install(name, { version: '1.1.0' })).current_version, '1.1.0', name);
  }
  assert.deepEqual(
    (await manager.list()).models.filter((version) => version.pinned).map((version) => version.name),
    [],
  );
  await assert.rejects(manager.ensureModel('isPrototypeOf'), /No model is named/);
});
