import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { HtmlValidate } from 'html-validate';
import { formatManifest, type Manifest, type ManifestModel, parseManifest } from '../../src/contract/manifest.ts';
import { composeCatalogue } from '../../src/release/site/catalogue.ts';
import { versionStrip } from '../../src/release/site/version-strip.ts';
import {
  catalogueManifest,
  catalogueConfig as config,
  encodedEntry,
  catalogueEntry as entry,
  manyModels,
  ordinaryManifest,
} from '../fixtures/catalogue-manifest.ts';
import { hostileTexts, steering } from '../fixtures/hostile-texts.ts';

const sha256 = 'f'.repeat(64);
const pageOf = (manifest: Manifest): string => composeCatalogue(config, { manifest, sha256 });

const validator = new HtmlValidate({
  extends: ['html-validate:recommended', 'html-validate:document'],
  rules: { 'doctype-style': ['error', { style: 'uppercase' }] },
});

async function assertValid(page: string): Promise<void> {
  const { results } = await validator.validateString(page);
  const faults = results.flatMap(({ messages }) => messages.map(({ line, message }) => `${line}: ${message}`));
  assert.deepEqual(faults, []);
}

/** The start tags of a page with all their attributes but these texts. */
function tagsOf(page: string): readonly string[] {
  return [...page.matchAll(/<[a-z!/][^>]*>/gi)].map(([tag]) => tag);
}

describe('the catalogue', () => {
  it('is valid HTML, of a house with a history, of a release without models, and of the first format', async () => {
    const download_urls = { mirror: 'https://models.example.org/old.tar.gz' };
    const old = { version: '0.1.0', size_bytes: 0, sha256, download_urls };
    await assertValid(pageOf(ordinaryManifest()));
    await assertValid(pageOf(catalogueManifest({})));
    await assertValid(pageOf({ manifest_version: '1.0.0', models: { old } }));
  });

  it('is the same for the same manifest, read again or not', () => {
    const manifest = ordinaryManifest();
    const read = parseManifest(Buffer.from(formatManifest(manifest)), 'manifest.json');
    assert.equal(pageOf(read), pageOf(read));
    assert.equal(pageOf(parseManifest(Buffer.from(formatManifest(read)), 'again')), pageOf(read));
  });

  it('allows itself its own style and script, and asks nobody for anything', () => {
    const page = pageOf(ordinaryManifest());
    const digest = (tag: string): string => {
      const [, text = ''] = new RegExp(`<${tag}>([^]*?)</${tag}>`).exec(page) ?? [];
      return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
    };
    const [, policy] = /Content-Security-Policy" content="([^"]*)"/.exec(page) ?? [];
    assert.equal(
      policy?.replaceAll('&#39;', "'"),
      `default-src 'none'; style-src ${digest('style')}; script-src ${digest('script')}; base-uri 'none'; form-action 'none'`,
    );
    assert.doesNotMatch(page, /<[^>]* (style|src|srcset|on\w+)=|url\(|@import|<(link|img|iframe|object|base)\b/);
    for (const [, address = ''] of page.matchAll(/href="([^"]*)"/g)) {
      assert.match(address, /^(#|aircher\.mjs$|https:\/\/(github\.com|huggingface\.co|models\.example\.org)\/)/);
    }
  });

  it('says how to install and to check, by the keys of the release and not by those that came later', () => {
    const page = pageOf(ordinaryManifest());
    const base = 'https://github.com/acme/models/releases/download/models-v3.2.0';
    assert.match(page, new RegExp(`<pre>curl -fLO ${base}/aircher.mjs</pre>`));
    for (const name of Object.keys(ordinaryManifest().models)) {
      assert.ok(page.includes(`<pre>node aircher.mjs model install ${name}</pre>`), name);
    }
    const signed = { ...config, signing: { public_keys: [`RW${'Z'.repeat(54)}`] } };
    assert.equal(composeCatalogue(signed, { manifest: ordinaryManifest(), sha256 }), page);
    assert.match(page, /minisign -Vm checksums\.sha256 -P RWQ{54}\nsha256sum/);
    const { signing: _keys, ...unsigned } = ordinaryManifest();
    assert.match(pageOf(unsigned), /not signed/);
    assert.doesNotMatch(pageOf(unsigned), /minisign/);
  });

  it('names a prerelease in its commands', () => {
    const page = pageOf(catalogueManifest({ alpha: entry('alpha') }, { release: 'models-v4.0.0-rc.1' }));
    assert.match(page, /<pre>node aircher\.mjs model install alpha --release models-v4\.0\.0-rc\.1<\/pre>/);
  });

  it('tells of withdrawals with their reasons, of models that are offered no more, too', () => {
    const yanked = [
      { model: 'alpha', version: '1.0.0', reason: 'wrong <pooling>' },
      { model: 'gone', version: '0.3.0', reason: 'a licence' },
    ];
    const page = pageOf(catalogueManifest({ alpha: entry('alpha') }, { yanked }));
    assert.match(page, /<small>1\.0\.0<\/small> <em>withdrawn<\/em>/);
    assert.match(page, /<s>1\.0\.0<\/s> withdrawn/);
    assert.match(page, /<strong>alpha 1\.0\.0<\/strong>: wrong &lt;pooling&gt;/);
    assert.match(page, /<strong>gone 0\.3\.0<\/strong>: a licence/);
  });

  it('draws sizes to scale, with the largest model as the measure', () => {
    const page = pageOf(
      catalogueManifest({ big: entry('big', { megabytes: 400 }), half: entry('half', { megabytes: 200 }) }),
    );
    const drawn = [...page.matchAll(/<td>(\d+ MB)<svg aria-hidden="true"><rect width="([\d.]+)%"/g)];
    assert.deepEqual(
      drawn.map(([, size, width]) => [size, width]),
      [
        ['400 MB', '100'],
        ['200 MB', '50'],
      ],
    );
  });

  it('says which models have reference vectors and encodings, and their sizes; of others nothing', () => {
    const changes = encodedEntry('both', 100, ['1.0.0', '0.9.0']);
    const page = pageOf(catalogueManifest({ both: entry('both', { changes }), plain: entry('plain') }));
    const [both = '', plain = ''] = page.split('<tbody ').slice(1);
    assert.match(both, / <small>256 tokens, reference vectors<\/small><\/td>/);
    assert.match(
      both,
      /<\/svg><small>planes 82\.0 MB, patch from 1\.0\.0 60\.0 MB, patch from 0\.9\.0 60\.0 MB<\/small><\/td>/,
    );
    assert.doesNotMatch(plain, /reference|planes|patch/i);
  });

  it('tells where an archive is of an earlier release', () => {
    const page = pageOf(catalogueManifest({ old: entry('old', { changes: { release: 'models-v1.0.0' } }) }));
    assert.match(page, /<dt>Archive<\/dt><dd>[\d.]+ MB of models-v1\.0\.0: <a /);
    assert.match(pageOf(catalogueManifest({ now: entry('now') })), /<dt>Archive<\/dt><dd>[\d.]+ MB: <a /);
  });

  it('of 50 models has less than 100 KB, and of 300 six times as much', () => {
    const fifty = Buffer.byteLength(pageOf(manyModels(50)));
    assert.ok(fifty < 100_000, `${fifty} bytes`);
    const page = pageOf(manyModels(300));
    assert.ok(Buffer.byteLength(page) < 6.2 * fifty);
    assert.equal([...page.matchAll(/<tbody /g)].length, 300);
  });
});

/** Places of a manifest that hold a text of somebody else's. */
const places: Readonly<Record<string, (text: string) => Partial<ManifestModel>>> = {
  license: (text) => ({ license: text }),
  changes: (text) => ({ changes: text }),
  kind: (text) => ({ embedding: { kind: `x${text}` } }),
  pooling: (text) => ({ embedding: { pooling: `x${text}` } }),
  similarity: (text) => ({ embedding: { similarity: `x${text}` } }),
  'the name of a prompt': (text) => ({ embedding: { prompts: { [`x${text}`]: '' } } }),
  'a data type': (text) => ({ tensors: { count: 1, parameters: 1, dtypes: { [text]: 1 } } }),
  source: (text) => ({ source: { huggingface: text, revision: text } }),
  'a path of weights': (text) => ({
    weights: ['a', 'b'].map((path) => ({
      ...entry('alpha').weights![0]!,
      path: path + text,
      space: sha256,
    })),
  }),
  'an address': (text) => ({ download_urls: { mirror: `https://example.org/${text}` } }),
};

describe('text that others wrote', () => {
  for (const [place, changesOf] of Object.entries(places)) {
    it(`is text in the catalogue: ${place}`, async () => {
      const compose = (text: string): string =>
        pageOf(catalogueManifest({ alpha: entry('alpha', { changes: changesOf(text) }) }));
      const withoutAddress = (page: string) => tagsOf(page).map((tag) => tag.replace(/href="https:[^"]*"/, 'href'));
      const expected = withoutAddress(compose('tame'));
      for (const [name, text] of Object.entries(hostileTexts)) {
        const page = compose(text);
        assert.doesNotMatch(page, steering, name);
        assert.ok(page.isWellFormed(), name);
        assert.deepEqual(withoutAddress(page), expected, name);
      }
    });
  }

  it('is text as the reason of a withdrawal, and a page with all of it is valid', async () => {
    const all = Object.values(hostileTexts);
    const models = Object.fromEntries(
      all.map((text, index) => {
        const changes = Object.assign({}, ...Object.values(places).map((changesOf) => changesOf(text)));
        return [`m${index}`, entry(`m${index}`, { changes })];
      }),
    );
    const page = pageOf(
      catalogueManifest(models, { yanked: all.map((reason) => ({ model: 'm0', version: '1.0.0', reason })) }),
    );
    assert.doesNotMatch(page, steering);
    await assertValid(page);
  });
});

describe('the strip of versions', () => {
  /** Each run with its letter, its classes and its versions. */
  const runsOf = (older: readonly (string | undefined)[], space: string | undefined) => {
    const described = older.map((word, index) => [`1.${index}.0`, word] as const);
    const { text } = versionStrip(entry('m', { version: `1.${older.length}.0`, older: described, space }), new Set());
    const rebuilds = [...text.matchAll(/<li class="rebuild">/g)].length;
    const runs = [...text.matchAll(/<li class="(c[^"]*)"><i>([^<]*)<\/i>(.*?)<\/li>/g)].map(
      ([, look, letter, versions = '']) => ({
        look,
        letter,
        versions: [...versions.matchAll(/>([\d.]+)</g)].map(([, version]) => version),
      }),
    );
    return { runs, rebuilds };
  };

  it('is a run for each space that stays, and says "rebuild" between two of them', () => {
    const { runs, rebuilds } = runsOf(['a', 'a', 'b'], 'a');
    assert.deepEqual(runs, [
      { look: 'c0 p0', letter: 'A', versions: ['1.0.0', '1.1.0'] },
      { look: 'c1 p1', letter: 'B', versions: ['1.2.0'] },
      { look: 'c0 p0', letter: 'A', versions: ['1.3.0'] },
    ]);
    assert.equal(rebuilds, 2);
  });

  it('joins versions whose space is not known with no other', () => {
    const { runs, rebuilds } = runsOf(['a', undefined, undefined], 'a');
    assert.deepEqual(
      runs.map(({ letter }) => letter),
      ['A', '?', '?', 'A'],
    );
    assert.equal(rebuilds, 3);
  });

  it('has the same letter, colour and pattern for the same space, and others for another', (t) => {
    const words = fc.array(fc.integer({ min: 0, max: 29 }).map(String), { minLength: 1, maxLength: 60 });
    const seed = Date.now();
    t.diagnostic(`seed ${seed}`);
    fc.assert(
      fc.property(words, (history) => {
        const { runs } = runsOf(history.slice(0, -1), history.at(-1));
        const shown = runs.flatMap(({ letter, look, versions }) => versions.map(() => `${letter} ${look}`));
        assert.equal(shown.length, history.length);
        const looks = new Map(history.map((word, index) => [word, shown[index]]));
        assert.deepEqual(
          history.map((word) => looks.get(word)),
          shown,
        );
        const each = [...looks.values()].map((look = '') => look.split(/(?<=^\S+) /));
        for (const part of [0, 1]) assert.equal(new Set(each.map((look) => look[part])).size, looks.size);
      }),
      { seed, numRuns: Number(process.env.AIRCHER_TEST_RUNS ?? 100) },
    );
  });

  it('has letters beyond Z', () => {
    const history = Array.from({ length: 60 }, (_, index) => String(index));
    const letters = runsOf(history.slice(0, -1), history.at(-1)).runs.map(({ letter }) => letter);
    assert.equal(new Set(letters).size, 60);
    assert.deepEqual([letters[25], letters[26], letters[52]], ['Z', 'AA', 'BA']);
  });
});
