import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseReleaseConfig } from '../../src/contract/parse-release-config.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

test("this repository's release.json is valid, and the page beside it says of every model where it is from", async () => {
  const config = parseReleaseConfig(await readFile(`${root}manifests/release.json`), 'manifests/release.json');
  assert.equal(config.namespace, 'aircher');
  assert.equal(config.github?.repository, 'nijaru/aircher');
  assert.equal(config.huggingface?.repository, 'aircher-ai/embedding-models');
  const page = await readFile(`${root}manifests/README.md`, 'utf8');
  for (const [name, { license, source }] of Object.entries(config.models)) {
    assert.ok('huggingface' in source);
    const row = page.split('\n').find((line) => line.startsWith(`| \`${name}\` |`));
    for (const fact of [source.huggingface, source.revision, license])
      assert.ok(row?.includes(fact), `${name}: ${fact}`);
  }
});
