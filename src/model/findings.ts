import { join } from 'node:path';
import type { Problem } from '../core/errors.ts';

/** Of one kind of finding so many are told one by one; the rest is counted. */
const toldPerKind = 20;

export interface Finding {
  /** A file outside the model's directory, instead of `in`. */
  readonly file?: string | undefined;
  /** Path in the model's directory; the directory itself where it is left out. */
  readonly in?: string | undefined;
  /** JSON path inside the file. */
  readonly at?: string | undefined;
  readonly message: string;
  readonly hint?: string | undefined;
}

/** Collects what a check finds in one model. */
export class Findings {
  readonly problems: Problem[] = [];
  private readonly model: string;
  private readonly place: (path: string) => string;

  /**
   * `root` is the model's directory, or a function that gives the place of a file in it as its
   * owner knows it.
   */
  constructor(model: string, root: string | ((path: string) => string)) {
    this.model = model;
    this.place = typeof root === 'string' ? (path) => join(root, path) : root;
  }

  error(finding: Finding): void {
    this.add('error', finding);
  }

  warning(finding: Finding): void {
    this.add('warning', finding);
  }

  /** The same kind of error at many places: the first ones, and how many more there are. */
  errors(findings: readonly Finding[]): void {
    this.addMany('error', findings);
  }

  warnings(findings: readonly Finding[]): void {
    this.addMany('warning', findings);
  }

  private addMany(level: Problem['level'], findings: readonly Finding[]): void {
    for (const finding of findings.slice(0, toldPerKind)) this.add(level, finding);
    const more = findings.length - toldPerKind;
    if (more > 0) this.add(level, { message: `${more} more of the kind above` });
  }

  private add(level: Problem['level'], finding: Finding): void {
    const file = finding.file ?? this.place(finding.in ?? '');
    this.problems.push({
      level,
      file: finding.file !== undefined || file.includes(this.model) ? file : `${file} (model ${this.model})`,
      ...(finding.at === undefined ? {} : { path: finding.at }),
      message: finding.message,
      ...(finding.hint === undefined ? {} : { hint: finding.hint }),
    });
  }
}
