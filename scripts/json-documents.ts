import * as z from 'zod/mini';
import { encodingKinds, hostKinds } from '../src/contract/fields.ts';
import { manifestSchema } from '../src/contract/manifest.ts';
import { releaseConfigSchema } from '../src/contract/release-config.ts';
import { weightFormats } from '../src/contract/weights-field.ts';
import { measuredChangeSchema, planSchema } from '../src/release/plan/plan-record.ts';

/**
 * Every document that a command prints with `--json`, by the command. Keys have one type and one
 * meaning in all of them, which `json-keys.ts` tells. Keys that have no value are left out, but for
 * those that may be null. Tests hold each command to it.
 */

const object = z.strictObject;
const list = z.array;
const maybe = z.optional;
const nullable = z.nullable;
const text = z.string();
const number = z.number();
const flag = z.boolean();
const texts = list(text);
const one = z.enum;
const target = z.enum(hostKinds);
const sha256 = z.string().check(z.regex(/^[0-9a-f]{64}$/));
const code = one([
  'unexpected',
  'usage',
  'invalid',
  'integrity',
  'remote',
  'conflict',
  'machine',
  'license',
  'interrupted',
]);

const problem = object({
  level: one(['error', 'warning']),
  file: maybe(text),
  path: maybe(text),
  message: text,
  hint: maybe(text),
  code: maybe(code),
});
const problems = list(problem);
const error = object({
  error: object({
    code,
    message: text,
    hint: maybe(text),
    details: z.looseObject({
      models: maybe(list(z.unknown())),
      failed: maybe(list(object({ name: text, code, message: text, hint: maybe(text), problems }))),
    }),
    problems,
  }),
});

// The client's.

const installed = { name: text, version: text };
const cache = one(['user', 'system']);
const spaceChange = one(['same', 'changes', 'unknown']);
const spaceChanges = { space_change: spaceChange, weights: list(object({ path: text, space_change: spaceChange })) };
const facts = { license: maybe(text), dimensions: maybe(number), space: maybe(sha256) };

const mirror = object({
  mirror: text,
  host: text,
  bytes: number,
  chunks: number,
  requests: number,
  faults: list(object({ kind: text, message: text, times: number })),
  set_aside: maybe(text),
});
const install = object({
  ...installed,
  outcome: one(['installed', 'adopted', 'present', 'repaired']),
  current_version: text,
  path: text,
  cache,
  license: maybe(text),
  commercial_use: maybe(flag),
  allow_code: maybe(flag),
  space: maybe(sha256),
  weights_path: maybe(text),
  bytes_fetched: number,
  bytes_copied: number,
  mirrors: list(mirror),
});
const listed = object({
  ...installed,
  current: flag,
  pinned: flag,
  size_bytes: number,
  ...facts,
  accepted_licenses: texts,
  wanted: texts,
  weights_path: maybe(text),
  path: text,
  cache,
});
const offeredWeights = object({
  path: text,
  format: one(weightFormats),
  default: flag,
  size_bytes: number,
  space: sha256,
});
const offered = object({
  ...installed,
  installed: maybe(text),
  size_bytes: number,
  ...facts,
  weights: list(offeredWeights),
  commercial_use: maybe(flag),
  quality_score: maybe(number),
  max_tokens: maybe(number),
  earlier: texts,
  yanked: maybe(text),
});
const info = object({
  ...installed,
  tag: maybe(text),
  size_bytes: number,
  ...facts,
  commercial_use: maybe(flag),
  allow_code: maybe(flag),
  max_tokens: maybe(number),
  pooling: maybe(text),
  normalized: maybe(flag),
  similarity: maybe(text),
  prompts: maybe(z.record(text, text)),
  weights: list(offeredWeights),
  changes: maybe(text),
  history: list(object({ version: text, tag: text, space: maybe(sha256) })),
  hub_source: maybe(text),
  mirrors: texts,
  yanked: maybe(text),
  here: list(listed),
});
const updatePlan = object({
  ...installed,
  way: one(['chunks', 'archive', 'nothing']),
  total_bytes: maybe(number),
  bytes_to_fetch: number,
  bytes_to_copy: number,
  bytes_staged: number,
  requests: number,
  encodings: list(object({ name: text, bytes_to_fetch: number })),
  changed_tensors: maybe(texts),
  changed_files: texts,
  mirrors: texts,
});
const updateStatus = object({
  name: text,
  installed: text,
  available: maybe(text),
  status: one(['up-to-date', 'update', 'pinned', 'other-space', 'withdrawn', 'not-offered']),
  ...spaceChanges,
  bytes_to_fetch: maybe(number),
  size_bytes: maybe(number),
  changes: maybe(text),
  differences: texts,
  license: maybe(text),
  yanked: maybe(text),
  plan: maybe(updatePlan),
});
const update = object({
  name: text,
  from: text,
  to: text,
  outcome: one(['updated', 'up-to-date', 'pinned', 'other-space', 'withdrawn', 'not-offered']),
  ...spaceChanges,
  yanked: maybe(text),
  bytes_fetched: number,
  bytes_copied: number,
});
const verification = object({
  ok: flag,
  models: list(
    object({
      ...installed,
      current: flag,
      file_count: number,
      bytes: number,
      bad: list(object({ path: text, fault: one(['missing', 'size', 'content']) })),
      repaired: maybe(number),
      bytes_fetched: number,
    }),
  ),
});
const locked = object({
  name: text,
  from: maybe(text),
  to: text,
  tag: text,
  wanted: texts,
  space: maybe(sha256),
  space_change: maybe(spaceChange),
});
const lockStatus = object({
  ...installed,
  tag: text,
  status: one(['update', 'up-to-date', 'withdrawn', 'not-offered']),
  available: maybe(text),
  yanked: maybe(text),
});
const versionSwitch = { name: text, from: text, to: text, pinned: flag, ...spaceChanges };
const prunable = object({
  kind: one(['version', 'partial-download', 'leftover']),
  name: maybe(text),
  version: maybe(text),
  path: text,
  bytes: number,
});
const exported = object({ ...installed, form: one(['archive', 'files']), files: texts, bytes_fetched: number });
const license = object({
  ...installed,
  license: maybe(text),
  commercial_use: maybe(flag),
  license_path: maybe(text),
  accepted_licenses: texts,
  refused: maybe(text),
});
const finding = object({ what: text, status: one(['ok', 'warning', 'failed']), detail: text, hint: maybe(text) });

const vectorsReport = object({
  ...installed,
  space: maybe(sha256),
  weights_path: maybe(text),
  reference_weights: text,
  runtime: maybe(text),
  reference_runtime: maybe(text),
  ok: flag,
  dimensions: number,
  tolerance: number,
  max_cosine_distance: nullable(number),
  findings: list(finding),
  vectors: list(object({ id: text, prompt: nullable(text), cosine_distance: nullable(number), ok: flag })),
});

// The maintainer's.

const staged = object({
  ...installed,
  file_count: number,
  bytes: number,
  tensors: nullable(object({ count: number, parameters: number, dtypes: z.record(text, number) })),
  embedding: object({
    kind: text,
    dimensions: maybe(nullable(number)),
    normalized: maybe(nullable(flag)),
    max_tokens: nullable(number),
    pooling: nullable(text),
    similarity: nullable(text),
    prompts: z.record(text, text),
    default_prompt_name: nullable(text),
  }),
});
const artifact = { name: text, size_bytes: number, sha256 };
const packed = object({
  ...installed,
  archive: object({ ...artifact, format: text }),
  index: object(artifact),
  encodings: list(
    object({
      kind: one(encodingKinds),
      ...artifact,
      from: maybe(text),
      index: object({ size_bytes: number, sha256 }),
    }),
  ),
  space: maybe(sha256),
  weights: list(
    object({
      path: text,
      default: maybe(z.literal(true)),
      was: maybe(text),
      space_change: one(['same', 'changes', 'gone', 'new', 'unknown']),
    }),
  ),
});
const publish = object({
  tag: text,
  state: one(['public', 'waiting', 'dry-run']),
  sent: list(object({ target, place: text, files: texts, bytes: number })),
  waiting_for: list(target),
  public_urls: object({ github: maybe(text), huggingface: maybe(text), mirror: maybe(text) }),
  install: texts,
});
const verify = object({
  tag: nullable(text),
  ok: flag,
  files: list(
    object({
      target,
      name: text,
      state: one([
        'ok',
        'missing',
        'different',
        'unfinished',
        'bad signature',
        'no digest',
        'not checked',
        'unreachable',
      ]),
    }),
  ),
  downloaded: maybe(object({ file_count: number, bytes: number })),
  problems,
});
const released = { publish, verify: maybe(verify) };
const traffic = object({ host: text, requests: number, writes: number, bytes_sent: number, bytes_received: number });
const rehearsal = object({
  tag: text,
  ok: flag,
  seconds: number,
  differences: texts,
  steps: list(object({ step: text, seconds: number })),
  publish: maybe(publish),
  verify: maybe(verify),
  release_traffic: list(traffic),
  install_traffic: list(traffic),
  faults: list(object({ name: text, meaning: text, hits: number })),
  installs: list(object({ ...installed, bytes_fetched: number, mirrors: list(mirror) })),
  failure: maybe(object({ during: one(['release', 'install']), code, message: text })),
  directory: maybe(text),
});
const releases = object({
  targets: list(
    object({
      target,
      place: text,
      pointer: nullable(object({ name: text, tag: maybe(text) })),
      downloads: nullable(number),
      counted: nullable(text),
    }),
  ),
  releases: list(
    object({
      tag: text,
      release: text,
      targets: list(object({ target, state: one(['draft', 'public']), downloads: nullable(number) })),
    }),
  ),
  problems,
});
const release = object({
  tag: text,
  targets: list(
    object({
      target,
      place: text,
      state: one(['absent', 'draft', 'public']),
      revision: nullable(text),
      remarks: texts,
      files: list(
        object({
          name: text,
          size_bytes: number,
          digest: nullable(object({ algorithm: one(['sha256', 'git-blob']), hex: text })),
          state: one(['whole', 'unfinished']),
          downloads: nullable(number),
        }),
      ),
      missing: nullable(texts),
    }),
  ),
  compared_with: nullable(text),
  problems,
});
const yank = object({
  model: text,
  version: text,
  reason: text,
  state: one(['done', 'edited', 'listed']),
  release: text,
  replacement: nullable(text),
  was_newest: flag,
});
const signing = z.looseObject({ public_keys: texts });

const models = <Report extends z.ZodMiniType>(report: Report) => object({ models: list(report) });

/**
 * Of the commands of both programs; `model …` are the client's. `error`: of any command that fails.
 */
export const jsonDocuments = {
  init: object({
    files: list(object({ path: text, state: one(['written', 'updated', 'extended', 'kept']) })),
    diff: text,
    config: releaseConfigSchema,
    package: one(['locked', 'outside']),
  }),
  plan: planSchema,
  stage: models(staged),
  pack: models(packed),
  prove: object({
    models: list(
      object({
        ...installed,
        file_count: number,
        reference: maybe(object({ texts: number, weights: texts, measured: maybe(measuredChangeSchema) })),
      }),
    ),
    check: nullable(texts),
  }),
  manifest: manifestSchema,
  checksums: object({ checksums: list(object({ name: text, sha256 })) }),
  notes: object({ notes: text }),
  validate: object({ checked: texts, problems }),
  sign: object({ signatures: texts }),
  publish,
  verify,
  release: object(released),
  rehearse: rehearsal,
  'rehearse --fault list': object({
    faults: list(object({ name: text, phase: one(['release', 'install']), meaning: text })),
  }),
  status: releases,
  'status TAG': release,
  site: object({ tag: text, directory: text, files: list(object({ name: text, size_bytes: number, sha256 })) }),
  yank: object({ yank, publish: maybe(publish), verify: maybe(verify) }),
  keygen: object({
    secret_key_path: text,
    public_key_path: text,
    public_key: text,
    key_id: text,
    signing: object({ now: signing, later: maybe(signing) }),
  }),
  'model install': models(install),
  'model install --dry-run': models(
    object({ ...installed, license: maybe(text), commercial_use: maybe(flag), plan: maybe(updatePlan) }),
  ),
  'model lock': models(locked),
  'model lock --check': models(lockStatus),
  'model list': models(listed),
  'model list --remote': object({ tag: maybe(text), models: list(offered) }),
  'model info': info,
  'model path': object({
    ...installed,
    space: maybe(sha256),
    path: text,
    cache,
    weights_path: maybe(text),
    files: texts,
  }),
  'model check-updates': models(updateStatus),
  'model update': models(update),
  'model update --plan': models(updateStatus),
  'model verify': verification,
  'model rollback': object(versionSwitch),
  'model pin': object(versionSwitch),
  'model unpin': object({ name: text, unpinned: nullable(text) }),
  'model prune': object({ dry_run: flag, bytes: number, items: list(prunable) }),
  'model remove': models(object({ name: text, versions: texts, bytes: number })),
  'model mirror': object({
    directory: text,
    dry_run: flag,
    tags: texts,
    models: list(object({ name: text, versions: texts })),
    files: texts,
    bytes: number,
    removed: texts,
  }),
  'model export': object({ directory: text, models: list(exported) }),
  'model link': object({
    ...installed,
    repository: text,
    revision: text,
    path: text,
    refs: texts,
    linked: number,
    copied: number,
    present: number,
  }),
  'model check-vectors': vectorsReport,
  'model check-license': models(license),
  'model completion': object({ shell: one(['bash', 'zsh']), script: text }),
  'model doctor': object({
    findings: list(finding),
    hosts: texts,
    settings: list(object({ setting: text, value: maybe(text), set_by: text })),
  }),
  error,
} as const satisfies Readonly<Record<string, z.ZodMiniType>>;

const event = object({
  type: one(['progress', 'done', 'warning', 'notice', 'retry', 'mirror-set-aside', 'waiting']),
  task: maybe(text),
  subject: maybe(text),
  done: maybe(number),
  total: maybe(number),
  problem: maybe(problem),
  message: maybe(text),
  what: maybe(text),
  reason: maybe(text),
  delay_ms: maybe(number),
  mirror: maybe(text),
  holder: maybe(text),
});

/** What several documents have; and a line of `--progress json`. */
export const jsonParts = { problem, mirror, 'update status': updateStatus, traffic, event } as const;
