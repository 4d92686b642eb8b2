import { resolve } from 'node:path';
import * as z from 'zod/mini';
import type { ReferenceText } from '../../contract/embed-protocol.ts';
import { limits } from '../../contract/limits.ts';
import { compareBytes } from '../../contract/names.ts';
import { problemsOf } from '../../contract/problems-of.ts';
import { type ReferenceVectors, referenceTextsField } from '../../contract/reference-vectors.ts';
import type { ReferenceConfig } from '../../contract/release-config.ts';
import { parseStrictJson } from '../../contract/strict-json.ts';
import { invalidError, throwProblems } from '../../core/errors.ts';
import { readBoundedFile } from '../../core/read-files.ts';
import type { Workspace } from '../workspace.ts';
import { builtInTexts, promptedTexts } from './built-in-texts.ts';

/** Prompts for which texts are repeated: the first by name. */
const maxPrompts = 4;

/**
 * The texts that a model is tried on: those of the file that release.json names, else the built-in
 * ones; and those of the version in which the space began, where it is to be kept. `prompts` are
 * the model's. Throws `invalid` with the place in the file.
 */
export async function referenceTexts(
  reference: ReferenceConfig,
  prompts: Readonly<Record<string, string>>,
  origin: ReferenceVectors | undefined,
  workspace: Workspace,
): Promise<readonly ReferenceText[]> {
  const texts =
    reference.texts === undefined ? repeatedFor(prompts) : await readTexts(reference.texts, prompts, workspace);
  const known = new Set(texts.map(sameText));
  const more = (origin?.texts ?? []).filter((text) => !known.has(sameText(text)));
  const lost = more.find(({ prompt }) => prompt !== null && !Object.hasOwn(prompts, prompt));
  if (lost !== undefined) {
    throw invalidError(
      `${origin?.model} ${origin?.version} was tried with the prompt ${JSON.stringify(lost.prompt)}, which this version doesn't have`,
      'Bring the prompt back, or take "keep_space" out: the space is another one then.',
    );
  }
  return [...texts, ...more.map((text) => ({ ...text, id: `${origin?.version}:${text.id}` }))];
}

/** Texts are the same that are embedded to the same vector, whatever their id. */
export function sameText({ text, prompt }: ReferenceText): string {
  return JSON.stringify([prompt, text]);
}

function repeatedFor(prompts: Readonly<Record<string, string>>): readonly ReferenceText[] {
  const plain = Object.entries(builtInTexts).map(([id, text]) => ({ id, text, prompt: null }));
  const named = Object.keys(prompts).sort(compareBytes).slice(0, maxPrompts);
  // Prompts may have any name, ids may not.
  const prompted = named.flatMap((prompt, at) =>
    promptedTexts.map((id) => ({ id: `prompt ${at + 1}: ${id}`, text: builtInTexts[id]!, prompt })),
  );
  return [...plain, ...prompted];
}

async function readTexts(
  file: string,
  prompts: Readonly<Record<string, string>>,
  workspace: Workspace,
): Promise<readonly ReferenceText[]> {
  const bytes = await readBoundedFile(resolve(workspace.directory, file), limits.referenceTextsBytes);
  if (bytes === undefined) {
    throw invalidError(
      `${file} is not there`,
      'Correct "texts" in release.json, or leave it out for the built-in texts.',
    );
  }
  const json = parseStrictJson(bytes, { file, maxBytes: limits.referenceTextsBytes });
  const { success, data, error } = z.safeParse(referenceTextsField, json, { reportInput: true });
  if (!success) throwProblems('invalid', `${file} is no list of reference texts`, problemsOf(error.issues, file));
  const texts = data!.map(({ id, text, prompt }) => ({ id, text, prompt }));
  const unknown = texts.find(({ prompt }) => prompt !== null && !Object.hasOwn(prompts, prompt));
  if (unknown === undefined) return texts;
  throw invalidError(
    `${file}: ${JSON.stringify(unknown.id)} has the prompt ${JSON.stringify(unknown.prompt)}, which the model doesn't have`,
    `The model has ${Object.keys(prompts).join(', ') || 'no prompts'}.`,
  );
}
