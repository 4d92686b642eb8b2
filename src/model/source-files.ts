import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import type { SourceFile } from '../archive/pack-archive.ts';
import { limits } from '../contract/limits.ts';
import { compareBytes, filePathFault, pathClashes } from '../contract/names.ts';
import { mapConcurrently } from '../core/concurrency.ts';
import type { Problem } from '../core/errors.ts';
import { FilePatterns } from './file-patterns.ts';
import { type Finding, Findings } from './findings.ts';
import { withoutCode, withoutPickles } from './left-out.ts';
import { type FoundFile, tooManyFiles, unreadable, walkSource } from './walk-source.ts';

const parallelStats = 32;

export interface ListSourceFilesOptions {
  /** Name of the model, for messages. */
  readonly model: string;
  /** The source directory. Messages name files below it as it is written here. */
  readonly root: string;
  readonly include?: readonly string[] | undefined;
  readonly exclude?: readonly string[] | undefined;
  readonly followLinks?: boolean | undefined;
  readonly allowCode?: boolean | undefined;
}

export interface SourceFiles {
  /** What goes into the archive, sorted by the bytes of its path. */
  readonly files: readonly SourceFile[];
  readonly problems: readonly Problem[];
}

/**
 * Lists the files of a model's source directory that are released, and reports every file that
 * can't be: links, special files, unreadable files, names that clash or that some system can't
 * hold, pickles. Reads no file's content.
 */
export async function listSourceFiles(options: ListSourceFilesOptions): Promise<SourceFiles> {
  const findings = new Findings(options.model, options.root);
  const patterns = new FilePatterns(options.include, options.exclude);
  const found = await sizesOf(await walkSource(options, patterns, findings), findings);
  return choose(found, patterns, options.allowCode === true, findings);
}

export interface SelectSourceFilesOptions extends Omit<ListSourceFilesOptions, 'followLinks'> {
  /** Every file of the source, with its size. */
  readonly listed: readonly SourceFile[];
}

/**
 * The same selection from a list of files (of a Hub repository). The files need not be on this
 * machine.
 */
export function selectSourceFiles(options: SelectSourceFilesOptions): SourceFiles {
  const findings = new Findings(options.model, options.root);
  const patterns = new FilePatterns(options.include, options.exclude);
  const found = options.listed.filter(({ path }) => patterns.matches(path));
  if (found.length > limits.filesPerModel) findings.error(tooManyFiles);
  return choose(found.slice(0, limits.filesPerModel), patterns, options.allowCode === true, findings);
}

function choose(
  found: readonly SourceFile[],
  patterns: FilePatterns,
  allowCode: boolean,
  findings: Findings,
): SourceFiles {
  findings.warnings(patterns.unused().map(unusedPattern));
  findings.errors(found.flatMap(({ path }) => nameFault(path)));
  findings.errors(
    pathClashes(found.map(({ path }) => path)).map(([one, other]) => ({
      in: other,
      message: `clashes with ${JSON.stringify(one)} where case or Unicode form doesn't count`,
      hint: 'Rename one of them, or leave it out by "exclude".',
    })),
  );
  const sound = allowCode ? found : withoutCode(found, patterns, findings);
  const files = withoutPickles(sound, patterns, findings);
  if (files.length === 0 && findings.problems.every(({ level }) => level !== 'error')) {
    findings.error({
      message: 'has no file to release',
      hint: 'Check the directory, and "include" or "exclude" in release.json.',
    });
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

function nameFault(path: string): Finding[] {
  if (path.split('/').at(-1) === '.version') {
    return [
      {
        in: path,
        message: 'is a name that clients use for the installed version',
        hint: 'Remove the file, or leave it out by "exclude".',
      },
    ];
  }
  const fault = path.includes('\ufffd') ? 'is not valid Unicode' : filePathFault(path);
  if (fault === undefined) return [];
  return [{ in: path, message: `the name ${fault}`, hint: 'Rename the file, or leave it out by "exclude".' }];
}

function unusedPattern({ key, text }: { readonly key: string; readonly text: string }): Finding {
  const message = `no file matches ${JSON.stringify(text)} of "${key}"`;
  const without = text.replace(/^!/, '');
  if (without !== text) return { message, hint: `Write ${JSON.stringify(without)} in "exclude" instead.` };
  return {
    message,
    hint: text.endsWith('/')
      ? `Write ${JSON.stringify(`${text}**`)} for everything in the folder.`
      : 'Check its spelling, or remove it. * stays in a folder, ** does not.',
  };
}

function sortByPath(files: readonly SourceFile[]): SourceFile[] {
  return [...files].sort((a, b) => compareBytes(a.path, b.path));
}
