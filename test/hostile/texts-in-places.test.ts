import assert from 'node:assert/strict';
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { marked } from 'marked';
import { parse } from 'yaml';
import { createJobReport } from '../../src/cli/job-report.ts';
import type { ManifestModel } from '../../src/contract/manifest.ts';
import type { ReleaseConfig } from '../../src/contract/release-config.ts';
import { AircherError } from '../../src/core/errors.ts';
import { composeModelCard } from '../../src/release/documents/model-card.ts';
import { composeNotes } from '../../src/release/documents/notes.ts';
import type { Plan } from '../../src/release/plan/plan-record.ts';
import { createWorld } from '../fetch/world.ts';
import { hostileTexts, steering } from '../fixtures/hostile-texts.ts';
import { createReleaseWorkspace, type ReleaseWorkspace } from '../fixtures/release-workspace.ts';
import { runnerCommands } from '../fixtures/runner-commands.ts';

/** Every place where a text that others wrote is printed, with each of the hostile texts. */

/** Of all but the longest: processes and file names take no more. */
const shortTexts = Object.values(hostileTexts).filter((text) => text.length < 1_000);
const all = shortTexts.join(' ; ');

/** Elements of a document's HTML, each with how often it is there. */
function elementsOf(markdown: string): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  const html = marked.parse(markdown, { async: false }).replace(/<code>@+<\/code>/g, '');
  for (const [, name = ''] of html.matchAll(/<(\w+)/g)) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

/** The same document with a hostile text as with a tame one, but for the text. */
function sameShape(compose: (text: string) => string): void {
  const expected = elementsOf(compose('tame'));
  for (const [name, text] of Object.entries(hostileTexts)) {
    const document = compose(text);
    assert.doesNotMatch(document, steering, name);
    assert.deepEqual(elementsOf(document), expected, `${name}\n${document.slice(0, 3_000)}`);
  }
}

const space = (digit: string) => digit.repeat(64);
const entry = (version: string, text: string, digit: string): ManifestModel => ({
  version,
  size_bytes: 1,
  sha256: space('a'),
  download_urls: { mirror: 'https://models.example.org/x' },
  license: text,
  changes: text,
  release: 'models-v1.0.0',
  embedding: {
    dimensions: 8,
    pooling: text,
    similarity: text,
    prompts: { [text]: text, query: 'q' },
    space: space(digit),
  },
  files: [{ path: 'modules.json', size_bytes: 1, sha256: space('a') }],
  weights: [
    { ...weights, path: 'model.safetensors', format: 'safetensors', default: true, space: space(digit) },
    { ...weights, path: text, format: 'onnx', space: space('3') },
  ],
});
const weights = { files: [], size_bytes: 1, dtypes: {} };

function notes(text: string, { first = false } = {}): string {
  const before = entry('1.0.0', `${text} before`, '1');
  const planned = { name: 'alpha', action: 'pack', previous: first ? null : before };
  const plan = { tag: 'models-v2.0.0', base: first ? null : { tag: 'models-v1.0.0' }, models: [planned], dropped: [] };
  const config = {
    mirror: { base_url: 'https://models.example.org', directory: 'mirror' },
    yanked: [{ model: 'alpha', version: '1.0.0', reason: text }],
  };
  const models = { alpha: entry('2.0.0', text, '2') };
  return composeNotes(config as unknown as ReleaseConfig, plan as unknown as Plan, models, 'Made by a test.');
}

function card(text: string): string {
  const config = { namespace: 'test', huggingface: { repository: 'acme/models', raw_files: true } };
  return composeModelCard(config as ReleaseConfig, { alpha: entry('2.0.0', text, '2') }, 'models-v2.0.0');
}

describe('hostile texts in the documents of a release', () => {
  it('the notes show licence, changes, reasons and earlier facts as text', () => {
    sameShape((text) => notes(text));
    sameShape((text) => notes(text, { first: true }));
  });

  it("the model card's table shows licence and pooling mode as text; its front matter stays one document", () => {
    const body = (text: string) => card(text).replace(/^---\n[\s\S]*?\n---\n/, '');
    sameShape(body);
    for (const [name, text] of Object.entries(hostileTexts)) {
      const front = /^---\n([\s\S]*?)\n---\n/.exec(card(text))?.[1] ?? '';
      for (const version of ['1.1', '1.2'] as const) {
        const { pipeline_tag, tags, license } = parse(front, { version });
        assert.deepEqual([pipeline_tag, tags.length], ['sentence-similarity', 6], name);
        assert.equal(typeof license, 'string', name);
      }
    }
  });

  it("the model card's program is one program, whatever prompts are called", () => {
    for (const [name, text] of Object.entries(hostileTexts)) {
      const [, program = ''] = /```python\n([\s\S]*?)\n```\n/.exec(card(text)) ?? [];
      const lines = program.split('\n');
      assert.equal(lines.length, 7, name);
      assert.match(
        lines.at(-1) ?? '',
        /^vectors = model\.encode\(\["A text"\], prompt_name="(?:[^"\\]|\\.)*"\)$/,
        name,
      );
      assert.match(lines.at(-2) ?? '', /^# Prompts of this model: "/, name);
    }
  });
});

describe('hostile texts in a CI job', () => {
  async function jobReport(t: TestContext) {
    const directory = await mkdtemp(join(tmpdir(), 'aircher-texts-'));
    t.after(() => rm(directory, { recursive: true, force: true }));
    const summaryFile = join(directory, 'summary.md');
    let log = '';
    const write = (text: string) => {
      log += text;
    };
    const job = createJobReport(
      { inActions: true, summaryFile, outputFile: undefined },
      { directory, write, mask: (text) => text },
    );
    return { job, log: () => log, summary: () => readFile(summaryFile, 'utf8') };
  }

  it('every problem is one annotation, whatever it says', async (t) => {
    const { job, log } = await jobReport(t);
    for (const text of Object.values(hostileTexts)) {
      job.warned({ level: 'warning', file: text, path: text, message: text, hint: text });
    }
    await job.ended(new AircherError('remote', all, { hint: all }));
    const commands = runnerCommands(log());
    assert.equal(commands.length, Object.keys(hostileTexts).length + 1);
    assert.ok(commands.every((command) => /^::(warning|error)::/.test(command)));
    assert.equal(log().trim().split('\n').length, commands.length);
  });

  it('the summaries of plan, verify and failures keep their shape', async (t) => {
    for (const [name, text] of Object.entries(hostileTexts)) {
      const { job, summary } = await jobReport(t);
      const model = {
        name: 'alpha',
        version: '1.0.0',
        action: 'pack',
        source_bytes: 1,
        targets: ['mirror'],
        reason: text,
        weights: [
          { path: text, space_change: 'gone' },
          { path: text, default: true, was: text, space_change: 'unknown' },
        ],
      };
      const plan = { tag: 'models-v1.0.0', base: null, models: [model], dropped: [] } as unknown as Plan;
      await job.planned(plan, { models: {} } as ReleaseConfig, {});
      await job.verified({
        tag: 'models-v1.0.0',
        ok: false,
        files: [{ target: 'mirror', name: text, state: 'different' }],
        problems: [],
      });
      await job.ended(new AircherError('remote', `x ${text}`, { hint: text }));
      const { br = 0, ...found } = elementsOf(await summary());
      assert.deepEqual(found, { h2: 3, table: 2, thead: 2, tbody: 2, tr: 4, th: 9, td: 9, ul: 2, li: 3 }, name);
      assert.ok(br <= 2 * text.split('\n').length, name);
      assert.doesNotMatch(await summary(), steering, name);
    }
  });

  async function outputOf(workspace: ReleaseWorkspace, args: readonly string[]) {
    const env = { GITHUB_ACTIONS: 'true', GITHUB_STEP_SUMMARY: workspace.path('summary.md') };
    const { stdout, stderr, exitCode } = await workspace.run(args, { env });
    return { exitCode, stdout, stderr, commands: runnerCommands(`${stdout}\n${stderr}`) };
  }

  it('what the check prints makes no command, neither in the log nor in the annotation, and no link in the summary', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    await writeFile(workspace.path('said.txt'), all);
    await workspace.configure({ check: ['sh', '-c', 'tail -c 3000 said.txt; exit 1'] });
    for (const step of ['plan', 'pack']) assert.equal((await workspace.run([step])).exitCode, 0, step);
    for (const args of [['prove'], ['prove', '--json']]) {
      const { exitCode, stdout, stderr, commands } = await outputOf(workspace, args);
      assert.equal(exitCode, 3, stderr);
      assert.match(`${stdout}${stderr}`, /the check of alpha 1\.0\.0 failed/);
      assert.equal(commands.length, 1, commands.join('\n'));
      assert.match(commands[0] ?? '', /^::error::the check of alpha/);
      assert.doesNotMatch(`${stdout}${stderr}`, steering);
    }
    const { h2, ul, li, br, ...others } = elementsOf(await readFile(workspace.path('summary.md'), 'utf8'));
    assert.deepEqual(others, {});
  });

  it('names of files on a host make none', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    assert.equal((await workspace.run(['release'])).exitCode, 0);
    const names = shortTexts.map((text) => text.replaceAll('/', '∕').slice(0, 60)).filter((text) => text.trim() !== '');
    for (const name of names) {
      const path = workspace.path('mirror/models-v1.0.0', name.replaceAll('\0', ''));
      await appendFile(path, 'x');
    }
    for (const args of [
      ['status', 'models-v1.0.0'],
      ['status', 'models-v1.0.0', '--json'],
      ['verify', 'models-v1.0.0'],
    ]) {
      const { exitCode, stdout, stderr, commands } = await outputOf(workspace, args);
      assert.equal(exitCode, 0, stderr);
      assert.deepEqual(commands, []);
      assert.doesNotMatch(`${stdout}${stderr}`, steering);
    }
  });
});

describe('hostile texts on the terminal of a user', () => {
  it('what a manifest says of licences, changes and withdrawals steers nothing, commands nothing and passes for no message of ours', async (t) => {
    const world = await createWorld(t);
    const facts = { license: all, changes: all };
    await world.release('1.0.0', { alpha: { version: '1.0.0', entry: facts } });
    const run = async (...args: string[]) => {
      const { stdout, stderr, exitCode } = await world.run(args);
      const printed = `${stdout}\n${stderr}`;
      assert.doesNotMatch(printed, steering, args.join(' '));
      assert.deepEqual(runnerCommands(printed), [], args.join(' '));
      assert.doesNotMatch(printed, /^(hint: run|error:)/m, args.join(' '));
      return { stdout, exitCode };
    };
    assert.equal((await run('install', 'alpha')).exitCode, 0);
    await world.release(
      '1.1.0',
      { alpha: { version: '1.1.0', retrained: [1], entry: { ...facts, license: `${all}!` } } },
      { yanked: [{ model: 'alpha', version: '1.0.0', reason: all }] },
    );
    const commands = [
      ['list'],
      ['list', '--remote'],
      ['check-license'],
      ['check-updates'],
      ['update', 'alpha', '--plan'],
      ['path', 'alpha'],
      ['update', 'alpha'],
      ['rollback', 'alpha'],
    ];
    for (const args of commands) assert.equal((await run(...args)).exitCode, 0, args.join(' '));
    const listed = (await run('list', '--remote')).stdout.trim().split('\n');
    assert.equal(listed.length, 2, 'a line a model');
    const json = JSON.parse((await run('list', '--remote', '--json')).stdout);
    assert.equal(json.models[0].license, `${all}!`);
  });
});
