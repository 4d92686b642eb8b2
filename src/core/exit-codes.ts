import { type ErrorCode, toAircherError } from './errors.ts';

/** The exit codes of both executables, by error code. The one place where they are mapped. */
export const exitCodes: Readonly<Record<ErrorCode, number>> = {
  unexpected: 1,
  usage: 2,
  invalid: 3,
  integrity: 4,
  remote: 5,
  conflict: 6,
  machine: 7,
  license: 11,
  interrupted: 130,
};

/** `check-updates --exit-code` found updates, `lock --check` other versions. */
export const exitUpdatesFound = 10;

export function exitCodeOf(error: unknown): number {
  return exitCodes[toAircherError(error).code];
}
