import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ownNames } from '../../scripts/own-names.ts';

describe('names of properties that the bundled client may lose', () => {
  it('are in camel case, and members, keys or methods', async () => {
    const program = `class A { takeSome({ soMany = 1, ...others }) { return { restUntil: others.soFew?.ofThem, size_bytes: soMany, name: 1 } } }`;
    assert.deepEqual(await ownNames(program), ['ofThem', 'restUntil', 'soFew', 'soMany', 'takeSome']);
  });

  it('are none of Node’s or of the language, none that the program has as a string, and none that are published', async () => {
    const program = `const { highWaterMark, reallyOurs, inFiles } = all; all.isWellFormed(all.toSorted); all["inFiles"];
      print({ bytesToFetch: 1, publicKeys: [], keyId: 1, maxOutputLength: 1 });`;
    assert.deepEqual(await ownNames(program), ['reallyOurs']);
  });

  it('are no exports that a module has as a whole', async () => {
    assert.deepEqual(await ownNames('import * as all from "node:fs"; function readNothing() {} readNothing(all);'), []);
  });
});
