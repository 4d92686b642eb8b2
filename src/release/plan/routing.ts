import type { HostKind } from '../../contract/fields.ts';
import { defaultLargeModelBytes, type ReleaseConfig } from '../../contract/release-config.ts';
import { configuredKinds } from '../addresses.ts';

/**
 * GitHub takes assets below 2 GiB. [GitHub docs, "About releases": each file must be under 2 GiB]
 */
const githubAssetLimitBytes = 2 ** 31;

/**
 * The most bytes that an archive of these sources can have: chunks are stored where they don't
 * shrink, which costs five bytes in 65,535 and five a chunk; headers and padding cost at most 3 KiB
 * a file.
 */
function largestArchiveBytes(sourceBytes: number, files: number): number {
  return Math.ceil(sourceBytes * (1 + 16 / 65_536)) + files * 4096 + 1024 * 1024;
}

export interface Route {
  /** The targets that get the model's archive. */
  readonly targets: readonly HostKind[];
  /** The one that clients ask first. */
  readonly primary: HostKind | undefined;
}

/** Which targets a model goes to, by the bytes of its source files. */
export function routeModel(config: ReleaseConfig, sourceBytes: number, files: number): Route {
  const fitsGithub = largestArchiveBytes(sourceBytes, files) < githubAssetLimitBytes;
  const targets = configuredKinds(config).filter((kind) => kind !== 'github' || fitsGithub);
  const large = sourceBytes >= (config.routing?.large_model_bytes ?? defaultLargeModelBytes);
  const order: readonly HostKind[] = large ? ['huggingface', 'github', 'mirror'] : ['github', 'huggingface', 'mirror'];
  return { targets, primary: order.find((kind) => targets.includes(kind)) };
}
