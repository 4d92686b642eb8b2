import type { Manifest } from '../../contract/manifest.ts';
import { integrityError } from '../../core/errors.ts';

/** Whether the manifest is past its `expires_at`. */
export function hasExpired({ expires_at: end = '' }: Manifest): boolean {
  return Date.parse(end) <= Date.now();
}

/**
 * Refuses a manifest past its `expires_at`; nothing new is installed by one. Throws `integrity`.
 */
export function checkExpiry(manifest: Manifest): void {
  if (!hasExpired(manifest)) return;
  throw integrityError(
    `The manifest of ${manifest.release ?? 'this release'} expired at ${manifest.expires_at}.`,
    'What is installed works on. It was not renewed, or somebody holds the renewed one back: check the sources (doctor) and the clock of this machine.',
  );
}
