import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { buildClientPackage } from '../../scripts/build-client-package.ts';
import { noRateLimits } from '../../src/rehearsal/github/options.ts';
import { startGitHub } from '../../src/rehearsal/github/server.ts';
import { startHub } from '../../src/rehearsal/hub/server.ts';
import { startStaticMirror } from '../../src/rehearsal/static-mirror.ts';
import { writeTinyModel } from '../fixtures/tiny-model.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * The machine of somebody who follows a document: a repository with a model, the programs, and
 * stand-ins of the hosts.
 */
export interface DocScene {
  readonly repository: string;
  readonly home: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Puts the stand-ins in the place of the addresses that the documents name. */
  map(text: string): string;
  close(): Promise<void>;
}

export async function openDocScene(): Promise<DocScene> {
  const directory = await mkdtemp(join(tmpdir(), 'aircher-docs-'));
  const [repository, home, bin] = ['repository', 'home', 'bin'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  for (const path of [repository, home, bin]) await mkdir(path);
  const github = await startGitHub({
    stateDirectory: join(directory, 'github'),
    tokens: { github_pat_yours: { login: 'acme', push: true } },
    repositories: [{ owner: 'acme', name: 'models' }],
    rateLimits: noRateLimits,
  });
  const hub = await startHub({
    stateDirectory: join(directory, 'hub'),
    accounts: { hf_yours: { user: 'acme', role: 'write' } },
  });
  await hub.createRepository('acme/embedding-models');
  const mirror = await startStaticMirror({ directory: join(repository, 'mirror') });
  await writeTinyModel(join(repository, 'models/my-model'), { seed: 1 });
  await installPrograms(bin, repository);
  const environment = {
    ...pick(process.env, ['TMPDIR', 'LANG']),
    PATH: [bin, dirname(process.execPath), process.env.PATH ?? ''].join(delimiter),
    HOME: home,
    // Many short processes of the same sources.
    NODE_COMPILE_CACHE: join(tmpdir(), `aircher-docs-compiled-${process.versions.node}`),
    GNUPGHOME: join(home, '.gnupg'),
    GIT_AUTHOR_NAME: 'Reader',
    GIT_AUTHOR_EMAIL: 'reader@example.org',
    GIT_COMMITTER_NAME: 'Reader',
    GIT_COMMITTER_EMAIL: 'reader@example.org',
    GIT_CONFIG_GLOBAL: join(home, '.gitconfig'),
    GITHUB_SERVER_URL: github.url,
    GITHUB_API_URL: github.apiUrl,
    HF_ENDPOINT: hub.url,
  };
  await initGit(directory, repository, environment);
  return {
    repository,
    home,
    environment,
    map: (text) =>
      text
        .replaceAll('https://github.com/', `${github.url}/`)
        .replaceAll('https://huggingface.co/', `${hub.url}/`)
        .replaceAll('https://models.example.org/acme', mirror.url),
    close: async () => {
      await Promise.all([github.close(), hub.close(), mirror.close()]);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/**
 * `aircher-models` and `npx` of it run the sources, `aircher` is the built package; both can be
 * imported by their names.
 */
async function installPrograms(bin: string, repository: string): Promise<void> {
  if (!existsSync(join(root, 'dist/client/aircher.mjs'))) await buildClientPackage();
  const client = join(repository, 'node_modules/aircher');
  await buildClientPackage(client);
  const node = JSON.stringify(process.execPath);
  const beside = (name: string): string => JSON.stringify(fileURLToPath(new URL(name, import.meta.url)));
  const scripts = {
    'aircher-models': `exec ${node} ${beside('quick-cli.ts')} "$@"`,
    aircher: `exec ${node} ${JSON.stringify(join(client, 'aircher.mjs'))} "$@"`,
    npx: 'case "$1" in aircher-models|aircher) exec "$@";; *) echo "npx $1: not in the documents\' machine" >&2; exit 127;; esac',
    'publish-now': `exec ${node} ${beside('publish-now.ts')}`,
    'write-block': `exec ${node} ${beside('write-block.ts')} "$@"`,
  };
  for (const [name, text] of Object.entries(scripts)) {
    await writeFile(join(bin, name), `#!/bin/sh\n${text}\n`);
    await chmod(join(bin, name), 0o755);
  }
  // As `npm install --save-dev` of the tarball leaves them.
  const tarball = 'aircher-models-0.1.0.tgz';
  const lock = { lockfileVersion: 3, packages: { 'node_modules/aircher-models': { resolved: `file:${tarball}` } } };
  await writeFile(join(repository, 'package.json'), '{}\n');
  await writeFile(join(repository, 'package-lock.json'), JSON.stringify(lock));
  await writeFile(join(repository, tarball), '');
  const place = join(repository, 'node_modules/aircher-models');
  await mkdir(place, { recursive: true });
  await writeFile(
    join(place, 'package.json'),
    JSON.stringify({ name: 'aircher-models', type: 'module', exports: { '.': './index.js', './fetch': './fetch.js' } }),
  );
  const source = (path: string): string => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href);
  await writeFile(join(place, 'index.js'), `export * from ${source('index.ts')};\n`);
  await writeFile(join(place, 'fetch.js'), `export * from '../aircher/aircher.mjs';\n`);
}

async function initGit(
  directory: string,
  repository: string,
  environment: Readonly<Record<string, string>>,
): Promise<void> {
  const git = (...args: readonly string[]) => execa('git', args, { cwd: repository, env: environment });
  await git('init', '--quiet', '--initial-branch=main');
  await execa('git', ['init', '--quiet', '--bare', join(directory, 'origin.git')], { env: environment });
  await git('remote', 'add', 'origin', join(directory, 'origin.git'));
  await writeFile(join(repository, '.gitignore'), 'node_modules/\n');
}

function pick(variables: NodeJS.ProcessEnv, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => (variables[name] === undefined ? [] : [[name, variables[name] ?? '']])),
  );
}
