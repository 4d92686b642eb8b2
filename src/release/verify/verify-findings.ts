import { type HostKind, hostKinds } from '../../contract/fields.ts';
import { compareBytes } from '../../contract/names.ts';
import type { ErrorCode, Problem } from '../../core/errors.ts';
import type { Target } from '../../targets/target.ts';
import { faultyStates, type VerifyState } from './expected-files.ts';

/** One file on one target. */
export interface VerifiedFile {
  readonly target: HostKind;
  readonly name: string;
  readonly state: VerifyState;
}

/** Collects what a verification finds: a row a file and target, and a problem for each fault. */
export class VerifyFindings {
  readonly problems: Problem[] = [];
  private readonly rows = new Map<string, VerifiedFile>();

  /** By target and name, whichever was looked at first. */
  get files(): readonly VerifiedFile[] {
    const place = ({ target }: VerifiedFile): number => hostKinds.indexOf(target);
    return [...this.rows.values()].sort((a, b) => place(a) - place(b) || compareBytes(a.name, b.name));
  }

  /**
   * A file's state, told as a problem where it is a fault. A second look at the same file only
   * makes it worse, or settles it.
   */
  file(target: Target, name: string, state: VerifyState, detail?: string): void {
    const key = `${target.kind} ${name}`;
    const before = this.rows.get(key)?.state;
    if (before !== undefined && faultyStates.has(before)) return;
    this.rows.set(key, { target: target.kind, name, state });
    if (faultyStates.has(state)) this.fault(target, name, detail ?? `is ${state}`);
    else if (state === 'unreachable') this.fault(target, name, detail ?? 'can not be reached', 'remote');
  }

  /** States of many files that have one cause, which is told once. */
  cause(
    target: Target,
    names: readonly string[],
    state: VerifyState,
    subject: string,
    fault: Problem['message'],
  ): void {
    for (const name of names) this.rows.set(`${target.kind} ${name}`, { target: target.kind, name, state });
    this.fault(target, subject, fault, state === 'unreachable' ? 'remote' : 'integrity');
  }

  fault(target: Target, file: string, message: string, code: ErrorCode = 'integrity', hint?: string): void {
    this.problems.push({
      level: 'error',
      code,
      file: `${target.place} ${file}`,
      message,
      ...(hint === undefined ? {} : { hint }),
    });
  }
}
