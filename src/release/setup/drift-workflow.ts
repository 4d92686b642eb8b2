import { firstSteps, hostTokens, type WorkflowSetup } from './workflow-setup.ts';

/**
 * `.github/workflows/drift.yml`: every week, whether what is published is still what was released,
 * and not about to expire.
 */
export function driftWorkflow(setup: WorkflowSetup): string {
  return `# Every week: is the newest release still what its manifest says, on every host, and good for another 30 days?
# It also passes while nothing was ever published: neither a host nor manifests/published/ has a release.
name: Drift

on:
  schedule:
    - cron: '23 5 * * 1'
  workflow_dispatch:

permissions: {}

concurrency:
  group: drift
  cancel-in-progress: true

defaults:
  run:
    shell: bash

jobs:
  verify:
    if: \${{ !github.event.repository.fork }}
    runs-on: ubuntu-latest
    timeout-minutes: 30
    permissions:
      contents: read
    steps:
${firstSteps(setup)}
      - name: Compare the hosts with the manifest
        env:
${hostTokens(setup)}
          AIRCHER_GPG_PUBLIC_KEY: \${{ vars.AIRCHER_GPG_PUBLIC_KEY }}
        run: ${setup.command} verify --latest --allow-none --expires-within 30
`;
}
