import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseReleaseConfig } from '../../src/contract/parse-release-config.ts';
import type { ReleaseConfig } from '../../src/contract/release-config.ts';
import { fileUrl, githubInstallation, manifestSources } from '../../src/release/addresses.ts';
import { modelConfig } from '../fixtures/release-workspace.ts';
import { createPublishScene, type PublishScene, repository } from './publish-scene.ts';

function configOf(hosts: Readonly<Record<string, unknown>>): ReleaseConfig {
  const config = {
    release: '1.0.0',
    namespace: 'test',
    tag_prefix: 'v',
    models: { alpha: modelConfig('alpha') },
    ...hosts,
  };
  return parseReleaseConfig(Buffer.from(JSON.stringify(config)), 'release.json');
}

describe('the API of a GitHub installation', () => {
  const cases: readonly [
    string,
    Readonly<{ server_url?: string; api_url?: string }>,
    Readonly<{ server?: string; api?: string }>,
    string,
  ][] = [
    ['of github.com', {}, {}, 'https://api.github.com'],
    ['of a *.ghe.com', { server_url: 'https://octocorp.ghe.com' }, {}, 'https://api.octocorp.ghe.com'],
    [
      'of a *.ghe.com in the environment alone',
      {},
      { server: 'https://octocorp.ghe.com/' },
      'https://api.octocorp.ghe.com',
    ],
    ['of a server', { server_url: 'https://git.example.org/' }, {}, 'https://git.example.org/api/v3'],
    [
      'of a host that only looks like ghe.com',
      { server_url: 'https://ghe.com.example.org' },
      {},
      'https://ghe.com.example.org/api/v3',
    ],
    [
      'that release.json names',
      { server_url: 'https://git.example.org', api_url: 'https://api.example.org/' },
      { server: 'https://git.example.org', api: 'https://other.example.org' },
      'https://api.example.org',
    ],
    [
      'of the environment, for the server that both name',
      { server_url: 'https://git.example.org' },
      { server: 'https://git.example.org/', api: 'https://git.example.org:8443/v3' },
      'https://git.example.org:8443/v3',
    ],
    [
      'of the environment, which belongs to another server',
      { server_url: 'https://git.example.org' },
      { server: 'https://github.com', api: 'https://api.github.com' },
      'https://git.example.org/api/v3',
    ],
    ['of the environment alone', {}, { api: 'https://proxy.example.org' }, 'https://proxy.example.org'],
  ];
  for (const [what, named, { server, api }, expected] of cases) {
    it(`is right: ${what}`, () => {
      const config = configOf({ github: { repository, ...named } });
      const found = githubInstallation(config, { githubServerUrl: server, githubApiUrl: api });
      assert.equal(found.apiUrl, expected);
    });
  }

  it('is not taken for the installation itself', () => {
    for (const server_url of ['https://api.github.com', 'https://api.octocorp.ghe.com/']) {
      assert.throws(() => configOf({ github: { repository, server_url } }), /the address of an API/);
    }
  });

  it('gets the requests of a release', async (t) => {
    const scene = await createPublishScene(t);
    const nowhere = { GITHUB_SERVER_URL: 'https://github.com', GITHUB_API_URL: 'https://api.github.com' };
    const asked = async (github: object, env: Readonly<Record<string, string>>): Promise<readonly string[]> => {
      await scene.configure({ github: { repository, ...github }, huggingface: undefined });
      scene.clearLogs();
      const run = await scene.start(['status', '--json'], env);
      assert.equal(run.exitCode, 0, String(run.stderr));
      return [...new Set(apiRequests(scene))];
    };
    const { url, apiUrl } = scene.github;
    assert.deepEqual(await asked({ server_url: url, api_url: apiUrl }, nowhere), ['api']);
    assert.deepEqual(await asked({ server_url: url }, {}), ['api']);
    assert.deepEqual(await asked({ server_url: url }, nowhere), ['web']);
    assert.deepEqual(await asked({}, { GITHUB_SERVER_URL: url, GITHUB_API_URL: '' }), ['web']);
  });
});

/** The origins that requests to the API came to. */
function apiRequests(scene: PublishScene): readonly string[] {
  return scene.github.log.entries.filter(({ path }) => path.includes('/repos/')).map(({ origin }) => origin);
}

describe('addresses of a mirror', () => {
  const mirror = (base_url: string) => configOf({ mirror: { base_url, directory: 'mirror' } });

  it('are percent-encoded, whatever release.json has', () => {
    const config = mirror('https://models.example.org/modèles d’été/');
    const base = 'https://models.example.org/mod%C3%A8les%20d%E2%80%99%C3%A9t%C3%A9';
    assert.equal(fileUrl(config, 'mirror', 'v1.0.0', 'alpha.tar.gz'), `${base}/v1.0.0/alpha.tar.gz`);
    assert.deepEqual(manifestSources(config), [`${base}/manifest.json`]);
    assert.equal(fileUrl(mirror(base), 'mirror', 'v1.0.0', 'a'), `${base}/v1.0.0/a`, 'what is encoded stays');
  });

  it('have no query and no fragment, nor have those of other installations', () => {
    for (const end of ['?x=1', '#x', '/?', '#']) {
      const url = `https://models.example.org/m${end}`;
      for (const hosts of [
        { mirror: { base_url: url, directory: 'mirror' } },
        { github: { repository, server_url: url } },
        { github: { repository, api_url: url } },
        { huggingface: { repository, endpoint: url } },
      ]) {
        assert.throws(() => configOf(hosts), /_url|endpoint/, JSON.stringify(hosts));
      }
    }
  });
});
