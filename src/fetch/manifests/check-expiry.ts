import type { Manifest } from '../../contract/manifest.ts';
import { integrityError } from '../../core/errors.ts';

/** Whether the manifest is past its `expires_at`. */
export function hasExpired(manifest: Manifest, now = new Date()): boolean {
  return manifest.expires_at !== undefined && Date.parse(manifest.expires_at) <= now.getTime();
}

/** Refuses a manifest past its `expires_at`; nothing new is installed by one. Throws `integrity`. */
export function checkExpiry(manifest: Manifest): void {
  if (!hasExpired(manifest)) return;
  throw integrityError(
    `The manifest of ${manifest.release ?? 'this release'} expired at ${manifest.expires_at}.`,
    'What is installed works on. It was not renewed, or somebody holds the renewed one back: check the sources (doctor) and this machine’s clock.',
  );
}
