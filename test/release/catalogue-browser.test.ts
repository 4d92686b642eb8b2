import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import axe from 'axe-core';
import type { Manifest } from '../../src/contract/manifest.ts';
import { composeCatalogue } from '../../src/release/site/catalogue.ts';
import {
  catalogueManifest,
  catalogueConfig as config,
  catalogueEntry as entry,
  manyModels,
  ordinaryManifest,
} from '../fixtures/catalogue-manifest.ts';
import { type Chromium, chromiumPath, type Page, type PageOptions, startChromium } from '../fixtures/chromium.ts';
import { hostileTexts } from '../fixtures/hostile-texts.ts';

/** Names as long as they may be, versions without end, and every hostile text. */
function trying(): Manifest {
  const long = 'L'.repeat(96);
  const older = Array.from({ length: 40 }, (_, index) => [`1.${index}.0`, String(index % 7)] as const);
  const texts = Object.values(hostileTexts).map((text, index) => [
    `hostile-${index}`,
    entry(`hostile-${index}`, { changes: { changes: text, license: text, embedding: { pooling: text } } }),
  ]);
  return catalogueManifest(
    { [long]: entry(long, { version: `9.0.0-${'x'.repeat(90)}`, older }), ...Object.fromEntries(texts) },
    { yanked: Object.values(hostileTexts).map((reason) => ({ model: long, version: '1.5.0', reason })) },
  );
}

const pages: Readonly<Record<string, Manifest>> = {
  ordinary: ordinaryManifest(),
  trying: trying(),
  many: manyModels(300),
};

describe('the catalogue in a browser', { skip: chromiumPath === undefined && 'no Chromium on this machine' }, () => {
  let server: Server;
  let root: string;
  let browser: Chromium;
  before(async () => {
    const made = Object.entries(pages).map(([name, manifest]) => {
      return [`/${name}`, composeCatalogue(config, { manifest, sha256: 'f'.repeat(64) })] as [string, string];
    });
    const byPath = new Map(made);
    server = createServer(({ url = '' }, response) => {
      const page = byPath.get(url);
      response.writeHead(page === undefined ? 404 : 200, { 'content-type': 'text/html; charset=utf-8' });
      response.end(page);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    root = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    browser = await startChromium();
  });
  after(async () => {
    await browser.close();
    server.closeAllConnections();
    server.close();
  });

  const open = (name: string, options: PageOptions): Promise<Page> => browser.open(`${root}/${name}`, options);
  const unfold = "for (const one of document.querySelectorAll('details')) one.open = true";

  for (const name of Object.keys(pages)) {
    for (const width of [360, 1280]) {
      it(`asks for nothing but itself, runs no text, and needs no scrolling sideways: ${name}, ${width} pixels`, async () => {
        const page = await open(name, { width });
        await page.evaluate(unfold);
        assert.deepEqual(page.requests, [`${root}/${name}`]);
        assert.deepEqual(page.messages, []);
        const beyond = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';
        assert.equal(await page.evaluate(beyond), 0);
        assert.equal(await page.evaluate("document.querySelectorAll('script, img, b b, iframe').length"), 1);
      });
    }
  }

  for (const scheme of ['light', 'dark'] as const) {
    for (const width of [360, 1280]) {
      it(`has no fault that axe finds, contrast among it: ${scheme}, ${width} pixels`, async () => {
        for (const name of ['ordinary', 'trying']) {
          const page = await open(name, { width, scheme });
          await page.evaluate(unfold);
          await page.evaluate(axe.source);
          const found = await page.evaluate(
            `axe.run().then(({ violations, passes }) => ({
              faults: violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => [id, html, failureSummary])),
              passed: passes.map(({ id }) => id),
            }))`,
          );
          const { faults, passed } = found as { faults: readonly unknown[]; passed: readonly string[] };
          assert.deepEqual(faults, [], name);
          assert.ok(passed.includes('color-contrast'), name);
        }
        const page = await open('ordinary', { width, scheme });
        const background = await page.evaluate('getComputedStyle(document.body).backgroundColor');
        assert.equal(background, scheme === 'light' ? 'rgb(246, 245, 242)' : 'rgb(20, 23, 28)');
      });
    }
  }

  it('unfolds a model and copies a command by the keyboard alone', async () => {
    const page = await open('ordinary', { width: 1280 });
    await page.evaluate('navigator.clipboard.writeText = async (text) => { window.copied = text }');
    const focused = 'document.activeElement.textContent';
    const tabTo = async (wanted: string): Promise<void> => {
      for (let presses = 0; presses < 40; presses++) {
        await page.press('Tab');
        if (String(await page.evaluate(focused)).startsWith(wanted)) return;
      }
      assert.fail(`no ${wanted} by Tab`);
    };
    await tabTo('minilm-en: install');
    await page.press('Enter');
    assert.equal(await page.evaluate("document.querySelector('details').open"), true);
    await tabTo('Copy');
    await page.press('Enter');
    assert.equal(await page.evaluate('window.copied'), 'node aircher.mjs model install minilm-en');
    assert.equal(await page.evaluate(focused), 'Copied');
  });

  it('copies where the page is not secure, as over plain HTTP', async () => {
    const page = await open('ordinary', { width: 1280 });
    await page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })");
    await page.evaluate("document.addEventListener('copy', () => { window.copied = String(getSelection()) })");
    await page.evaluate("document.querySelector('button').focus()");
    await page.press('Enter');
    assert.match(String(await page.evaluate('window.copied')), /^curl -fLO https:.*aircher\.mjs$/);
  });

  it('is whole without scripts: commands to be read, and no button that does nothing', async () => {
    const page = await open('ordinary', { width: 360, scripts: false });
    const text = String(await page.evaluate('document.body.innerText'));
    for (const line of [
      'curl -fLO https://',
      'node aircher.mjs model install minilm-en',
      'minisign -Vm',
      'wrong pooling',
    ]) {
      assert.ok(text.includes(line), line);
    }
    assert.equal(await page.evaluate("document.querySelectorAll('button').length"), 0);
  });
});
