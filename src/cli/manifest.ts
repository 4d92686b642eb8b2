import type { Command } from 'commander';
import { readClientBundle, writeClientBundle } from '../release/documents/client-bundle.ts';
import { writeModelCard } from '../release/documents/model-card.ts';
import { writeNotes } from '../release/documents/notes.ts';
import { writeChecksums } from '../release/documents/write-checksums.ts';
import { manifestPath, readManifest, writeManifest } from '../release/documents/write-manifest.ts';
import { loadConfig } from '../release/load-config.ts';
import { requirePlan } from '../release/plan/plan-record.ts';
import { takePublishedVectors } from '../release/prove/published-vectors.ts';
import { writeCatalogue } from '../release/site/write-catalogue.ts';
import { type CommandDependencies, printResult, workspaceOf } from './dependencies.ts';

/** `manifest`, `checksums` and `notes`: the documents of a release, from what is packed. */
export function manifestCommands(program: Command, dependencies: CommandDependencies): void {
  program
    .command('manifest')
    .description('manifest.json from the plan and what is packed, and the client aircher.mjs that goes with it')
    .action(async (_options: object, command: Command) => {
      const workspace = workspaceOf(command, dependencies);
      const loaded = await loadConfig(workspace);
      const plan = await requirePlan(loaded, workspace);
      await takePublishedVectors(loaded, plan, await dependencies.targets(loaded.config, workspace), workspace);
      const written = await writeManifest(loaded, plan, workspace);
      await writeClientBundle(loaded.config, workspace);
      printResult(command, dependencies, written.manifest, () => `${written.sha256}  ${manifestPath(workspace)}`);
    });
  program
    .command('checksums')
    .description('checksums.sha256, in the format of sha256sum -c')
    .action(async (_options: object, command: Command) => {
      const workspace = workspaceOf(command, dependencies);
      const loaded = await loadConfig(workspace);
      await requirePlan(loaded, workspace);
      const written = await readManifest(workspace);
      const checksums = await writeChecksums(written, await readClientBundle(workspace), workspace);
      printResult(command, dependencies, { checksums }, () =>
        checksums.map(({ name, sha256 }) => `${sha256}  ${name}`).join('\n'),
      );
    });
  program
    .command('notes')
    .description("RELEASE_NOTES.md; README.md, the Hub's model card; index.html, the catalogue at a mirror's root")
    .action(async (_options: object, command: Command) => {
      const workspace = workspaceOf(command, dependencies);
      const loaded = await loadConfig(workspace);
      const plan = await requirePlan(loaded, workspace);
      const written = await readManifest(workspace);
      await writeModelCard(loaded.config, written, workspace);
      await writeCatalogue(loaded.config, written, workspace);
      const notes = await writeNotes(loaded.config, plan, written, workspace);
      printResult(command, dependencies, { notes }, () => notes);
    });
}
