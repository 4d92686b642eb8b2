import { firstSteps, type WorkflowSetup } from './workflow-setup.ts';

/**
 * `.github/workflows/check-models.yml`: what a pull request would release, and whether that works,
 * before it is merged.
 */
export function checkWorkflow(setup: WorkflowSetup): string {
  const { command, checked } = setup;
  const paths = checked && `\n    paths: [${checked.map((pattern) => `'${pattern}'`).join(', ')}]`;
  return `# On pull requests: is the release that they describe valid, what would be packed, and does all of it work against stand-ins?
# A pull request can change whatever runs here. So there is no secret, and a token that reads.
name: Check models

on:
  pull_request:${paths ?? ''}

permissions: {}

concurrency:
  group: check-models-\${{ github.ref }}
  cancel-in-progress: true

defaults:
  run:
    shell: bash

jobs:
  check:
    runs-on: ubuntu-latest
    timeout-minutes: 180
    permissions:
      contents: read
    steps:
${firstSteps(setup, { lfs: true })}
      - name: Validate
        run: ${command} validate
${setup.hasBucket ? '' : planStep(command)}      - name: Rehearse
        run: ${command} rehearse
`;
}

/** A bucket tells nobody without a secret what was released last. */
function planStep(command: string): string {
  return `      - name: Plan
        env:
          GITHUB_TOKEN: \${{ github.token }}
        run: ${command} plan
`;
}
