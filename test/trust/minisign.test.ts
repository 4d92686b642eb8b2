import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type AircherError, isAircherError } from '../../src/core/errors.ts';
import { exitCodeOf } from '../../src/core/exit-codes.ts';
import {
  formatPublicKey,
  looksLikePublicKey,
  parsePublicKey,
  parsePublicKeys,
  parseSignature,
  verifySignature,
} from '../../src/trust/minisign.ts';
import { secretKeyOf } from '../../src/trust/secret-key.ts';
import { signMessage } from '../../src/trust/sign-message.ts';
import * as fixture from './keys.ts';

const key = parsePublicKey(fixture.plainPublicKey);
const otherKey = parsePublicKey(fixture.encryptedPublicKey);

function refused(run: () => unknown): AircherError {
  try {
    run();
  } catch (error) {
    assert.ok(isAircherError(error), String(error));
    return error;
  }
  throw new assert.AssertionError({ message: 'accepted' });
}

function* flips(bytes: Uint8Array): Generator<{ readonly flipped: Buffer; readonly place: number }> {
  for (let place = 0; place < bytes.length * 8; place++) {
    const flipped = Buffer.from(bytes);
    flipped[place >> 3]! ^= 1 << (place & 7);
    yield { flipped, place };
  }
}

for (const [kind, text] of [
  ['prehashed', fixture.prehashedSignature],
  ['legacy', fixture.legacySignature],
] as const) {
  test(`a ${kind} signature of minisign is accepted, with its key id and trusted comment`, () => {
    assert.deepEqual(verifySignature(fixture.message, text, [otherKey, key]), {
      keyId: fixture.plainKeyId,
      trustedComment: fixture.trustedComment,
    });
  });

  test(`each flipped bit of the message of a ${kind} signature is refused with exit code 4`, () => {
    for (const { flipped } of flips(fixture.message)) {
      const error = refused(() => verifySignature(flipped, text, [key]));
      assert.equal(exitCodeOf(error), 4);
      assert.match(error.message, /does not match/);
    }
  });

  test(`each flipped bit of a ${kind} signature file is refused with exit code 4, but in its untrusted text`, () => {
    const bytes = Buffer.from(text);
    const untrustedText = [Buffer.byteLength('untrusted comment: '), bytes.indexOf('\n')] as const;
    const good = verifySignature(fixture.message, text, [key]);
    for (const { flipped, place } of flips(bytes)) {
      const at = place >> 3;
      if (at >= untrustedText[0] && at < untrustedText[1]) {
        // Nobody signs this text, and nobody is shown it: with or without the flip the outcome is
        // the same.
        const isLineBreak = flipped[at] === 0x0a;
        if (!isLineBreak) assert.deepEqual(verifySignature(fixture.message, flipped.toString(), [key]), good);
        continue;
      }
      const error = refused(() => verifySignature(fixture.message, flipped.toString(), [key]));
      assert.equal(exitCodeOf(error), 4, `bit ${place}: ${error.message}`);
    }
  });

  test(`each flipped bit of the public key is refused against a ${kind} signature`, () => {
    for (const { flipped } of flips(Buffer.from(fixture.plainPublicKey, 'base64'))) {
      const error = refused(() => verifySignature(fixture.message, text, [parsePublicKey(flipped.toString('base64'))]));
      assert.equal(error.code, 'integrity');
    }
    for (const { flipped } of flips(Buffer.from(fixture.plainPublicKey))) {
      refused(() => verifySignature(fixture.message, text, [parsePublicKey(flipped.toString())]));
    }
  });
}

test('a signature is bound to its algorithm: Ed and ED exchanged is refused', () => {
  for (const [text, from, to] of [
    [fixture.prehashedSignature, 'RUQ', 'RWQ'],
    [fixture.legacySignature, 'RWQ', 'RUQ'],
  ] as const) {
    assert.equal(refused(() => verifySignature(fixture.message, text.replace(from, to), [key])).code, 'integrity');
  }
});

test('a key of the same id that did not sign is refused, and does not hide the one that did', () => {
  const impostor = { keyId: key.keyId, key: otherKey.key };
  assert.equal(
    refused(() => verifySignature(fixture.message, fixture.prehashedSignature, [impostor])).code,
    'integrity',
  );
  verifySignature(fixture.message, fixture.prehashedSignature, [impostor, key]);
});

test('a signature by a key that is not trusted names it and those that are', () => {
  const error = refused(() => verifySignature(fixture.message, fixture.prehashedSignature, [otherKey]));
  assert.equal(error.code, 'integrity');
  assert.equal(error.message, 'signed with key 10422B3CCD15702E, which is not trusted (trusted: 33AD82F7E3924269)');
  assert.match(
    refused(() => verifySignature(fixture.message, fixture.prehashedSignature, [])).message,
    /trusted: none/,
  );
});

test('the trusted comment of another signature by the same key is refused', () => {
  const signer = secretKeyOf(new Uint8Array(32).fill(7), new Uint8Array(8).fill(1));
  const sign = (comment: string) => signMessage(fixture.message, signer, { trustedComment: comment }).split('\n');
  const [first, second] = [sign('release:models-v1.0.0'), sign('release:models-v2.0.0')];
  for (const lines of [
    [first[0], first[1], second[2], first[3], ''],
    [first[0], first[1], first[2], second[3], ''],
  ]) {
    const error = refused(() => verifySignature(fixture.message, lines.join('\n'), [signer.publicKey]));
    assert.match(error.message, /trusted comment does not match/);
  }
});

const [untrusted, signature, trusted, globalSignature] = fixture.prehashedSignature.split('\n') as [
  string,
  string,
  string,
  string,
];
const malformed: Readonly<Record<string, string>> = {
  'an empty file': '',
  'an HTML error page': '<!doctype html>\n<title>404</title>\n<p>\nNot found\n',
  'a file without its global signature': `${untrusted}\n${signature}\n${trusted}\n`,
  'a file with a fifth line': `${fixture.prehashedSignature}more\n`,
  'a file with an empty line at its end': `${fixture.prehashedSignature}\n`,
  'a file without the untrusted comment': `${signature}\n${trusted}\n${globalSignature}\n`,
  'a signature with a space inside': `${untrusted}\n${signature.slice(0, 9)} ${signature.slice(9)}\n${trusted}\n${globalSignature}\n`,
  'a signature with a space behind': `${untrusted}\n${signature} \n${trusted}\n${globalSignature}\n`,
  'a signature without padding': `${untrusted}\n${signature.replace('=', '')}\n${trusted}\n${globalSignature}\n`,
  'a signature in URL-safe base64': `${untrusted}\n${signature.replaceAll('/', '_').replaceAll('+', '-')}\n${trusted}\n${globalSignature}\n`,
  'a signature with unused bits set': `${untrusted}\n${signature.replace('0=', '1=')}\n${trusted}\n${globalSignature}\n`,
  'a shorter signature': `${untrusted}\n${signature.slice(4)}\n${trusted}\n${globalSignature}\n`,
  'an unknown algorithm': `${untrusted}\n${signature.replace('RUQ', 'RUU')}\n${trusted}\n${globalSignature}\n`,
  'a trusted comment under another heading': `${untrusted}\n${signature}\nTrusted comment: x\n${globalSignature}\n`,
  'a trusted comment with an escape sequence': `${untrusted}\n${signature}\ntrusted comment: \u001b[2J\n${globalSignature}\n`,
  'a trusted comment with a carriage return': `${untrusted}\n${signature}\ntrusted comment: a\rb\n${globalSignature}\n`,
  'a trusted comment with a zero byte': `${untrusted}\n${signature}\n${trusted}\0\n${globalSignature}\n`,
  'a trusted comment that was not UTF-8': `${untrusted}\n${signature}\ntrusted comment: \ufffd\n${globalSignature}\n`,
  'a trusted comment of 9,000 bytes': `${untrusted}\n${signature}\ntrusted comment: ${'x'.repeat(9000)}\n${globalSignature}\n`,
  'a file of 70,000 characters': `${untrusted}${' '.repeat(70_000)}\n${signature}\n${trusted}\n${globalSignature}\n`,
};
for (const [name, text] of Object.entries(malformed)) {
  test(`${name} is no signature`, () => {
    const error = refused(() => verifySignature(fixture.message, text, [key]));
    assert.equal(error.code, 'integrity');
    assert.match(error.message, /^not a minisign signature: /);
    assert.ok(error.hint);
  });
}

test('line ends of Windows, and a missing last one, change nothing', () => {
  const good = verifySignature(fixture.message, fixture.prehashedSignature, [key]);
  for (const text of [fixture.prehashedSignature.replaceAll('\n', '\r\n'), fixture.prehashedSignature.trimEnd()]) {
    assert.deepEqual(verifySignature(fixture.message, text, [key]), good);
  }
});

test('a public key is read from its line and from its file', () => {
  const file = `untrusted comment: minisign public key ${fixture.plainKeyId}\n${fixture.plainPublicKey}\n`;
  for (const text of [fixture.plainPublicKey, `${fixture.plainPublicKey}\n`, file, file.replaceAll('\n', '\r\n')]) {
    assert.equal(formatPublicKey(parsePublicKey(text)), fixture.plainPublicKey);
  }
});

test('several public keys are read from lines, files after each other, and words', () => {
  const file = `untrusted comment: one\n${fixture.plainPublicKey}\nuntrusted comment: two\n${fixture.encryptedPublicKey}\n`;
  for (const text of [
    file,
    `${fixture.plainPublicKey} ${fixture.encryptedPublicKey}`,
    ` ${fixture.plainPublicKey}\n\n${fixture.encryptedPublicKey}`,
  ]) {
    assert.deepEqual(parsePublicKeys(text).map(formatPublicKey), [fixture.plainPublicKey, fixture.encryptedPublicKey]);
  }
  assert.deepEqual(parsePublicKeys(' \n'), []);
});

for (const [name, text] of Object.entries({
  'an empty text': '',
  'two keys where one is asked for': `${fixture.plainPublicKey}\n${fixture.plainPublicKey}`,
  'a key that lacks a character': fixture.plainPublicKey.slice(1),
  'a key with a character too many': `${fixture.plainPublicKey}A`,
  'a key in URL-safe base64': fixture.encryptedPublicKey.replaceAll('+', '-').replaceAll('/', '_'),
  'a secret key': fixture.plainSecretKey,
  'a key of another algorithm': `RV${fixture.plainPublicKey.slice(2)}`,
})) {
  test(`${name} is no public key, and is not repeated in the message`, () => {
    const error = refused(() => parsePublicKey(text));
    assert.equal(error.code, 'integrity');
    assert.ok(!JSON.stringify([error.message, error.hint]).includes('DrxjqMqs'));
    assert.ok(text === '' || !error.message.includes(text.trim()));
  });
}

test('a word that is a public key is told from a path', () => {
  assert.ok(looksLikePublicKey(fixture.plainPublicKey));
  for (const path of ['aircher.pub', './RWQ', `${fixture.plainPublicKey}.pub`]) assert.ok(!looksLikePublicKey(path));
});

test('any message, key and comment: signed is accepted, twice the same; another message or key is refused', () => {
  const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
  const comment = fc
    .string({ unit: 'grapheme', maxLength: 60 })
    .filter((text) => !/[\u0000-\u0008\u000a-\u001f\u007f\ufffd]/.test(text));
  fc.assert(
    fc.property(
      fc.uint8Array(),
      fc.uint8Array(),
      bytes(32),
      bytes(8),
      comment,
      fc.boolean(),
      (message, other, seed, id, text, legacy) => {
        const secret = secretKeyOf(seed, id);
        const signed = signMessage(message, secret, { trustedComment: text, legacy });
        assert.equal(signMessage(message, secret, { trustedComment: text, legacy }), signed);
        assert.equal(parseSignature(signed).prehashed, !legacy);
        assert.equal(verifySignature(message, signed, [secret.publicKey]).trustedComment, text);
        if (Buffer.compare(message, other) !== 0) refused(() => verifySignature(other, signed, [secret.publicKey]));
        refused(() => verifySignature(message, signed, [{ keyId: secret.publicKey.keyId, key: key.key }]));
      },
    ),
    { numRuns: 60 },
  );
});
