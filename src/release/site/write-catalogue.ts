import { join } from 'node:path';
import { catalogueName } from '../../contract/catalogue-mark.ts';
import type { ReleaseConfig } from '../../contract/release-config.ts';
import { writeFileAtomically } from '../../core/write-files.ts';
import type { WrittenManifest } from '../documents/write-manifest.ts';
import type { Workspace } from '../workspace.ts';
import { composeCatalogue } from './catalogue.ts';

/** Writes index.html, which a mirror serves at its root. */
export async function writeCatalogue(
  config: ReleaseConfig,
  written: WrittenManifest,
  workspace: Workspace,
): Promise<void> {
  await writeFileAtomically(join(workspace.out, catalogueName), composeCatalogue(config, written));
}
