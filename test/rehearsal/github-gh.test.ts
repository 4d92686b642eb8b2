import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { missing, run, startAcme } from './github-setup.ts';

/**
 * gh speaks https to every host but github.localhost, and there only on port 80. So it is pointed
 * at the stand-in as at an Enterprise server, over TLS with a certificate of our own. Its token
 * stands in hosts.yml for this one host: GH_ENTERPRISE_TOKEN would go along to the asset host too,
 * which refuses it.
 */
test('gh makes a draft, uploads, views, downloads, publishes and lists, unmodified', async (t) => {
  const reason =
    (await missing('gh')) ||
    (await run('openssl', ['version']).then(
      () => false,
      () => 'no openssl',
    ));
  if (reason) return t.skip(reason);
  const directory = await mkdtemp(join(tmpdir(), 'gh-'));
  const path = (name: string): string => join(directory, name);
  await run('openssl', [
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost'],
    ...['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', path('key.pem'), '-out', path('cert.pem')],
  ]);
  const tls = { key: await readFile(path('key.pem'), 'utf8'), cert: await readFile(path('cert.pem'), 'utf8') };
  const github = await startAcme({ tls, publicHost: 'localhost' });
  try {
    const { host } = new URL(github.url);
    await mkdir(path('config'));
    await writeFile(path('config/hosts.yml'), `"${host}":\n  oauth_token: push-token\n  user: maintainer\n`);
    const { GH_TOKEN: _, GITHUB_TOKEN: __, GH_ENTERPRISE_TOKEN: ___, ...environment } = process.env;
    const env = {
      ...environment,
      GH_HOST: host,
      GH_CONFIG_DIR: path('config'),
      SSL_CERT_FILE: path('cert.pem'),
      GH_NO_UPDATE_NOTIFIER: '1',
    };
    const gh = async (...args: string[]) =>
      (await run('gh', ['release', ...args, '-R', `${host}/acme/models`], { env })).stdout;
    const bytes = randomBytes(2_000_000);
    await writeFile(path('a.tar.gz'), bytes);

    await gh('create', 'v1.0.0', '--draft', '--title', 'One', '--notes', 'Text');
    await gh('upload', 'v1.0.0', path('a.tar.gz'));
    await assert.rejects(gh('upload', 'v1.0.0', path('a.tar.gz')), /asset under the same name already exists/);
    assert.match(await gh('view', 'v1.0.0'), /draft:\ttrue[\s\S]*asset:\ta\.tar\.gz/);
    await gh('download', 'v1.0.0', '-D', path('draft'));
    assert.deepEqual(await readFile(path('draft/a.tar.gz')), bytes);
    await gh('edit', 'v1.0.0', '--draft=false');
    assert.match(await gh('list'), /One\tLatest\tv1\.0\.0/);
    await gh('download', 'v1.0.0', '-D', path('public'));
    assert.deepEqual(await readFile(path('public/a.tar.gz')), bytes);
    await gh('delete', 'v1.0.0', '--yes');
    assert.equal(github.repository('acme/models').releases.length, 0);
  } finally {
    await github.close();
    await rm(directory, { recursive: true });
  }
});
