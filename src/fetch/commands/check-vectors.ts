import { usageError } from '../../core/errors.ts';
import { plural } from '../../core/format.ts';
import type { VectorsReport } from '../api.ts';
import type { Output } from '../render/output.ts';
import { checkVectors, differing } from '../vectors/check-vectors.ts';
import { distanceText } from '../vectors/diagnose-vectors.ts';
import { embedByCommand } from '../vectors/run-embed-command.ts';
import { type Command, weightsOptions } from './command.ts';

export const checkVectorsCommand: Command = {
  name: 'check-vectors',
  operands: 'NAME[@VERSION] -- COMMAND…',
  summary: 'whether the model makes the same vectors in your runtime as in its maintainers’',
  details:
    'COMMAND reads {"texts": [{"id", "text", "prompt"}]} and prints {"vectors": [[…], …], "runtime": "…"}; MODEL_DIR and MODEL_WEIGHTS tell what to load. Exit code 4 where vectors differ, with what that usually means. No network, where the reference came with the model.',
  examples: {
    'all-MiniLM-L6-v2 -- python3 embed.py': 'the default weights',
    'all-MiniLM-L6-v2 --weights onnx -- node embed.mjs': 'its ONNX weights',
  },
  options: weightsOptions,
  async run({ client, models, options, behind, env, output, context }) {
    const [model] = models;
    if (model === undefined || behind.length === 0) {
      throw usageError('Which command embeds? check-vectors NAME -- COMMAND…', 'Its form: help check-vectors');
    }
    const embed = embedByCommand(behind, { environment: env, signal: context.signal });
    const how = { ...context, version: model.range, weights: options.weights?.at(-1) };
    const report = await checkVectors(client, model.name, embed, how);
    output.document(report);
    tellVectors(report, output);
    if (!report.ok) throw differing(report, { reported: true });
    return 0;
  },
};

/** How many texts that differ are listed. */
const mostListed = 20;

function tellVectors(report: VectorsReport, output: Output): void {
  const { name, version, reference_weights, runtime, reference_runtime, tolerance, max_cosine_distance, vectors } =
    report;
  const by = (words: string | undefined): string => (words === undefined ? '' : `, by ${words}`);
  output.print(`${name} ${version}${by(runtime)}`);
  output.print(`against ${reference_weights}${by(reference_runtime)}`);
  const wrong = vectors.filter(({ ok }) => !ok);
  // NaN, and vectors of other dimensions, have no distance.
  const most =
    max_cosine_distance === null
      ? ''
      : `; largest distance ${distanceText(max_cosine_distance)}, allowed ${distanceText(tolerance)}`;
  output.print(`${plural(vectors.length, 'text')}: ${vectors.length - wrong.length} equal, ${wrong.length} not${most}`);
  output.print('');
  const far = wrong.filter(({ cosine_distance: distance }) => distance === null || distance > tolerance);
  if (far.some(({ cosine_distance: distance }) => distance !== null)) {
    output.table(far.slice(0, mostListed), {
      TEXT: ({ id }) => id,
      PROMPT: ({ prompt }) => prompt ?? undefined,
      DISTANCE: ({ cosine_distance: distance }) => (distance === null ? undefined : distanceText(distance)),
    });
    if (far.length > mostListed) output.print(`… and ${far.length - mostListed} more (--json has all)`);
    output.print('');
  }
  for (const { what, status, detail, hint } of report.findings) {
    output.print(`${what}: ${detail}.`);
    // The hint of the worst comes with the error.
    if (hint !== undefined && status !== 'failed') output.print(`  ${hint}`);
  }
  if (report.ok) output.print('The model works here as it should.');
}
