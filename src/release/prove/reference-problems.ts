import semver from 'semver';
import type { ManifestModel } from '../../contract/manifest.ts';
import { jsonPath, nearest } from '../../contract/problems-of.ts';
import type { ModelConfig } from '../../contract/release-config.ts';
import { AircherError, type Problem } from '../../core/errors.ts';
import type { ModelFacts } from '../../model/facts.ts';
import { raiseOf } from '../../model/version-rules.ts';
import type { Workspace } from '../workspace.ts';
import { originVectors } from './earlier-vectors.ts';
import { referenceTexts } from './reference-texts.ts';

/** What of "reference" can't work with this model, as far as its configs and headers tell. */
export async function referenceProblems(
  name: string,
  { reference }: ModelConfig,
  facts: ModelFacts,
  workspace: Workspace,
): Promise<readonly Problem[]> {
  if (reference === undefined) return [];
  const at = (keys: readonly string[], message: string, hint: string | undefined): Problem => ({
    level: 'error',
    file: workspace.configFile,
    path: jsonPath(['models', name, 'reference', ...keys]),
    message,
    hint,
  });
  const { kind, prompts } = facts.embedding;
  if (kind === 'reranker' || kind === 'multi-vector') {
    return [at([], `${name} is a ${kind} model: it makes no vector of a text`, 'Take "reference" out.')];
  }
  const paths = facts.weights.map(({ path }) => path);
  const unknown = Object.keys(reference.weights ?? {}).filter((path) => !paths.includes(path));
  const problems = unknown.map((path) => {
    const near = nearest(path, paths);
    const known = near === undefined ? `The model has ${paths.join(', ')}.` : `Did you mean ${JSON.stringify(near)}?`;
    return at(['weights', path], 'are no weights of the model', known);
  });
  try {
    await referenceTexts(reference, prompts, undefined, workspace);
  } catch (error) {
    if (!(error instanceof AircherError)) throw error;
    const own = at(['texts'], error.message, error.hint);
    problems.push(...(error.problems.length > 0 ? error.problems : [own]));
  }
  return problems;
}

/**
 * Where "keep_space" can't hold, as far as that is known before anything is packed: the last
 * version has no vectors to measure by, or the version is raised too little for other weights.
 */
export function keepSpaceProblems(
  name: string,
  model: ModelConfig,
  previous: ManifestModel | undefined,
  workspace: Workspace,
): readonly Problem[] {
  if (!model.keep_space || previous === undefined) return [];
  const path = jsonPath(['models', name, 'keep_space']);
  const problem = (message: string, hint: string): Problem[] => [
    { level: 'error', file: workspace.configFile, path, message, hint },
  ];
  if (originVectors(previous) === undefined) {
    return problem(
      `${name} ${previous.version} has no reference vectors: nothing tells whether the space is the same`,
      `Release the files of ${previous.version} once more under the next patch version, with "reference" and without "keep_space"; this version can be measured by that one.`,
    );
  }
  if (raiseOf(previous.version, model.version) !== 'patch') return [];
  return problem(
    `other weights need a minor version, but ${model.version} raises the patch version of ${previous.version}`,
    `Write ${semver.inc(previous.version, 'minor')}; or take "keep_space" out where the weights are those of ${previous.version}: their space stays without it.`,
  );
}
