import { posix } from 'node:path';
import type { SourceFile } from '../archive/pack-archive.ts';
import { isCode, isPickle, isSafetensors, isTrainingState } from './file-kinds.ts';
import type { FilePatterns } from './file-patterns.ts';
import type { Finding, Findings } from './findings.ts';

/**
 * Leaves Python files out of the release. No loader needs them: one that a loader would run is
 * named by a config, which is an error of its own (`findCodeReferences`); the others, such as
 * training scripts, are no part of the model. A Python file that `include` names is an error.
 */
export function withoutCode(files: readonly SourceFile[], patterns: FilePatterns, findings: Findings): SourceFile[] {
  const code = files.filter(({ path }) => isCode(path));
  const named = code.filter(({ path }) => patterns.namesEndingOf(path));
  findings.errors(
    named.map(({ path }) => ({
      in: path,
      message: 'is code, and "include" names it',
      hint: 'Take it out of "include", or set "allow_code": true, and the manifest will say so.',
    })),
  );
  findings.warnings(
    code
      .filter((file) => !named.includes(file))
      .map(({ path }) => ({
        in: path,
        message: 'is code and is left out: no loader runs it',
        hint: `Write ${JSON.stringify(path)} in "exclude", and this is silent.`,
      })),
  );
  return files.filter(({ path }) => !isCode(path));
}

/**
 * Leaves pickles out of the release, since reading one runs code. Copies of released safetensors,
 * and what a training run leaves behind, are left out with a warning. Any other pickle is an error:
 * something would be lost without it, and a maintainer has to decide. OpenVINO's `x.bin` beside
 * `x.xml` is no pickle.
 */
export function withoutPickles(files: readonly SourceFile[], patterns: FilePatterns, findings: Findings): SourceFile[] {
  const paths = new Set(files.map(({ path }) => path));
  const isOpenVino = (path: string): boolean => path.endsWith('.bin') && paths.has(path.replace(/bin$/, 'xml'));
  const pickles = files.filter(({ path }) => isPickle(path) && !isOpenVino(path));
  const rest = files.filter((file) => !pickles.includes(file));
  const safetensors = rest.map(({ path }) => path).filter(isSafetensors);
  const errors: Finding[] = [];
  const warnings: Finding[] = [];
  for (const { path } of pickles) {
    const exclude = `write ${JSON.stringify(path)} in "exclude"`;
    const leftOut = (reason: string): void =>
      void warnings.push({
        in: path,
        message: `is a pickle and is left out: ${reason}`,
        hint: `To leave it out silently, ${exclude}.`,
      });
    if (patterns.namesEndingOf(path)) {
      errors.push({
        in: path,
        message: 'is a pickle, which runs code when it is loaded, and "include" names it',
        hint: 'Convert it to safetensors, and take it out of "include".',
      });
    } else if (isTrainingState(path)) {
      leftOut('it is the state of a training, which no loader reads');
    } else if (safetensors.some((other) => isCopy(path, other))) {
      leftOut('the safetensors beside it are released');
    } else {
      errors.push({
        in: path,
        message: `is a pickle, which runs code when it is loaded, and no released file holds the same; lost without it: ${lostWithout(path)}`,
        hint: isWholeModel(path)
          ? `Load the model and save it again: model.save_pretrained(folder) writes safetensors. If nobody needs it, ${exclude}.`
          : `Convert it to safetensors; or, if nobody needs it, ${exclude}.`,
      });
    }
  }
  findings.errors(errors);
  findings.warnings(warnings);
  return rest;
}

/**
 * `pytorch_model.bin` and its shards. transformers and sentence-transformers wrote these before
 * safetensors.
 */
function isWholeModel(path: string): boolean {
  return /^pytorch_model(?:-\d{5}-of-\d{5})?\.bin$/.test(posix.basename(path));
}

/**
 * Whether the pickle is a copy, judged by the names: `x.bin` of `x.safetensors`,
 * `pytorch_model.bin` of `model.safetensors`; either may be in shards.
 */
function isCopy(pickle: string, safetensors: string): boolean {
  if (posix.dirname(pickle) !== posix.dirname(safetensors)) return false;
  const stem = (path: string): string => posix.basename(path).replace(/(?:-\d{5}-of-\d{5})?\.[^.]+$/, '');
  return stem(pickle).replace(/^pytorch_model$/, 'model') === stem(safetensors);
}

/** What is lost without a known file. */
const contents: Readonly<Record<string, string>> = {
  'colbert_linear.pt': 'the head that makes a vector per token (multi-vector retrieval of BGE-M3)',
  'sparse_linear.pt': 'the head that weighs words (sparse retrieval of BGE-M3)',
  'model_head.pkl': "the classifier behind the embedding (SetFit's head)",
};

function lostWithout(path: string): string {
  const known = contents[posix.basename(path)];
  if (known !== undefined) return known;
  const folder = posix.dirname(path);
  return isWholeModel(path) ? `the weights of ${folder === '.' ? 'the model' : folder}` : `what ${path} holds`;
}
