import assert from 'node:assert/strict';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { describe, it } from 'node:test';
import { execa } from 'execa';
import { embedScript } from '../../src/release/setup/embed-script.ts';
import { createReleaseWorkspace, type ReleaseWorkspace } from '../fixtures/release-workspace.ts';
import { configure, refused, vectorsAt, vectorsScene } from './vectors-scene.ts';

/** As much of the library as the script uses, and as talkative. */
const library = `
import json, os
__version__ = "6.2.0"
print("loading sentence_transformers")
class Vector:
    def __init__(self, numbers): self.numbers = numbers
    def tolist(self): return self.numbers
class SentenceTransformer:
    def __init__(self, directory, device, **options):
        print("Loading weights: 100%")
        self.default = json.load(open(os.path.join(directory, "config_sentence_transformers.json")))["prompts"]
        self.shift = len(options.get("backend", ""))
    def encode(self, text, prompt_name=None):
        prompt = self.default[prompt_name] if prompt_name is not None else ""
        return Vector([1.0] + [0.0] * 31 if len(prompt + text) % 2 else [0.0, 1.0] + [0.0] * 30)
`;

async function write(workspace: ReleaseWorkspace, path: string, text: string): Promise<void> {
  await mkdir(dirname(workspace.path(path)), { recursive: true });
  await writeFile(workspace.path(path), text);
}

const python = process.env.AIRCHER_TEST_ST_PYTHON;
const found = await execa('python3', ['--version'], { reject: false });

describe('scripts/embed.py', () => {
  it('speaks the embed protocol, whatever the library prints', {
    skip: found.exitCode !== 0 || process.platform === 'win32',
  }, async (t) => {
    const workspace = await vectorsScene(t, {}, { prompts: { query: 'q' } });
    await write(workspace, 'scripts/embed.py', embedScript);
    await write(workspace, 'library/sentence_transformers/__init__.py', library);
    const command = ['env', 'PYTHONPATH=library', 'python3', 'scripts/embed.py'];
    await configure(workspace, { reference: { command } });
    await workspace.json(['release']);
    const { texts, sets } = await vectorsAt(workspace);
    assert.equal(sets[0]?.runtime, 'sentence-transformers 6.2.0, cpu');
    const first = (prompt: string | null): number | undefined =>
      sets[0]?.vectors[texts.findIndex((one) => one.text.startsWith('A small dog') && one.prompt === prompt)]?.[0];
    assert.deepEqual([first(null), first('query')], [1, 0]);

    const other = 'models/alpha/other/x.safetensors';
    await write(workspace, other, '');
    await writeFile(workspace.path(other), await readFile(workspace.path('models/alpha/model.safetensors')));
    const changes = { default_weights: 'other/x.safetensors', reference: { command } };
    await configure(workspace, { release: '2.0.0', ...changes });
    await refused(workspace, ['release'], /sentence-transformers doesn't load other\/x\.safetensors by itself/);
  });

  it('makes the vectors of a real library', { skip: python === undefined }, async (t) => {
    const workspace = await createReleaseWorkspace(t);
    await rm(workspace.path('models/alpha'), { recursive: true });
    // The library makes its own of vocab.txt: the small model's is not whole.
    const files = { 'tokenizer.json': undefined };
    await workspace.writeModel('alpha', { seed: 1, prompts: { query: 'word7 word8: ' }, files });
    await write(workspace, 'scripts/embed.py', embedScript);
    await configure(workspace, { reference: { command: [python!, 'scripts/embed.py'] } });
    await workspace.json(['release']);
    assert.match((await vectorsAt(workspace)).sets[0]?.runtime ?? '', /^sentence-transformers \d/);
  });
});
