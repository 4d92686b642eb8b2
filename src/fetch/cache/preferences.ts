import * as z from 'zod/mini';
import { type HostKind, hostKinds, modelNameField, versionField } from '../../contract/fields.ts';
import { type LicensePolicy, licensePolicySchema } from '../../contract/license-policy.ts';
import { problemsOf } from '../../contract/problems-of.ts';
import { parseStrictJson } from '../../contract/strict-json.ts';
import { isAircherError, problemsError, toAircherError } from '../../core/errors.ts';
import { type RunContext, warn } from '../../core/events.ts';
import { formatJson } from '../../core/format.ts';
import { readFileIfThere } from '../../core/read-files.ts';
import { writeFileAtomically } from '../../core/write-files.ts';
import { parseRate, rateField } from '../parse-rate.ts';
import type { CacheLayout } from './layout.ts';

const preferencesSchema = z.strictObject({
  pins: z.optional(z.record(modelNameField, versionField)),
  mirrors: z.optional(z.array(z.enum(hostKinds, `must be one of ${hostKinds.join(', ')}`))),
  keep_versions: z.optional(z.int().check(z.gte(1, 'must be at least 1'))),
  limit_rate: z.optional(rateField),
  connections: z.optional(
    z.int('must be a whole number').check(z.gte(1, 'must be at least 1'), z.lte(64, 'must be at most 64')),
  ),
  licenses: z.optional(licensePolicySchema),
});

type PreferencesFile = z.infer<typeof preferencesSchema>;

/** `config/model-preferences.json`. */
export interface Preferences {
  /** Versions that `update` leaves alone and `prune` keeps. */
  readonly pins: Readonly<Record<string, string>>;
  /** Kinds of mirrors in the order to ask them. */
  readonly mirrors: readonly HostKind[] | undefined;
  /** How many versions of a model `prune` keeps. */
  readonly keepVersions: number;
  /** Bytes a second. */
  readonly limitRate: number | undefined;
  readonly connections: number | undefined;
}

const maxBytes = 1024 * 1024;

/**
 * Reads the preferences; defaults where there is no file. Throws `invalid` with every problem, its
 * place and the remedy.
 */
export async function readPreferences(layout: CacheLayout): Promise<Preferences> {
  const content = await readPreferencesFile(layout);
  return {
    // A model may be named like a member that every object inherits.
    pins: Object.assign(Object.create(null), content.pins),
    mirrors: content.mirrors,
    keepVersions: content.keep_versions ?? 1,
    limitRate: parseRate(content.limit_rate),
    connections: content.connections,
  };
}

/**
 * The pins alone, for what needs nothing else of the file: then a mistake anywhere in it is a
 * warning. Where the pins themselves can't be read, there are none: every pinned version is the
 * current one, too.
 */
export async function readPins(layout: CacheLayout, context: RunContext): Promise<Preferences['pins']> {
  const pins = await readAlone(layout, 'pins', context).catch((error: unknown) => {
    if (!isAircherError(error, 'invalid')) throw error;
    return undefined;
  });
  return Object.assign(Object.create(null), pins);
}

/**
 * The licence policy alone, likewise. Where that can't be read, nobody knows what it refuses:
 * throws `invalid`.
 */
export function readLicensePolicy(layout: CacheLayout, context: RunContext): Promise<LicensePolicy | undefined> {
  return readAlone(layout, 'licenses', context);
}

async function readAlone<Key extends 'pins' | 'licenses'>(
  layout: CacheLayout,
  key: Key,
  context: RunContext,
): Promise<PreferencesFile[Key]> {
  try {
    return (await readPreferencesFile(layout))[key];
  } catch (thrown) {
    const { code, message, hint, problems } = toAircherError(thrown);
    if (code !== 'invalid') throw thrown;
    const found = problems.length > 0 ? problems : [{ message, hint }];
    for (const problem of found) warn(context, problem);
    try {
      const json = JSON.parse(String(await readFileIfThere(layout.preferences)));
      const part: z.ZodMiniType = preferencesSchema.shape[key];
      return z.parse(part, json[key]) as PreferencesFile[Key];
    } catch {
      throw thrown;
    }
  }
}

/** Pins a model to a version, or unpins it; leaves everything else in the file as it is. */
export async function writePin(layout: CacheLayout, name: string, version: string | undefined): Promise<void> {
  const { pins = {}, ...rest } = await readPreferencesFile(layout);
  const { [name]: _, ...others } = pins;
  const next = version === undefined ? others : { ...others, [name]: version };
  const content = { pins: Object.fromEntries(Object.entries(next).sort()), ...rest };
  await writeFileAtomically(layout.preferences, formatJson(content));
}

/** As it stands in the file; nothing where there is none. Throws as `readPreferences`. */
export async function readPreferencesFile(layout: CacheLayout): Promise<PreferencesFile> {
  const file = layout.preferences;
  const bytes = await readFileIfThere(file);
  if (bytes === undefined) return {};
  const json = parseStrictJson(bytes, { file, maxBytes });
  const result = z.safeParse(preferencesSchema, json, { reportInput: true });
  if (result.success) return result.data;
  throw problemsError(
    'invalid',
    `${file} is not valid`,
    problemsOf(result.error.issues, file, ([inside]) =>
      Object.keys((inside === 'licenses' ? licensePolicySchema : preferencesSchema)._zod.def.shape),
    ),
  );
}
