import { driftWorkflow } from '../src/release/drift-workflow.ts';
import { releaseWorkflow } from '../src/release/release-workflow.ts';
import { ownSetup } from '../src/release/workflow-setup.ts';
import { jsonSchemas } from './json-schemas.ts';

/** Everything in the repository that is generated from code, by path. A test holds it up to date. */
export async function generatedFiles(): Promise<Readonly<Record<string, string>>> {
  return { ...jsonSchemas(), ...ownWorkflows() };
}

/** Our own workflows come from the templates that `init` writes for others. */
function ownWorkflows(): Readonly<Record<string, string>> {
  return {
    '.github/workflows/release-models.yml': releaseWorkflow(ownSetup),
    '.github/workflows/drift.yml': driftWorkflow(ownSetup),
  };
}
