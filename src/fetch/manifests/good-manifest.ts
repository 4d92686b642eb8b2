import type { Manifest } from '../../contract/manifest.ts';
import { AircherError, type Problem, toAircherError } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import { isMissing } from '../../http/remote-error.ts';

/** A manifest that may be relied on, or what a lock file has of one. */
export interface KnownManifest {
  readonly manifest: Manifest;
  /** Undefined where a lock file has it: then `manifest` holds no more than one entry. */
  readonly bytes: Buffer | undefined;
  readonly sha256: string;
  readonly signature: Buffer | undefined;
  /** Where it was: a URL or a file. */
  readonly url: string;
  /** It came from this machine: only then its addresses may lead there. */
  readonly local: boolean;
  /**
   * For a release that was asked for by name: what the newest manifest says was withdrawn since.
   */
  readonly withdrawnSince?: Manifest['yanked'];
  /**
   * No source answered, so this is what was accepted before: why nobody knows whether there is a
   * newer one.
   */
  readonly unconfirmed?: AircherError;
}

export interface GoodManifest extends KnownManifest {
  readonly bytes: Buffer;
}

/**
 * The first good manifest of places that are asked one after the other. Throws `noneGood` of their
 * faults.
 */
export async function firstGood<Place>(
  places: readonly Place[],
  ask: (place: Place) => Promise<GoodManifest>,
  { signal }: RunContext,
  message: string,
  hint: string,
): Promise<GoodManifest> {
  const faults: AircherError[] = [];
  for (const place of places) {
    try {
      return await ask(place);
    } catch (error) {
      signal?.throwIfAborted();
      faults.push(toAircherError(error));
    }
  }
  throw noneGood(faults, message, hint);
}

/**
 * What to throw where every place that was asked failed: the one fault, or the worst of them with
 * all as problems.
 */
export function noneGood(
  faults: readonly AircherError[],
  message: string,
  hint: string,
  problems: readonly Problem[] = faults.map((fault) => ({ level: 'error', message: fault.message })),
): AircherError {
  const worst = faults.find((fault) => fault.code === 'integrity') ?? faults[0];
  if (worst !== undefined && faults.length === 1) return worst;
  const details = worst !== undefined && faults.every(isMissing) ? { status: 404 } : {};
  return new AircherError(worst?.code ?? 'invalid', message, { hint, problems, details });
}
