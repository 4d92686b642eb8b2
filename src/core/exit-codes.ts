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
  interrupted: 130,
};

/** `check-updates --exit-code` found updates, `lock --check` other versions. */
export const exitUpdatesFound = 10;
/** `check-license --commercial` found a licence that forbids it. */
export const exitLicenseForbids = 11;

export function exitCodeOf(error: unknown): number {
  return exitCodes[toAircherError(error).code];
}
