import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { inspectDirectory, temporaryDirectory, told } from './inspecting.ts';
import { layouts } from './known-layouts.ts';
import { writeLayout } from './write-layout.ts';

for (const layout of layouts) {
  test(`${layout.name}: the gate says what it is, and nothing else`, async (context) => {
    const root = join(await temporaryDirectory(context), 'tiny');
    await writeLayout(root, layout);
    const { facts, ...inspected } = await inspectDirectory(root, layout.release ?? {});
    const places = told(inspected).map((line) => /^\w+ [^: ]+/.exec(line)?.[0]);
    assert.deepEqual(places.sort(), [...(layout.told ?? [])].sort(), told(inspected).join('\n'));
    const usual = { kind: 'dense', similarity: 'cosine', prompts: {}, default_prompt_name: null };
    assert.deepEqual(facts.embedding, { ...usual, ...layout.facts });
  });
}
