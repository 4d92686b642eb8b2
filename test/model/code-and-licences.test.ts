import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allowsCommercialUse } from '../../src/model/licences.ts';
import { inspectTiny, told } from './inspecting.ts';

const remoteCode = {
  'config.json': '{"hidden_size": 32, "auto_map": {"AutoModel": "owner/code--modeling.NewModel"}}',
  'tokenizer_config.json': '{"auto_map": {"AutoTokenizer": ["tokenization.NewTokenizer", null]}}',
  'modules.json':
    '[{"path": "", "type": "custom_st.Transformer"}, {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]',
};

test('configs and modules that make loaders run code are refused, each where it stands', async (context) => {
  const inspected = await inspectTiny(context, { files: remoteCode });
  const errors = told(inspected).filter((line) => line.startsWith('error'));
  assert.deepEqual(errors, [
    'error config.json $.auto_map: makes loaders run code of the model',
    'error tokenizer_config.json $.auto_map: makes loaders run code of the model',
    'error modules.json $[0].type: names custom_st.Transformer, which is code of the model',
  ]);
});

test('with allow_code they pass and are told in the facts; code of another repository is a warning', async (context) => {
  const files = { ...remoteCode, 'modeling.py': 'print()' };
  const { facts, ...inspected } = await inspectTiny(context, { files }, { allow_code: true });
  assert.equal(facts.has_code, true);
  assert.deepEqual(facts.code_files, ['modeling.py']);
  assert.deepEqual(
    told(inspected).filter((line) => line.includes('code')),
    [
      'warning config.json $.auto_map.AutoModel: runs code of the repository owner/code, which can change under an unchanged release',
    ],
  );
  assert.equal((await inspectTiny(context)).facts.has_code, false);
});

test('commercial use follows from the SPDX expression', () => {
  const cases: readonly (readonly [string, boolean | null])[] = [
    ['Apache-2.0', true],
    ['MIT', true],
    ['CC-BY-4.0', true],
    ['GPL-3.0-only WITH Classpath-exception-2.0', true],
    ['CC-BY-NC-4.0', false],
    ['CC-BY-NC-SA-3.0-IGO', false],
    ['PolyForm-Noncommercial-1.0.0', false],
    ['BUSL-1.1', false],
    ['Apache-2.0 AND CC-BY-NC-4.0', false],
    ['Apache-2.0 OR CC-BY-NC-4.0', true],
    ['LicenseRef-gemma', null],
    ['LicenseRef-gemma OR MIT', true],
    ['LicenseRef-gemma AND CC-BY-NC-4.0', false],
    ['LicenseRef-gemma AND MIT', null],
  ];
  for (const [license, expected] of cases) assert.equal(allowsCommercialUse(license), expected, license);
});

test('a LicenseRef must say whether commercial use is allowed, and a non-commercial licence cannot be called commercial', async (context) => {
  const reference = await inspectTiny(context, { license: 'other' }, { license: 'LicenseRef-own' });
  assert.deepEqual(told(reference), [
    'error release.json $.models.tiny.license: nothing says whether LicenseRef-own allows commercial use',
  ]);
  const said = await inspectTiny(context, { license: 'other' }, { license: 'LicenseRef-own', commercial_use: false });
  assert.deepEqual(told(said), []);
  assert.equal(said.facts.commercial_use, false);
  const wrong = await inspectTiny(
    context,
    { license: 'cc-by-nc-4.0' },
    { license: 'CC-BY-NC-4.0', commercial_use: true },
  );
  assert.deepEqual(told(wrong), [
    'error release.json $.models.tiny.commercial_use: is true, but the licence CC-BY-NC-4.0 forbids or restricts it',
  ]);
  const stricter = await inspectTiny(context, {}, { commercial_use: false });
  assert.equal(stricter.facts.commercial_use, false);
});

test("the licence in the README's front matter must be the one that is released", async (context) => {
  const agrees = async (hub: string, license: string): Promise<boolean> => {
    const { problems } = await inspectTiny(context, { license: hub }, { license, commercial_use: false });
    return problems.length === 0;
  };
  for (const [hub, spdx] of [
    ['apache-2.0', 'Apache-2.0'],
    ['Apache-2.0', 'Apache-2.0'],
    ['mit', 'MIT'],
    ['gpl-3.0', 'GPL-3.0-or-later'],
    ['odbl', 'ODbL-1.0'],
    ['cc-by-nc-4.0', 'CC-BY-NC-4.0'],
    ['apache-2.0', 'MIT OR Apache-2.0'],
    ['gemma', 'LicenseRef-gemma'],
    ['other', 'LicenseRef-own'],
    ['unknown', 'MIT'],
    ['[mit, apache-2.0]', 'MIT OR Apache-2.0'],
  ] as const)
    assert.ok(await agrees(hub, spdx), `${hub} is ${spdx}`);
  for (const [hub, spdx] of [
    ['mit', 'Apache-2.0'],
    ['cc-by-nc-4.0', 'CC-BY-4.0'],
    ['cc-by-4.0', 'CC-BY-NC-4.0'],
    ['gpl-2.0', 'GPL-3.0-only'],
    ['gemma', 'Apache-2.0'],
    ['other', 'Apache-2.0'],
    ['mit', 'LicenseRef-own'],
    ['[mit, apache-2.0]', 'MIT'],
  ] as const)
    assert.ok(!(await agrees(hub, spdx)), `${hub} is not ${spdx}`);
});

test('the contradiction is told with both licences, by license_name where the Hub says other', async (context) => {
  const readme = '---\r\nlicense: other\r\nlicense_name: jina-nc\r\n---\r\n# x';
  const inspected = await inspectTiny(context, { files: { 'README.md': readme } }, { license: 'MIT' });
  assert.deepEqual(told(inspected), ['error README.md $.license: says "jina-nc", but release.json says "MIT"']);
});

test('a README without front matter says nothing, and broken front matter is a warning', async (context) => {
  assert.deepEqual(
    told(await inspectTiny(context, { files: { 'README.md': '# Just text\n---\nlicense: mit\n---\n' } })),
    [],
  );
  const broken = await inspectTiny(context, { files: { 'README.md': '---\nlicense: [mit\n---\n' } });
  assert.match(told(broken)[0] ?? '', /^warning README\.md: the front matter is not valid YAML/);
});

test('a missing licence text is a warning', async (context) => {
  const without = await inspectTiny(context, { files: { LICENSE: undefined } });
  assert.deepEqual(told(without), ['warning .: has no licence text, and Apache-2.0 may ask for it']);
  for (const name of ['LICENSE.txt', 'LICENCE.md', 'COPYING', 'LICENSE-APACHE', 'LICENSES/Apache-2.0.txt', 'license']) {
    const inspected = await inspectTiny(context, { files: { LICENSE: undefined, [name]: 'text' } });
    assert.deepEqual(told(inspected), [], name);
  }
});
