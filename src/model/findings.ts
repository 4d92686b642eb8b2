import { join } from 'node:path';
import type { Problem } from '../core/errors.ts';

/** So many findings of one kind are told one by one; the rest are only counted. */
const toldPerKind = 20;

export interface Finding {
  /** A file outside the model's directory. Given instead of `in`. */
  readonly file?: string | undefined;
  /** Path in the model's directory. Left out, the finding is about the directory itself. */
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
   * `root`: the model's directory, or a function that turns a path in it into the place that the
   * model's owner knows.
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

  /**
   * Errors of the same kind at many places. The first ones are told, and how many more there are.
   */
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
