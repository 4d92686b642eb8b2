import type { Embedded, ReferenceText } from '../../contract/embed-protocol.ts';
import { weightsOf } from '../../contract/wanted-weights.ts';
import { integrityError } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import { plural } from '../../core/format.ts';
import type { EnsuredModel, EnsureOptions, Finding, VectorsReport } from '../api.ts';
import { withModelLock } from '../cache/model-lock.ts';
import { readRecord, writeRecord } from '../cache/records.ts';
import type { Client } from '../client.ts';
import { describeInstalled, findInstalled, type InstalledPart } from '../operations/find-installed.ts';
import { notInstalled } from '../operations/select-installed.ts';
import { diagnoseVectors, distanceText } from './diagnose-vectors.ts';
import { referenceVectors } from './reference-file.ts';

/** Embeds texts with an installed model: a vector a text, in their order. */
export type EmbedTexts = (texts: readonly ReferenceText[], model: EnsuredModel) => Promise<Embedded>;

/** What weights without a reference of their own may differ by from the default's. */
const othersTolerance = 1e-2;

/**
 * Has an installed model embed its reference texts, and holds the vectors against the reference's.
 * Throws as `findInstalled`, `referenceVectors` and `embed`; vectors that differ are a report.
 */
export async function checkVectors(
  client: Client,
  name: string,
  embed: EmbedTexts,
  options: EnsureOptions,
): Promise<VectorsReport> {
  const { version, weights, ...context } = options;
  const part = await findInstalled(client, name, version, { ...context, weights });
  if (part === undefined) throw await notInstalled(client, name, version);
  return checkPart(client, part, embed, context);
}

/**
 * The same for what was just made present, once for each version, weights and `runtime`. Throws
 * `integrity` where vectors differ, with the report in its details.
 */
export async function checkOnce(
  client: Client,
  part: InstalledPart,
  embed: EmbedTexts,
  { runtime = '', ...context }: RunContext & { readonly runtime?: string | undefined },
): Promise<void> {
  const { layout } = client;
  const { cache, model: name, version, checked: known = [] } = part.record;
  const weights = pathOf(part) ?? '';
  if (known.some((one) => one.weights === weights && one.runtime === runtime)) return;
  const report = await checkPart(client, part, embed, context);
  if (!report.ok) throw differing(report);
  // In a cache that may only be read, it is checked each time.
  if (cache !== layout) return;
  await withModelLock(layout, name, context, async () => {
    const record = (await readRecord(layout, name, version)) ?? part.record;
    const checked = [...(record.checked ?? []), { weights, runtime, checked_at: new Date().toISOString() }];
    await writeRecord(layout, { ...record, checked }).catch(() => {});
  });
}

/** What to throw where vectors differ. */
export function differing(report: VectorsReport, details: object = { report }): Error {
  const [worst] = report.findings.filter(({ status }) => status === 'failed');
  return integrityError(`${report.name} ${report.version} embeds otherwise here: ${worst?.detail}.`, worst?.hint, {
    details: { ...details },
  });
}

async function checkPart(
  client: Client,
  part: InstalledPart,
  embed: EmbedTexts,
  context: RunContext,
): Promise<VectorsReport> {
  const reference = await referenceVectors(client, part.record, context);
  const path = pathOf(part);
  const own = reference.sets.find((set) => set.weights === path);
  const set = own ?? reference.sets[0]!;
  const tolerance = own ? set.tolerance : Math.max(set.tolerance, othersTolerance);
  const model = describeInstalled(part);
  const count = plural(reference.texts.length, 'text');
  context.onEvent?.({
    type: 'notice',
    message: `${model.name} ${model.version}: ${count} to embed with ${path ?? 'it'}`,
  });
  const { vectors, runtime } = await embed(reference.texts, model);
  const { pairs, maxDistance, findings, ok } = diagnoseVectors(reference.texts, set.vectors, vectors, tolerance);
  return {
    name: model.name,
    version: model.version,
    space: model.space,
    weights_path: model.weights_path,
    reference_weights: set.weights,
    runtime,
    reference_runtime: set.runtime,
    ok,
    dimensions: reference.dimensions,
    tolerance,
    max_cosine_distance: Number.isNaN(maxDistance) ? null : maxDistance,
    findings: own ? findings : [...findings, ofOthers(path, set.weights, tolerance)],
    vectors: pairs.map(({ id, prompt, distance, isEqual }) => {
      return { id, prompt, cosine_distance: Number.isNaN(distance) ? null : distance, ok: isEqual };
    }),
  };
}

function ofOthers(path: string | undefined, other: string, tolerance: number): Finding {
  const detail = `${path ?? 'these weights'} have no reference vectors of their own, and were held against those of ${other}, up to ${distanceText(tolerance)}`;
  return { what: 'reference', status: 'warning', detail };
}

/** Path of the weights that are meant, in the model. */
function pathOf({ record, wanted }: InstalledPart): string | undefined {
  return weightsOf(record.entry, wanted.includes('default') ? 'default' : (wanted[0] ?? 'default'))?.path;
}
