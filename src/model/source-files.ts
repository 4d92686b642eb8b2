import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import type { SourceFile } from '../archive/pack.ts';
import { limits } from '../contract/limits.ts';
import { compareBytes, filePathFault, pathClashes } from '../contract/names.ts';
import { mapConcurrently } from '../core/concurrency.ts';
import type { Problem } from '../core/errors.ts';
import { isCode, isPickle, isSafetensors } from './file-kinds.ts';
import { type Finding, Findings } from './findings.ts';
import { IncludePatterns } from './include-patterns.ts';
import { type FoundFile, tooManyFiles, unreadable, walkSource } from './walk-source.ts';

const parallelStats = 32;

export interface ListSourceFilesOptions {
  /** Name of the model, for messages. */
  readonly model: string;
  /** The source directory. Messages name files below it as it is written here. */
  readonly root: string;
  readonly include?: readonly string[] | undefined;
  readonly followLinks?: boolean | undefined;
  readonly allowCode?: boolean | undefined;
}

export interface SourceFiles {
  /** What goes into the archive, sorted by the bytes of its path. */
  readonly files: readonly SourceFile[];
  readonly problems: readonly Problem[];
}

/**
 * Lists the files of a model's source directory that are released, and everything that is wrong with them by kind and name:
 * links, special files, unreadable files, names that clash or that a system can't hold, code, pickles. Reads no file.
 */
export async function listSourceFiles(options: ListSourceFilesOptions): Promise<SourceFiles> {
  const findings = new Findings(options.model, options.root);
  const include = new IncludePatterns(options.include);
  const found = await sizesOf(await walkSource(options, include, findings), findings);
  return choose(found, include, options.allowCode === true, findings);
}

export interface SelectSourceFilesOptions extends Omit<ListSourceFilesOptions, 'followLinks'> {
  /** Every file of the source, with its size. */
  readonly listed: readonly SourceFile[];
}

/** The same choice from a listing (of a Hub repository): nothing of it has to be here. */
export function selectSourceFiles(options: SelectSourceFilesOptions): SourceFiles {
  const findings = new Findings(options.model, options.root);
  const include = new IncludePatterns(options.include);
  const found = options.listed.filter(({ path }) => include.matches(path));
  if (found.length > limits.filesPerModel) findings.error(tooManyFiles);
  return choose(found.slice(0, limits.filesPerModel), include, options.allowCode === true, findings);
}

function choose(
  found: readonly SourceFile[],
  include: IncludePatterns,
  allowCode: boolean,
  findings: Findings,
): SourceFiles {
  findings.warnings(include.unused().map(unusedPattern));
  findings.errors(found.flatMap(({ path }) => nameFault(path)));
  findings.errors(
    pathClashes(found.map(({ path }) => path)).map(([one, other]) => ({
      in: other,
      message: `clashes with ${JSON.stringify(one)} where case or Unicode form doesn't count`,
      hint: 'Rename one of them, or leave it out by "include".',
    })),
  );
  if (!allowCode) findings.errors(found.filter(({ path }) => isCode(path)).map(codeFinding));
  const files = withoutPickles(found, include, findings);
  if (files.length === 0 && findings.problems.every(({ level }) => level !== 'error')) {
    findings.error({ message: 'has no file to release', hint: 'Check the directory, and "include" in release.json.' });
  }
  return { files: sortByPath(files), problems: findings.problems };
}

async function sizesOf(found: readonly FoundFile[], findings: Findings): Promise<SourceFile[]> {
  const faults: Finding[] = [];
  const files = await mapConcurrently(found, parallelStats, async ({ path, absolutePath }) => {
    try {
      await access(absolutePath, constants.R_OK);
      return [{ path, absolutePath, sizeBytes: (await stat(absolutePath)).size }];
    } catch (error) {
      faults.push(unreadable(path, error));
      return [];
    }
  });
  findings.errors(faults.sort((a, b) => compareBytes(a.in ?? '', b.in ?? '')));
  return files.flat();
}

/**
 * Pickles run code when they are read, and safetensors hold the same weights: they are left out, but refused where nothing else is
 * there or `include` asks for them. OpenVINO's `x.bin` beside `x.xml` is none.
 */
function withoutPickles(files: readonly SourceFile[], include: IncludePatterns, findings: Findings): SourceFile[] {
  const paths = new Set(files.map(({ path }) => path));
  const isOpenVino = (path: string): boolean => path.endsWith('.bin') && paths.has(path.replace(/bin$/, 'xml'));
  const pickles = files.filter(({ path }) => isPickle(path) && !isOpenVino(path));
  const named = pickles.filter(({ path }) => include.namesEndingOf(path));
  findings.errors(
    named.map(({ path }) => ({
      in: path,
      message: 'is a pickle, which runs code when it is loaded, and "include" names it',
      hint: 'Convert it to safetensors, and take it out of "include".',
    })),
  );
  const others = pickles.filter((file) => !named.includes(file));
  if (files.some(({ path }) => isSafetensors(path))) {
    findings.warnings(
      others.map(({ path }) => ({
        in: path,
        message: 'is a pickle and is left out: the safetensors are released',
        hint: 'Name the files to release by "include", without pickles, and this is silent.',
      })),
    );
    return files.filter((file) => !pickles.includes(file));
  }
  findings.errors(
    others.map(({ path }) => ({
      in: path,
      message: 'is a pickle, which runs code when it is loaded, and there are no safetensors',
      hint: 'Convert the weights: model.save_pretrained(…, safe_serialization=True) writes safetensors.',
    })),
  );
  return [...files];
}

function nameFault(path: string): Finding[] {
  if (path.split('/').at(-1) === '.version') {
    return [
      {
        in: path,
        message: 'is a name that clients use for the installed version',
        hint: 'Remove the file, or leave it out by "include".',
      },
    ];
  }
  const fault = path.includes('\ufffd') ? 'is not valid Unicode' : filePathFault(path);
  if (fault === undefined) return [];
  return [{ in: path, message: `the name ${fault}`, hint: 'Rename the file, or leave it out by "include".' }];
}

function codeFinding({ path }: SourceFile): Finding {
  return {
    in: path,
    message: 'is code that a loader may run',
    hint: 'Leave it out by "include", or set "allow_code": true, and the manifest will say so.',
  };
}

function unusedPattern(pattern: string): Finding {
  const reason = pattern.startsWith('!') ? ': patterns say what is taken, none says what is not' : '';
  return {
    message: `no file matches ${JSON.stringify(pattern)} of "include"${reason}`,
    hint: pattern.endsWith('/')
      ? `Write ${JSON.stringify(`${pattern}**`)} for everything in the folder.`
      : 'Check its spelling, or remove it. * stays in a folder, ** does not.',
  };
}

function sortByPath(files: readonly SourceFile[]): SourceFile[] {
  return [...files].sort((a, b) => compareBytes(a.path, b.path));
}
