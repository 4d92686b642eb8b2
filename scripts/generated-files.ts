import { readFile } from 'node:fs/promises';
import { checkWorkflow } from '../src/release/setup/check-workflow.ts';
import { driftWorkflow } from '../src/release/setup/drift-workflow.ts';
import { releaseWorkflow } from '../src/release/setup/release-workflow.ts';
import { ownSetup } from '../src/release/setup/workflow-setup.ts';
import { commandDocs } from './command-docs.ts';
import { formatDocs } from './format-docs.ts';
import { jsonDocs } from './json-docs.ts';
import { jsonSchemas } from './json-schemas.ts';

/**
 * Everything in the repository that is generated from code, by path. A test holds it up to date.
 */
export async function generatedFiles(): Promise<Readonly<Record<string, string>>> {
  const { version } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8'));
  return {
    'src/core/tool-version.ts': `/** The version of both packages, which package.json has. */\nexport const toolVersion = '${version}';\n`,
    ...jsonSchemas(),
    'docs/json.md': jsonDocs(),
    'docs/commands.md': commandDocs(),
    ...(await formatDocs()),
    '.github/workflows/release-models.yml': releaseWorkflow(ownSetup),
    '.github/workflows/drift.yml': driftWorkflow(ownSetup),
    '.github/workflows/check-models.yml': checkWorkflow(ownSetup),
  };
}
