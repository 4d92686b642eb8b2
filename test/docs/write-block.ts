import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * `write-block write|merge BLOCK PATH`: writes a file that a document shows, or the keys of a JSON
 * file that it changes.
 */
const [how, block = '', path = ''] = process.argv.slice(2);
let text = await readFile(block, 'utf8');
for (const [, placeholder = '', name] of text.matchAll(/(RWQ…(\w+))/g)) {
  // The public key that a command of the document has made.
  const key = (await readFile(`../keys/${name}/aircher.pub`, 'utf8')).trimEnd().split('\n').at(-1) ?? '';
  text = text.replaceAll(placeholder, key);
}
for (const [placeholder, tag] of text.matchAll(/[0-9a-f]{4}…([\w.-]+)/g)) {
  // The digest of a manifest that a command of the document has published.
  const manifest = await readFile(`manifests/published/${tag}.json`);
  text = text.replaceAll(placeholder, createHash('sha256').update(manifest).digest('hex'));
}
if (how === 'merge') {
  text = `${JSON.stringify({ ...JSON.parse(await readFile(path, 'utf8')), ...JSON.parse(text) }, undefined, 2)}\n`;
}
await mkdir(dirname(path), { recursive: true });
await writeFile(path, text);
