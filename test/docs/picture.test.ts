import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { terminalPicture } from '../../scripts/picture/terminal-picture.ts';
import { pictureWidth, updateOnTerminal } from '../../scripts/picture/update-on-terminal.ts';

test("README's picture of an update is what the client prints", async () => {
  const text = await updateOnTerminal();
  assert.match(text, /faq-embedder .* stay valid\n/);
  assert.match(text, /search-embedder .* must be rebuilt\n/);
  const stored = await readFile(fileURLToPath(new URL('../../docs/update.svg', import.meta.url)), 'utf8');
  assert.equal(stored, terminalPicture(text, pictureWidth), 'docs/update.svg is out of date: run `npm run picture`');
});

test('a line that is too long for the picture goes on in the next, and nothing in it is markup', () => {
  const picture = terminalPicture('$ show <a>&\nMODEL  INDICES\none two three  must be rebuilt\n', 14);
  const shown = [...picture.matchAll(/<text x="([\d.]+)" y="(\d+)" textLength="[\d.]+" class="(\w+)">(.*)<\/text>/g)];
  assert.deepEqual(
    shown.map(([, x, y, look, words]) => [Number(x), Number(y), look, words]),
    [
      [18, 33, 'command', '$ show &lt;a&gt;&amp;'],
      [18, 54, 'head', 'MODEL'],
      [76.8, 54, 'head', 'INDICES'],
      [18, 75, 'plain', 'one two three'],
      [18, 96, 'plain', 'must be'],
      [18, 117, 'plain', 'rebuilt'],
    ],
  );
});
