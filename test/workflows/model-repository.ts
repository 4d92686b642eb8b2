import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { sha256 } from '../../src/core/hashing.ts';
import { lockPackage } from '../fixtures/lock-package.ts';
import { createReleaseWorkspace, type ReleaseWorkspace } from '../fixtures/release-workspace.ts';
import { newSigningKey } from '../fixtures/signing-key.ts';
import { runWorkflow, type WorkflowOptions, type WorkflowReport } from './run-workflow.ts';

const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));

/**
 * A git repository with two models, set up by `init`, which releases to a mirror beside its clones
 * unless told otherwise.
 */
export interface ModelRepository {
  readonly workspace: ReleaseWorkspace;
  readonly signingKey: string;
  /** Commits what is in the workspace. */
  commit(): Promise<void>;
  /** A mirror that is shared by all runs with the same name, and what is on it, by path: sha256. */
  mirror(name: string): Promise<Readonly<Record<string, string>>>;
  mirrorPath(name: string, ...parts: readonly string[]): string;
  /** One local `release` from a clone. */
  releaseLocally(mirror: string, env?: Readonly<Record<string, string>>): Promise<void>;
  /** The release workflow, from fresh clones. */
  runWorkflow(mirror: string, options?: Partial<WorkflowOptions>): Promise<WorkflowReport>;
}

export async function createModelRepository(
  t: TestContext,
  changes: Readonly<Record<string, unknown>> = {},
  signing: Readonly<Record<string, unknown>> = {},
): Promise<ModelRepository> {
  const place = await mkdtemp(join(tmpdir(), 'aircher-workflow-'));
  t.after(() => rm(place, { recursive: true, force: true }));
  const workspace = await createReleaseWorkspace(t);
  const keys = join(place, 'keys');
  const { publicKey } = await newSigningKey(keys);
  const config = { ...changes, signing: { public_keys: [publicKey], ...signing } };
  await workspace.configure({
    mirror: { base_url: 'http://127.0.0.1:9', directory: '../mirror', probe: false },
    ...config,
  });
  await lockPackage(workspace.directory);
  await workspace.json(['init']);
  const env = await environment(place);
  const git = async (...args: readonly string[]): Promise<unknown> =>
    await execa('git', args, { cwd: workspace.directory, env, extendEnv: false });
  await git('init', '--quiet', '--initial-branch', 'main');
  const signingKey = await readFile(join(keys, 'aircher.key'), 'utf8');
  let runs = 0;

  const mirrorPath = (name: string, ...parts: readonly string[]): string => join(place, 'mirrors', name, ...parts);
  /** A directory for clones; `../mirror` of each is the named mirror. */
  const besideMirror = async (name: string): Promise<string> => {
    runs++;
    const directory = join(place, `run-${runs}`);
    await mkdir(mirrorPath(name), { recursive: true });
    await mkdir(directory, { recursive: true });
    await symlink(mirrorPath(name), join(directory, 'mirror'));
    return directory;
  };
  const repository: ModelRepository = {
    workspace,
    signingKey,
    mirrorPath,
    mirror: (name) => digests(mirrorPath(name)),
    commit: async () => {
      await git('add', '--all');
      await git('commit', '--quiet', '--message', 'models');
    },
    releaseLocally: async (mirror, more = {}) => {
      const clone = join(await besideMirror(mirror), 'clone');
      await git('clone', '--quiet', workspace.directory, clone);
      await execa(process.execPath, [cli, 'release'], {
        cwd: clone,
        env: { ...env, ...more, AIRCHER_SIGNING_KEY: signingKey },
        extendEnv: false,
      });
    },
    runWorkflow: async (mirror, options = {}) =>
      await runWorkflow({
        repository: workspace.directory,
        workflow: '.github/workflows/release-models.yml',
        directory: await besideMirror(mirror),
        github: { event: { repository: { private: false } } },
        ...options,
        secrets: { AIRCHER_SIGNING_KEY: signingKey, ...options.secrets },
        env: { ...env, ...options.env },
      }),
  };
  await repository.commit();
  return repository;
}

/**
 * What every step has: the programs, a home of its own, and an npm and npx that run this checkout
 * in place of an installed package.
 */
async function environment(place: string): Promise<Record<string, string>> {
  const programs = join(place, 'programs');
  await mkdir(programs, { recursive: true });
  for (const [name, script] of [
    ['npm', '[ "$*" = "ci --ignore-scripts" ] && [ -f package-lock.json ]'],
    ['npx', `[ "$1 $2 $3" = "--no -- aircher-models" ] || exit 64; shift 3; exec '${process.execPath}' '${cli}' "$@"`],
  ] as const) {
    await writeFile(join(programs, name), `#!/bin/sh\n${script}\n`);
    await chmod(join(programs, name), 0o755);
  }
  return {
    PATH: `${programs}:${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`,
    HOME: place,
    CI: 'true',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_AUTHOR_NAME: 'Test',
    GIT_AUTHOR_EMAIL: 'test@example.org',
    GIT_COMMITTER_NAME: 'Test',
    GIT_COMMITTER_EMAIL: 'test@example.org',
  };
}

async function digests(directory: string): Promise<Record<string, string>> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const found = await Promise.all(files.sort().map(async (path) => [path, sha256(await readFile(path))] as const));
  return Object.fromEntries(found.map(([path, digest]) => [path.slice(directory.length + 1), digest]));
}
