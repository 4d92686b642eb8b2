import type { Dirent } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { limits } from '../contract/limits.ts';
import { systemErrorCode } from '../core/errors.ts';
import type { FilePatterns } from './file-patterns.ts';
import type { Finding, Findings } from './findings.ts';

export interface FoundFile {
  /** Below the directory, `/`-separated. */
  readonly path: string;
  readonly absolutePath: string;
}

export interface WalkOptions {
  readonly root: string;
  readonly followLinks?: boolean | undefined;
}

/**
 * Walks a source directory and returns the regular files that the patterns include. Directories
 * that no pattern reaches are not entered. Links (unless followed), special files and whatever
 * can't be read are findings.
 */
export async function walkSource(
  options: WalkOptions,
  patterns: FilePatterns,
  findings: Findings,
): Promise<readonly FoundFile[]> {
  const walk = new Walk(options, patterns, findings);
  await walk.start();
  return walk.found;
}

export const tooManyFiles: Finding = {
  message: `has more than ${limits.filesPerModel} files to release`,
  hint: 'Name those that belong to the model by "include", or leave others out by "exclude".',
};

class Walk {
  readonly found: FoundFile[] = [];
  private readonly root: string;
  private readonly followLinks: boolean;
  private readonly patterns: FilePatterns;
  private readonly findings: Findings;
  private tooMany = false;

  constructor(options: WalkOptions, patterns: FilePatterns, findings: Findings) {
    this.root = resolve(options.root);
    this.followLinks = options.followLinks === true;
    this.patterns = patterns;
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
      this.findings.error(tooManyFiles);
    }
  }

  /**
   * `above`: the real paths of this directory and those above it, to detect links that lead in
   * circles.
   */
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
      if (this.patterns.reachesInto(path)) await this.directory(path, [...above, real]);
    } else if (entry.isSymbolicLink()) {
      await this.link(path, above);
    } else if (this.patterns.matches(path)) {
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
    const meant = this.patterns.matches(path) || (target?.isDirectory() === true && this.patterns.reachesInto(path));
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

function special(path: string): Finding {
  return { in: path, message: 'is no regular file', hint: 'Remove it, or leave it out by "exclude".' };
}

/** The finding where a file is gone or may not be read. Other failures are thrown. */
export function unreadable(path: string, error: unknown): Finding {
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
      hint: 'Give yourself the right to read it, or leave it out by "exclude".',
    };
  }
  throw error;
}
