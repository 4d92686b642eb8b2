import { fileURLToPath } from 'node:url';
import { type AircherError, usageError } from '../../core/errors.ts';

/** A manifest source, taken apart (docs/formats.md). */
export type Source =
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'file'; readonly path: string }
  | {
      readonly kind: 'github';
      /** An installation other than github.com. */
      readonly server: string | undefined;
      /** `owner/name`. */
      readonly repository: string;
      readonly tagPrefix: string;
    };

/**
 * Reads the text of a source: a URL, `github:owner/repo#prefix`, or a file's path. Throws `usage`.
 */
export function parseSource(text: string): Source {
  if (text.startsWith('github:')) return parseGitHub(text);
  if (/^https?:\/\//i.test(text)) {
    if (!URL.canParse(text)) throw noSource(text);
    return { kind: 'url', url: text };
  }
  if (/^file:/i.test(text)) {
    try {
      return { kind: 'file', path: fileURLToPath(text) };
    } catch (error) {
      throw noSource(text, error);
    }
  }
  // Two letters at least, so that C:\ stays a path.
  if (/^[a-z][a-z0-9+.-]+:\/\/|^\s*$/i.test(text)) throw noSource(text);
  return { kind: 'file', path: text };
}

function noSource(text: string, cause?: unknown): AircherError {
  return usageError(`${JSON.stringify(text)} is not a manifest source`, sourceForms, { cause });
}

export const sourceForms = 'A source is an https URL, a file, or github:owner/repository#tag-prefix.';

function parseGitHub(text: string): Source {
  const [, server, repository, tagPrefix = ''] =
    /^github:(?:(https?:\/\/[^/@\s]+)\/)?([A-Za-z0-9][A-Za-z0-9-]{0,38}\/(?!\.\.?(?:#|$))[A-Za-z0-9._-]{1,100})(?:#([A-Za-z0-9._-]*))?$/.exec(
      text,
    ) ?? [];
  if (repository === undefined) throw noSource(text);
  return { kind: 'github', server, repository: repository.replace(/\.git$/, ''), tagPrefix };
}
