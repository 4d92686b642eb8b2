import { constants, type Dirent } from 'node:fs';
import { access, readdir, realpath, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { SourceFile } from '../archive/pack.ts';
import { limits } from '../contract/limits.ts';
import { compareBytes, filePathFault, pathClashes } from '../contract/names.ts';
import { mapConcurrently } from '../core/concurrency.ts';
import { type Problem, systemErrorCode } from '../core/errors.ts';
import { isCode, isPickle, isSafetensors } from './file-kinds.ts';
import { type Finding, Findings } from './findings.ts';
import { IncludePatterns } from './include-patterns.ts';

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
  const walk = new Walk(options, include, findings);
  await walk.start();
  const found = await sizesOf(walk.found, findings);
  findings.warnings(include.unused().map(unusedPattern));
  findings.errors(found.flatMap(({ path }) => nameFault(path)));
  findings.errors(
    pathClashes(found.map(({ path }) => path)).map(([one, other]) => ({
      in: other,
      message: `clashes with ${JSON.stringify(one)} where case or Unicode form doesn't count`,
      hint: 'Rename one of them, or leave it out by "include".',
    })),
  );
  if (options.allowCode !== true) findings.errors(found.filter(({ path }) => isCode(path)).map(codeFinding));
  const files = withoutPickles(found, include, findings);
  if (files.length === 0 && findings.problems.every(({ level }) => level !== 'error')) {
    findings.error({ message: 'has no file to release', hint: 'Check the directory, and "include" in release.json.' });
  }
  return { files: sortByPath(files), problems: findings.problems };
}

/** One walk over the directory, which collects what is a file and meant by `include`. */
class Walk {
  readonly found: { readonly path: string; readonly absolutePath: string }[] = [];
  private readonly root: string;
  private readonly followLinks: boolean;
  private readonly include: IncludePatterns;
  private readonly findings: Findings;
  private tooMany = false;

  constructor(options: ListSourceFilesOptions, include: IncludePatterns, findings: Findings) {
    this.root = resolve(options.root);
    this.followLinks = options.followLinks === true;
    this.include = include;
    this.findings = findings;
  }

  async start(): Promise<void> {
    try {
      if (!(await stat(this.root)).isDirectory()) {
        this.findings.error({ message: 'is not a directory', hint: 'Name the directory that holds the model.' });
        return;
      }
    } catch (error) {
      this.findings.error(unreadable('', error));
      return;
    }
    await this.directory('', [await realpath(this.root)]);
    if (this.tooMany) {
      this.findings.error({
        message: `has more than ${limits.filesPerModel} files to release`,
        hint: 'Name those that belong to the model by "include".',
      });
    }
  }

  /** `above`: the real paths of the directory and those above it, to see links that go round in circles. */
  private async directory(path: string, above: readonly string[]): Promise<void> {
    let entries: Dirent[];
    try {
      entries = await readdir(join(this.root, path), { withFileTypes: true });
    } catch (error) {
      this.findings.error(unreadable(path, error));
      return;
    }
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (this.tooMany) return;
      await this.entry(path === '' ? entry.name : `${path}/${entry.name}`, entry, above);
    }
  }

  private async entry(path: string, entry: Dirent, above: readonly string[]): Promise<void> {
    if (entry.isDirectory()) {
      const real = join(above.at(-1) ?? this.root, entry.name);
      if (this.include.reachesInto(path)) await this.directory(path, [...above, real]);
    } else if (entry.isSymbolicLink()) {
      await this.link(path, above);
    } else if (this.include.matches(path)) {
      if (entry.isFile()) this.file(path);
      else this.findings.error(special(path));
    }
  }

  private file(path: string): void {
    if (this.found.length >= limits.filesPerModel) this.tooMany = true;
    else this.found.push({ path, absolutePath: join(this.root, path) });
  }

  private async link(path: string, above: readonly string[]): Promise<void> {
    const absolutePath = join(this.root, path);
    const target = await stat(absolutePath).catch(() => undefined);
    const meant = this.include.matches(path) || (target?.isDirectory() === true && this.include.reachesInto(path));
    if (!meant) return;
    if (!this.followLinks) {
      this.findings.error({
        in: path,
        message: 'is a link',
        hint: 'Put the file itself there, or set "follow_links": true in the model\'s source.',
      });
    } else if (target === undefined) {
      this.findings.error({ in: path, message: 'is a link to nothing', hint: 'Mend the link, or remove it.' });
    } else if (target.isDirectory()) {
      const real = await realpath(absolutePath);
      if (above.includes(real)) {
        this.findings.error({ in: path, message: 'is a link to a directory above it', hint: 'Remove the link.' });
      } else {
        await this.directory(path, [...above, real]);
      }
    } else if (target.isFile()) {
      this.file(path);
    } else {
      this.findings.error(special(path));
    }
  }
}

async function sizesOf(
  found: readonly { readonly path: string; readonly absolutePath: string }[],
  findings: Findings,
): Promise<SourceFile[]> {
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
  const fault = path.includes('\ufffd') ? 'is not valid Unicode' : filePathFault(path);
  if (fault !== undefined) {
    return [{ in: path, message: `the name ${fault}`, hint: 'Rename the file, or leave it out by "include".' }];
  }
  if (path.split('/').at(-1) !== '.version') return [];
  return [
    {
      in: path,
      message: 'is a name that clients use for the installed version',
      hint: 'Remove the file, or leave it out by "include".',
    },
  ];
}

function codeFinding({ path }: SourceFile): Finding {
  return {
    in: path,
    message: 'is code that a loader may run',
    hint: 'Leave it out by "include", or set "allow_code": true, and the manifest will say so.',
  };
}

function special(path: string): Finding {
  return { in: path, message: 'is no regular file', hint: 'Remove it, or leave it out by "include".' };
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

function unreadable(path: string, error: unknown): Finding {
  const code = systemErrorCode(error);
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return path === ''
      ? { message: 'there is no such directory', hint: 'Check "source" in release.json.' }
      : { in: path, message: 'has gone, or its name is not valid Unicode', hint: 'Look whether the file is there.' };
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return {
      in: path,
      message: "can't be read",
      hint: 'Give yourself the right to read it, or leave it out by "include".',
    };
  }
  throw error;
}

function sortByPath(files: readonly SourceFile[]): SourceFile[] {
  return [...files].sort((a, b) => compareBytes(a.path, b.path));
}
