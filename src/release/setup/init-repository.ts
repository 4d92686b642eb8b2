import { readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join, posix, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseReleaseConfig } from '../../contract/parse-release-config.ts';
import type { ReleaseConfig } from '../../contract/release-config.ts';
import { AircherError, systemErrorCode } from '../../core/errors.ts';
import { readFileIfThere } from '../../core/read-files.ts';
import { makeDirectory, writeFileAtomically } from '../../core/write-files.ts';
import { git } from '../git.ts';
import { missingSigning } from '../published/own-record.ts';
import type { Workspace } from '../workspace.ts';
import { checkWorkflow } from './check-workflow.ts';
import { driftWorkflow } from './drift-workflow.ts';
import { embedScript } from './embed-script.ts';
import { type PackageOrigin, requirePackage } from './installed-package.ts';
import { releaseWorkflow } from './release-workflow.ts';
import { type Change, showChanges } from './show-changes.ts';
import { packageSetup } from './workflow-setup.ts';

export interface InitOptions {
  /** `owner/name`; undefined takes that of git's remote `origin`, false leaves GitHub out. */
  readonly github?: string | false;
  readonly huggingface?: string;
  /** Public address of a mirror; its files are written below `mirror/`, or go to `bucket`. */
  readonly mirror?: string;
  /** `s3://name/prefix`. */
  readonly bucket?: string;
  readonly region?: string;
  readonly endpoint?: string;
  readonly namespace?: string;
  /**
   * Writes the schema and the workflows as this version has them, where they differ, and the lines
   * of `signing` that are missing.
   */
  readonly update?: boolean;
}

export interface InitReport {
  /** Paths relative to the working directory. */
  readonly files: readonly {
    readonly path: string;
    readonly state: 'written' | 'updated' | 'extended' | 'kept';
  }[];
  /** What was updated, as `git diff` shows it. */
  readonly diff: string;
  /** The release.json that is there now. */
  readonly config: ReleaseConfig;
  /** Where the workflows get aircher-models. */
  readonly package: PackageOrigin;
}

/**
 * Files that a release makes in the working directory, the name that keygen gives to a secret key,
 * and what npm installs.
 */
const ignored = ['/release/', '/mirror/', 'aircher.key', 'node_modules/'];

/**
 * Makes what a repository needs to release models: release.json with its schema for editors, the
 * workflows, a script that embeds for "reference", lines of .gitignore. Overwrites nothing, but for
 * what `update` is asked to. Throws `usage` where no target is known, or an option isn't valid;
 * `invalid` where package-lock.json doesn't name aircher-models.
 */
export async function initRepository(options: InitOptions, workspace: Workspace): Promise<InitReport> {
  const existing = await readFileIfThere(resolve(workspace.directory, workspace.configFile));
  const text = existing === undefined ? await composeConfig(options, workspace) : existing;
  const config = parseReleaseConfig(Buffer.from(text), workspace.configFile);
  const hasBucket = config.mirror !== undefined && 's3' in config.mirror;
  const setup = packageSetup({ configFile: workspace.configFile, tagPrefix: config.tag_prefix, hasBucket });
  const origin = await requirePackage(workspace.directory);
  const generated: readonly (readonly [path: string, content: string])[] = [
    [posix.join(dirname(workspace.configFile), 'schema/release.schema.json'), await readSchema()],
    ['.github/workflows/release-models.yml', releaseWorkflow(setup)],
    ['.github/workflows/check-models.yml', checkWorkflow(setup)],
    ['.github/workflows/drift.yml', driftWorkflow(setup)],
  ];
  const files: InitReport['files'][number][] = [];
  const updated: Change[] = [];
  const put = async (path: string, after: string, update: boolean): Promise<void> => {
    const place = resolve(workspace.directory, path);
    if (await writeNew(place, after)) return void files.push({ path, state: 'written' });
    const before = await readFile(place, 'utf8');
    // Where git checks out with other line ends, they are no difference.
    if (!update || before.replaceAll('\r\n', '\n') === after) return void files.push({ path, state: 'kept' });
    await writeFileAtomically(place, after);
    updated.push({ path, before, after });
    files.push({ path, state: 'updated' });
  };
  const signing = options.update ? await missingSigning(config, workspace) : undefined;
  await put(workspace.configFile, signing ? withSigning(text.toString(), signing) : text.toString(), true);
  for (const [path, content] of generated) await put(path, content, options.update ?? false);
  await put('scripts/embed.py', embedScript, false);
  files.push({ path: '.gitignore', state: await extendIgnored(join(workspace.directory, '.gitignore'), ignored) });
  return { files, diff: await showChanges(updated, workspace), config, package: origin };
}

/** release.json with more lines in `signing`. */
function withSigning(text: string, lines: object): string {
  const config = JSON.parse(text);
  return `${JSON.stringify({ ...config, signing: { ...config.signing, ...lines } }, null, 2)}\n`;
}

async function composeConfig(options: InitOptions, workspace: Workspace): Promise<string> {
  const github =
    options.github === undefined
      ? await originRepository(workspace)
      : options.github === false
        ? undefined
        : { repository: options.github };
  const { huggingface, mirror } = options;
  checkBucket(options);
  if (github === undefined && huggingface === undefined && mirror === undefined) {
    throw new AircherError('usage', 'init knows no place to release to', {
      hint: "Name one: --github OWNER/NAME, --huggingface OWNER/NAME or --mirror URL; git's remote origin is no GitHub repository.",
    });
  }
  const name = (github?.repository ?? huggingface)?.split('/')[1] ?? basename(workspace.directory);
  const config = {
    $schema: './schema/release.schema.json',
    release: '1.0.0',
    namespace: options.namespace ?? namespaceFrom(name),
    tag_prefix: 'models-v',
    ...(github === undefined ? {} : { github: { ...github, make_latest: false } }),
    ...(huggingface === undefined ? {} : { huggingface: { repository: huggingface, raw_files: true } }),
    ...(mirror === undefined ? {} : { mirror: { base_url: mirror, ...mirrorStorage(options) } }),
    models: {
      'my-model': { version: '1.0.0', license: 'Apache-2.0', source: { directory: 'models/my-model' } },
    },
  };
  const text = `${JSON.stringify(config, null, 2)}\n`;
  try {
    parseReleaseConfig(Buffer.from(text), workspace.configFile);
  } catch (error) {
    // What is wrong in it came from the command line.
    if (!(error instanceof AircherError)) throw error;
    const { message, problems, hint } = error;
    throw new AircherError('usage', message, { problems, ...(hint === undefined ? {} : { hint }) });
  }
  return text;
}

function checkBucket({ mirror, bucket, region, endpoint }: InitOptions): void {
  const refuse = (fact: string, hint: string): never => {
    throw new AircherError('usage', fact, { hint });
  };
  const place = region ?? endpoint;
  if (bucket === undefined) {
    if (place !== undefined) refuse('--region and --endpoint are of a bucket', 'Name it: --bucket s3://NAME/PREFIX.');
    return;
  }
  if (mirror === undefined) {
    refuse('--bucket alone is no mirror', 'Name its public address: --mirror URL --bucket s3://NAME/PREFIX.');
  }
  if (place === undefined) {
    refuse(
      '--bucket does not say where the bucket is',
      'At AWS name its region: --region eu-central-1; elsewhere the server: --endpoint URL.',
    );
  }
}

function mirrorStorage({ bucket: address, region, endpoint }: InitOptions): object {
  if (address === undefined) return { directory: 'mirror' };
  const [, bucket = address, prefix = ''] = /^s3:\/\/([^/]+)\/?(.*?)\/?$/.exec(address) ?? [];
  return { s3: { bucket, ...(prefix !== '' && { prefix }), ...(endpoint && { endpoint }), ...(region && { region }) } };
}

/**
 * A name as clients use it for their cache directory: lower case, `[a-z0-9._-]`, the first a letter
 * or digit.
 */
function namespaceFrom(name: string): string {
  const text = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .replace(/^[._-]+/, '')
    .slice(0, 64);
  return text === '' ? 'models' : text;
}

/** The repository of git's remote `origin`, where that is at github.com or a tenant's ghe.com. */
async function originRepository(
  workspace: Workspace,
): Promise<{ readonly repository: string; readonly server_url?: string } | undefined> {
  const origin = await git(workspace.directory, ['config', '--get', 'remote.origin.url'], workspace);
  const url =
    /^(?:https:\/\/(?:[^@/]+@)?|(?:ssh:\/\/)?[\w-]+@)(github\.com|[\w-]+\.ghe\.com)[:/]([\w.-]+\/[\w.-]+?)(?:\.git)?\/?$/;
  const [, host, repository] = url.exec(origin ?? '') ?? [];
  if (repository === undefined) return undefined;
  return host === 'github.com' ? { repository } : { repository, server_url: `https://${host}` };
}

/**
 * The schema as the package has it: two directories above this file, in a checkout and in the built
 * package.
 */
async function readSchema(): Promise<string> {
  return await readFile(
    fileURLToPath(new URL('../../../manifests/schema/release.schema.json', import.meta.url)),
    'utf8',
  );
}

/** Writes a file that isn't there yet; false where something stands in its place. */
async function writeNew(path: string, content: string | Uint8Array): Promise<boolean> {
  await makeDirectory(dirname(path));
  try {
    await writeFile(path, content, { flag: 'wx' });
    return true;
  } catch (error) {
    if (systemErrorCode(error) !== 'EEXIST') throw error;
    return false;
  }
}

async function extendIgnored(path: string, lines: readonly string[]): Promise<'written' | 'extended' | 'kept'> {
  const before = (await readFileIfThere(path))?.toString();
  // `/x`, `x` and `x/` all ignore a directory at the top.
  const plain = (line: string): string => line.trim().replace(/^\/|\/$/g, '');
  const there = new Set(before?.split(/\r?\n/).map(plain));
  const missing = lines.filter((line) => !there.has(plain(line)));
  if (missing.length === 0) return 'kept';
  const separator = before === undefined || before === '' || before.endsWith('\n') ? '' : '\n';
  await writeFileAtomically(path, `${before ?? ''}${separator}${missing.join('\n')}\n`);
  return before === undefined ? 'written' : 'extended';
}
