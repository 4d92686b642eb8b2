import { readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { artifactsOf } from '../contract/artifacts.ts';
import { parseChecksums } from '../contract/checksums.ts';
import { limits } from '../contract/limits.ts';
import { formatManifest, type Manifest, type ManifestModel, parseManifest } from '../contract/manifest.ts';
import { jsonPath } from '../contract/problems-of.ts';
import { parseStrictJson } from '../contract/strict-json.ts';
import { AircherError, type Problem, systemErrorCode } from '../core/errors.ts';
import { hashFile, type Sha256, sha256 } from '../core/hashing.ts';
import { exists, readFileIfThere } from '../core/read-files.ts';
import { bundleName } from './documents/client-bundle.ts';
import { signatureProblems } from './documents/signature-check.ts';
import { checksumsName } from './documents/write-checksums.ts';
import { manifestPath } from './documents/write-manifest.ts';
import { type LoadedConfig, loadConfig } from './load-config.ts';
import { indexProblem } from './pack/index-limit.ts';
import { listModel } from './plan/source-listing.ts';
import { lineFaults } from './verify/documents.ts';
import type { Workspace } from './workspace.ts';

export interface ValidateReport {
  /** What was looked at and found good, or with problems. */
  readonly checked: readonly string[];
  readonly problems: readonly Problem[];
}

/**
 * Checks one file (a manifest or a release.json, by what it holds), or release.json and everything
 * in the output directory. Offline; every problem in one run.
 */
export async function validate(file: string | undefined, workspace: Workspace): Promise<ValidateReport> {
  if (file !== undefined) return await validateFile(file, workspace);
  const config = await attempt(() => loadConfig(workspace));
  const problems: Problem[] = [...config.problems];
  const checked = [workspace.configFile];
  if (config.value) problems.push(...(await sourceProblems(config.value, workspace)));
  if (await exists(manifestPath(workspace))) {
    checked.push(manifestPath(workspace), workspace.out);
    problems.push(...(await outputProblems(config.value, workspace)));
  }
  return { checked, problems };
}

async function validateFile(file: string, workspace: Workspace): Promise<ValidateReport> {
  const path = resolve(workspace.directory, file);
  const bytes = await readFile(path).catch((error: unknown) => {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
    throw new AircherError('usage', `${file} is not there`, { cause: error });
  });
  const json = await attempt(async () => parseStrictJson(bytes, { file, maxBytes: limits.manifestBytes }));
  if (json.value === undefined) return { checked: [file], problems: json.problems };
  const isManifest = typeof json.value === 'object' && json.value !== null && 'manifest_version' in json.value;
  if (!isManifest) {
    const own = { ...workspace, configFile: file };
    const config = await attempt(() => loadConfig(own));
    const problems = config.value ? await sourceProblems(config.value, own) : config.problems;
    return { checked: [file], problems };
  }
  const manifest = await attempt(async () => parseManifest(bytes, file));
  return {
    checked: [file],
    problems: [...manifest.problems, ...(manifest.value ? manifestRules(manifest.value, bytes, file) : [])],
  };
}

/** The sources that release.json names, by name and size: no weights are read. */
async function sourceProblems({ config }: LoadedConfig, workspace: Workspace): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  for (const [name, model] of Object.entries(config.models)) {
    // Hub sources are downloaded by `stage`, and the source of a carried-forward model may be
    // absent: `plan` knows which.
    if (!('directory' in model.source) || !(await exists(resolve(workspace.directory, model.source.directory))))
      continue;
    problems.push(...(await listModel(name, model, workspace)).problems);
  }
  return problems;
}

/** What the schema alone doesn't say of a manifest that we wrote. */
function manifestRules(manifest: Manifest, bytes: Uint8Array, file: string): readonly Problem[] {
  const problems: Problem[] = [];
  if (formatManifest(manifest) !== Buffer.from(bytes).toString()) {
    problems.push({
      level: 'warning',
      file,
      message: 'is not in canonical form: it was edited, or made by another tool',
    });
  }
  for (const [name, entry] of Object.entries(manifest.models)) {
    const tooLarge = indexProblem(
      { file, path: jsonPath(['models', name, 'index']) },
      name,
      entry.index?.size_bytes ?? 0,
    );
    if (tooLarge) problems.push(tooLarge);
    const yanked = manifest.yanked?.find((yank) => yank.model === name && yank.version === entry.version);
    if (yanked) {
      problems.push({
        level: 'error',
        file,
        path: jsonPath(['models', name, 'version']),
        message: `offers ${name} ${entry.version}, which it says is yanked`,
        hint: 'Make the manifest again with `aircher-models manifest`.',
      });
    }
  }
  return problems;
}

/**
 * The output directory against its manifest: digests of everything that was packed for it,
 * checksums, signatures.
 */
async function outputProblems(loaded: LoadedConfig | undefined, workspace: Workspace): Promise<readonly Problem[]> {
  const file = manifestPath(workspace);
  const bytes = await readFile(file);
  const manifest = await attempt(async () => parseManifest(bytes, file));
  if (manifest.value === undefined) return manifest.problems;
  const problems: Problem[] = [...manifestRules(manifest.value, bytes, file)];
  for (const [name, entry] of Object.entries(manifest.value.models)) {
    if (entry.release !== manifest.value.release) continue;
    problems.push(...(await modelArtifactProblems(name, entry, workspace)));
  }
  problems.push(...(await checksumProblems(manifest.value, sha256(bytes), workspace)));
  if (loaded) {
    const found = await signatureProblems(
      loaded.config,
      { manifest: manifest.value, bytes, sha256: sha256(bytes) },
      workspace,
    );
    // `sign` comes after `validate`; that nothing unsigned goes public, `publish` sees to.
    for (const problem of found)
      problems.push(problem.code === 'conflict' ? { ...problem, level: 'warning' } : problem);
  }
  return problems;
}

async function modelArtifactProblems(
  name: string,
  entry: ManifestModel,
  workspace: Workspace,
): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  for (const artifact of artifactsOf(name, entry)) {
    const path = join(workspace.out, artifact.name);
    const hint = `Run \`aircher-models pack --model ${name}\` and \`aircher-models manifest\` again.`;
    const size = (await stat(path).catch(() => undefined))?.size;
    if (size === undefined) {
      problems.push({ level: 'error', file: path, message: 'is not there', hint });
    } else if (
      size !== artifact.size_bytes ||
      (await hashFile(path, { signal: workspace.signal })).sha256 !== artifact.sha256
    ) {
      problems.push({ level: 'error', code: 'integrity', file: path, message: 'is not what the manifest says', hint });
    }
  }
  return problems;
}

/**
 * Archives and indexes are judged by the manifest, which their lines must repeat: only the rest of
 * checksums.sha256 is hashed here.
 */
async function checksumProblems(
  manifest: Manifest,
  manifestSha256: Sha256,
  workspace: Workspace,
): Promise<readonly Problem[]> {
  const file = join(workspace.out, checksumsName);
  const text = await readFileIfThere(file);
  if (text === undefined) return [];
  const checksums = await attempt(async () => parseChecksums(text.toString(), file));
  const problems: Problem[] = [...checksums.problems];
  if (checksums.value === undefined) return problems;
  const fault = (message: string): void => {
    problems.push({
      level: 'error',
      code: 'integrity',
      file,
      message,
      hint: 'Run `aircher-models checksums` again.',
    });
  };
  for (const message of lineFaults(checksums.value, manifest, manifest.release ?? '', manifestSha256)) fault(message);
  const bundle = checksums.value.find(({ name }) => name === bundleName);
  if (bundle === undefined) return problems;
  const found = await readFileIfThere(join(workspace.out, bundleName));
  if (found === undefined) fault(`lists ${bundleName}, which is not there`);
  else if (sha256(found) !== bundle.sha256) fault(`has another sha256 of ${bundleName} than the file`);
  return problems;
}

/** Runs a check that throws, and takes its problems instead. */
async function attempt<T>(
  run: () => Promise<T>,
): Promise<{ readonly value?: T; readonly problems: readonly Problem[] }> {
  try {
    return { value: await run(), problems: [] };
  } catch (error) {
    if (!(error instanceof AircherError) || error.code === 'interrupted' || error.code === 'usage') throw error;
    if (error.problems.length > 0) return { problems: error.problems };
    return {
      problems: [
        { level: 'error', code: error.code, message: error.message, ...(error.hint ? { hint: error.hint } : {}) },
      ],
    };
  }
}
