import { modelNameFault } from '../../contract/names.ts';
import { usageError } from '../../core/errors.ts';
import { checkRange } from '../operations/find-installed.ts';

/** `NAME` or `NAME@VERSION-or-RANGE` of a command line. */
export interface ModelReference {
  readonly name: string;
  /** A semver range; undefined where none is given, or `latest`. */
  readonly range: string | undefined;
  /** `latest` was asked for, by that word. */
  readonly latest?: boolean;
}

/** Throws `usage`. */
export function parseModelReference(text: string): ModelReference {
  const [, name = text, version] = /^([^@]*)@(.*)$/s.exec(text) ?? [];
  const fault = modelNameFault(name) ?? (version === '' ? 'has no version behind @' : undefined);
  if (fault !== undefined) {
    throw usageError(`${JSON.stringify(text)}: ${fault}.`, 'Models are named as NAME or NAME@VERSION.');
  }
  const range = version === 'latest' ? undefined : version;
  checkRange(range);
  return { name, range, latest: version === 'latest' };
}

/** Throws `usage` where a version is given. */
export function refuseVersion({ name, range }: ModelReference): void {
  if (range !== undefined) throw usageError(`${name}@${range}: no version is taken here.`, `Write ${name} alone.`);
}
