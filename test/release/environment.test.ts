import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readEnvironment } from '../../src/cli/read-environment.ts';

test('a line break at the end of a password or token, as files and pasted secrets have it, is no part of it', () => {
  const { signingPassword, gpgPassphrase, githubToken, hfToken } = readEnvironment({
    AIRCHER_SIGNING_PASSWORD: 'correct horse\r\n',
    AIRCHER_GPG_PASSPHRASE: ' spaces count \n',
    GITHUB_TOKEN: ' \n',
    GH_TOKEN: 'ghp_second\n',
    HF_TOKEN: '',
  });
  assert.deepEqual(
    [signingPassword, gpgPassphrase, githubToken, hfToken],
    ['correct horse', ' spaces count ', 'ghp_second', undefined],
  );
});

test('nothing that is secret, or that steers us, is handed on to a subprocess', () => {
  const secrets = {
    GITHUB_TOKEN: 'a',
    GH_TOKEN: 'b',
    HF_TOKEN: 'c',
    AIRCHER_SIGNING_KEY: 'd',
    AIRCHER_SIGNING_PASSWORD: 'e',
    AIRCHER_GPG_KEY: 'f',
    AIRCHER_GPG_PASSPHRASE: 'g',
    // What GitHub Actions has in a job that may attest or upload.
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'h',
    ACTIONS_ID_TOKEN_REQUEST_URL: 'i',
    ACTIONS_RUNTIME_TOKEN: 'j',
    NODE_OPTIONS: '--import=evil.mjs',
    HTTPS_PROXY: 'http://me:password@proxy',
    PIP_INDEX_URL: 'https://me:password@packages',
    HF_HUB_OFFLINE: '1',
    HF_HOME: '/tokens',
    GIT_SSH_COMMAND: 'k',
  };
  const harmless = { PATH: '/bin', HOME: '/home', Path: 'C:\\', CUDA_VISIBLE_DEVICES: '1', OMP_NUM_THREADS: '4' };
  const { subprocess } = readEnvironment({ ...secrets, ...harmless });
  assert.deepEqual(subprocess, harmless);
});
