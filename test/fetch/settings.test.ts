import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { DoctorReport } from '../../src/fetch/api.ts';
import { createWorld, type World } from './world.ts';

async function settingsOf(world: World, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const run = await world.run(['doctor', '--json', ...args], { env });
  const { settings } = JSON.parse(run.stdout) as DoctorReport;
  return {
    text: run.stdout,
    of: (name: string) => {
      const found = settings.filter(({ setting }) => setting === name);
      assert.equal(found.length, 1, name);
      return [found[0]?.value, found[0]?.set_by];
    },
  };
}

test('doctor says of each setting whether a flag, a variable, the preferences or a default set it', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  const preferences = join(world.cache, 'config/model-preferences.json');
  await mkdir(join(world.cache, 'config'), { recursive: true });
  await writeFile(preferences, '{ "limit_rate": "5MB", "connections": 8, "mirrors": ["mirror", "github"] }');
  const plain = await settingsOf(world, []);
  assert.deepEqual(plain.of('cache_dir'), [world.cache, 'AIRCHER_CACHE_DIR']);
  assert.deepEqual(plain.of('manifest_sources'), [world.manifestUrl, 'AIRCHER_MANIFEST_URL']);
  assert.deepEqual(plain.of('offline'), ['false', 'default']);
  assert.deepEqual(plain.of('limit_rate'), ['5MB', preferences]);
  assert.deepEqual(plain.of('connections'), ['8', preferences]);
  assert.deepEqual(plain.of('mirrors'), ['["mirror","github"]', preferences]);
  assert.deepEqual(plain.of('keep_versions'), ['1', 'default']);
  assert.deepEqual(plain.of('system_cache'), [undefined, 'default']);
  const flags = ['--cache-dir', world.path('other'), '--manifest', 'github:acme/models', '--offline'];
  const given = await settingsOf(world, [...flags, '--connections', '2', '--allow-http']);
  assert.deepEqual(given.of('cache_dir'), [world.path('other'), '--cache-dir']);
  assert.deepEqual(given.of('manifest_sources'), ['github:acme/models', '--manifest']);
  assert.deepEqual(given.of('offline'), ['true', '--offline']);
  assert.deepEqual(given.of('connections'), ['2', '--connections']);
  assert.deepEqual(given.of('allow_http'), ['true', '--allow-http']);
  assert.deepEqual((await settingsOf(world, ['--limit-rate', '1MB', '--offline'])).of('limit_rate'), [
    '1MB',
    '--limit-rate',
  ]);
  const table = await world.run(['doctor', '--offline']);
  assert.match(table.stdout, /^SETTING +VALUE +SET BY$/m);
  assert.match(table.stdout, new RegExp(`^limit_rate +5MB +${preferences}$`, 'm'));
});

test('variables are told by their names, and secrets of theirs never', async (t) => {
  const world = await createWorld(t);
  await mkdir(world.path('hf'));
  await writeFile(world.path('hf/token'), 'hf_keptByLogin\n');
  const told = await settingsOf(world, [], {
    HF_HUB_OFFLINE: '1',
    HF_HOME: world.path('hf'),
    https_proxy: 'http://somebody:pa55@proxy.example.org:3128',
    ALL_PROXY: 'somebody:pa55@proxy.example.org',
    GH_TOKEN: 'ghp_secret',
    AIRCHER_MIRROR_TOKEN: 'mirrorSecret',
    AIRCHER_MANIFEST_URL: 'https://somebody:pa55@models.example.org/manifest.json?key=querySecret',
    AIRCHER_SYSTEM_CACHE: world.path('opt'),
  });
  assert.deepEqual(told.of('offline'), ['true', 'HF_HUB_OFFLINE']);
  assert.deepEqual(told.of('hugging_face_cache'), [world.path('hf/hub'), 'HF_HOME']);
  assert.deepEqual(told.of('hugging_face_token'), ['set', world.path('hf/token')]);
  assert.deepEqual(told.of('https_proxy'), ['http://***@proxy.example.org:3128', 'https_proxy']);
  assert.deepEqual(told.of('github_token'), ['set', 'GH_TOKEN']);
  assert.deepEqual(told.of('mirror_token'), ['set', 'AIRCHER_MIRROR_TOKEN']);
  assert.deepEqual(told.of('system_cache'), [world.path('opt'), 'AIRCHER_SYSTEM_CACHE']);
  assert.match(told.text, /"what": "system cache",\s+"status": "warning"/);
  assert.doesNotMatch(told.text, /pa55|ghp_secret|mirrorSecret|querySecret|keptByLogin/);
  // A program that reads the report itself has no stream that would hide them.
  const env = { HTTPS_PROXY: 'http://somebody:pa55@proxy.example.org', HF_TOKEN: 'hf_secret' };
  const report = await world.manager({ env, offline: true }).diagnose();
  assert.doesNotMatch(JSON.stringify(report), /pa55|hf_secret/);
});
