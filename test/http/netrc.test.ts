import assert from 'node:assert/strict';
import { test } from 'node:test';
import { netrcCredentials } from '../../src/http/netrc.ts';

const password = (text: string, host: string): string | undefined => {
  const found = netrcCredentials(text, '.netrc').find(({ isFor }) => isFor(new URL(`https://${host}/x`)));
  return found && Buffer.from(found.authorization.replace('Basic ', ''), 'base64').toString();
};

test('a .netrc gives each machine its login and password', () => {
  const text = `# of the office
machine models.example.org login ann password s3cret
machine OTHER.example.org
  login bob
  account lab
  password "two words \\" and \\\\"
machine half.example.org login carl
default login all password any
`;
  assert.equal(password(text, 'models.example.org'), 'ann:s3cret');
  assert.equal(password(text, 'models.example.org:8443'), 'ann:s3cret');
  assert.equal(password(text, 'other.example.org'), 'bob:two words " and \\');
  assert.equal(password(text, 'half.example.org'), undefined);
  assert.equal(password(text, 'sub.models.example.org'), undefined);
  assert.equal(password(text, 'elsewhere.example.org'), undefined);
});

test('macros and what follows them without a blank line are no machines', () => {
  const text = `macdef init
machine false.example.org login x password y

machine true.example.org login a password b
`;
  assert.equal(password(text, 'false.example.org'), undefined);
  assert.equal(password(text, 'true.example.org'), 'a:b');
  assert.equal(password('macdef last\nmachine false.example.org login x password y', 'false.example.org'), undefined);
  assert.deepEqual(netrcCredentials('', '.netrc'), []);
  assert.deepEqual(netrcCredentials('machine', '.netrc'), []);
});
