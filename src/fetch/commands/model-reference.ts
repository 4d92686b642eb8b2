import { modelNameFault } from '../../contract/names.ts';
import { usageError } from '../../core/errors.ts';
import { checkRange } from '../operations/find-installed.ts';

/** `NAME` or `NAME@VERSION-or-RANGE` of a command line. */
export interface ModelReference {
  readonly name: string;
  /** A semver range; undefined where none is given, or `latest`. */
  readonly range: string | undefined;
}

/** Throws `usage`. */
export function parseModelReference(text: string): ModelReference {
  const at = text.indexOf('@');
  const name = at === -1 ? text : text.slice(0, at);
  const version = at === -1 ? undefined : text.slice(at + 1);
  const fault = modelNameFault(name);
  if (fault !== undefined || version === '') {
    throw usageError(
      `${JSON.stringify(text)}: ${fault ?? 'has no version behind @'}.`,
      'Models are named as NAME or NAME@VERSION.',
    );
  }
  const range = version === 'latest' ? undefined : version;
  checkRange(range);
  return { name, range };
}

/** A model's bare name. Throws `usage`. */
export function parseModelName(text: string): string {
  const { name, range } = parseModelReference(text);
  if (range === undefined) return name;
  throw usageError(`${JSON.stringify(text)}: a version has no meaning here.`, `Write ${name} alone.`);
}
