import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { gpgSkipReason, openGpgScene } from '../trust/gpg-scene.ts';
import { createModelRepository } from './model-repository.ts';

const passphrase = 'canaryOfThePassphrase';
const skip = process.platform === 'win32' ? 'the release workflow runs on Linux' : await gpgSkipReason();

describe('the workflows of a repository that signs with GPG too', { skip }, () => {
  it('sign with the secret key in one step, and check with the public one on machines whose keyrings are empty', async (t) => {
    const gpg = await openGpgScene();
    t.after(() => gpg.close());
    const fingerprint = await gpg.makeKey('maintainer', { passphrase });
    const secretKey = await gpg.exportSecret(fingerprint, passphrase);
    const repository = await createModelRepository(t, {}, { gpg_fingerprint: fingerprint });
    const options = {
      secrets: { AIRCHER_GPG_KEY: secretKey, AIRCHER_GPG_PASSPHRASE: passphrase },
      vars: { AIRCHER_GPG_PUBLIC_KEY: await gpg.exportPublic(fingerprint) },
    };
    const report = await repository.runWorkflow('signed', options);
    assert.equal(report.jobs.release?.outputs.state, 'public', report.log);
    // That job's downloads find no server behind the mirror here; of the signature it finds nothing
    // wrong.
    assert.doesNotMatch(report.log, /^::.*(GPG|\.asc)/m);
    assert.ok(!report.log.includes(passphrase));
    const signature = await readFile(repository.mirrorPath('signed', 'models-v1.0.0', 'manifest.json.asc'), 'utf8');
    assert.match(signature, /^-----BEGIN PGP SIGNATURE-----/);

    const drift = { ...options, secrets: {}, workflow: '.github/workflows/drift.yml' };
    const weekly = await repository.runWorkflow('signed', drift);
    assert.equal(weekly.jobs.verify?.result, 'success', weekly.log);
    assert.match(weekly.log, /models-v1\.0\.0 is whole on mirror/);

    // Without the variable nothing can be said of the signature, and that must not pass for good.
    const unable = await repository.runWorkflow('signed', { ...drift, vars: {} });
    assert.equal(unable.jobs.verify?.result, 'failure');
    assert.match(unable.log, /no public GPG key .* to check the signature with/);
    assert.match(unable.log, /AIRCHER_GPG_PUBLIC_KEY/);
  });
});
