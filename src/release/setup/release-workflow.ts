import { actions, commandSteps, firstSteps, hostTokens, type WorkflowSetup } from './workflow-setup.ts';

/**
 * `.github/workflows/release-models.yml`: plan, pack and prove by a matrix, release, verify. Jobs
 * hand over by the output directory. Every step can run again: whatever was interrupted is finished
 * by running the jobs, or the whole workflow, once more.
 *
 * `prove` runs code that others wrote, on a machine that could replace any artifact of this run. So
 * it has no token at all, not even one to check out with; and `release` goes by digests that the
 * job `digests` noted before, where no other job can write.
 */
export function releaseWorkflow(setup: WorkflowSetup): string {
  const { command } = setup;
  return `# Cuts a release of the models in manifests/release.json: on a tag, or by hand.
# An interrupted run is finished by running it again: what the hosts have already isn't sent twice.
name: Release models

on:
  push:
    tags: ['${tagPattern(setup.tagPrefix)}']
  workflow_dispatch:
    inputs:
      dry-run:
        description: Do everything but the uploads
        type: boolean
        default: true

# Each job asks for what it needs.
permissions: {}

# Releases build on each other: one at a time, and one that publishes is never cancelled.
concurrency:
  group: release-models
  cancel-in-progress: false

defaults:
  run:
    shell: bash

jobs:
  plan:
    # A fork has neither the secrets nor the hosts of this repository.
    if: \${{ !github.event.repository.fork }}
    runs-on: ubuntu-latest
    timeout-minutes: 60
    permissions:
      contents: read
    outputs:
      tag: \${{ steps.plan.outputs.tag }}
      pack: \${{ steps.plan.outputs.pack }}
      matrix: \${{ steps.plan.outputs.matrix }}
    steps:
${firstSteps(setup, { lfs: true })}
      - name: Plan
        id: plan
        env:
${hostTokens(setup)}
        run: ${command} plan --matrix
      - name: Check that what is carried forward did not change
        if: steps.plan.outputs.carried != ''
        env:
          HF_TOKEN: \${{ secrets.HF_TOKEN }}
          MODELS: \${{ steps.plan.outputs.carried }}
${runOnModels(`${command} stage`)}
      - uses: ${actions.uploadArtifact}
        with:
          name: plan
          path: release
          if-no-files-found: error
          overwrite: true
          retention-days: 1
      - name: Hand the repository on, without what Git LFS holds
        run: GIT_LFS_SKIP_SMUDGE=1 git archive --output repository.tar HEAD
      - uses: ${actions.uploadArtifact}
        with:
          name: repository
          path: repository.tar
          if-no-files-found: error
          overwrite: true
          retention-days: 1

  pack:
    name: pack \${{ matrix.group }}
    needs: plan
    if: needs.plan.outputs.pack == 'true'
    runs-on: ubuntu-latest
    timeout-minutes: 180
    permissions:
      contents: read
    strategy:
      fail-fast: false
      matrix: \${{ fromJSON(needs.plan.outputs.matrix) }}
    steps:
${firstSteps(setup, { lfs: true })}
      - uses: ${actions.downloadArtifact}
        with:
          name: plan
          path: release
      - name: Pack
        env:
          GITHUB_TOKEN: \${{ secrets.MODELS_GITHUB_TOKEN || github.token }}
          HF_TOKEN: \${{ secrets.HF_TOKEN }}
          MODELS: \${{ matrix.models }}
${runOnModels(`${command} pack`)}
      - uses: ${actions.uploadArtifact}
        with:
          name: packed-\${{ matrix.group }}
          path: |
            release
            !release/plan.json
          if-no-files-found: error
          overwrite: true
          compression-level: 0
          retention-days: 1
      - uses: ${actions.uploadArtifact}
        with:
          name: record-\${{ matrix.group }}
          path: release/*.pack.json
          if-no-files-found: error
          overwrite: true
          retention-days: 1

  # What release goes by, noted where nothing that runs in prove can change it: artifacts can be replaced, a job's outputs can't.
  digests:
    needs: pack
    runs-on: ubuntu-latest
    timeout-minutes: 10
    permissions: {}
    outputs:
      packed: \${{ steps.digests.outputs.packed }}
    steps:
      - uses: ${actions.downloadArtifact}
        with:
          name: plan
          path: release
      - uses: ${actions.downloadArtifact}
        with:
          pattern: record-*
          path: release
          merge-multiple: true
      - name: Digest of the plan and of all pack records, which have those of the archives
        id: digests
        run: |
          cd release
          echo "packed=$(sha256sum plan.json *.pack.json | sha256sum)" >> "$GITHUB_OUTPUT"

  # Runs the commands of release.json, and so code that others wrote: without secrets or rights, and what it hands on is believed to
  # say yes or no, and to be vectors, nothing else.
  prove:
    name: prove \${{ matrix.group }}
    needs: [plan, digests]
    runs-on: ubuntu-latest
    timeout-minutes: 180
    permissions: {}
    strategy:
      fail-fast: false
      matrix: \${{ fromJSON(needs.plan.outputs.matrix) }}
    steps:
      - uses: ${actions.downloadArtifact}
        with:
          name: repository
      - run: tar -xf repository.tar
${commandSteps(setup)}
      - uses: ${actions.downloadArtifact}
        with:
          name: plan
          path: release
      - uses: ${actions.downloadArtifact}
        with:
          name: packed-\${{ matrix.group }}
          path: release
      - name: Prove
        env:
          MODELS: \${{ matrix.models }}
${runOnModels(`${command} prove`)}
      - uses: ${actions.uploadArtifact}
        with:
          name: proof-\${{ matrix.group }}
          path: |
            release/*.proof.json
            release/*.vectors.json
          if-no-files-found: error
          overwrite: true
          retention-days: 1

  release:
    needs: [plan, pack, digests, prove]
    # Nothing to pack is no obstacle: a yank or a renewed expiry is a release too.
    if: \${{ !cancelled() && needs.plan.result == 'success' && (needs.prove.result == 'success' || needs.pack.result == 'skipped') }}
    runs-on: ubuntu-latest
    timeout-minutes: 350
    permissions:
      contents: write
      id-token: write
      attestations: write
    outputs:
      state: \${{ steps.publish.outputs.state }}
    steps:
${firstSteps(setup)}
      - uses: ${actions.downloadArtifact}
        with:
          name: plan
          path: release
      - uses: ${actions.downloadArtifact}
        if: needs.pack.result == 'success'
        with:
          pattern: packed-*
          path: release
          merge-multiple: true
      - name: What arrived is what was packed
        if: needs.pack.result == 'success'
        env:
          PACKED: \${{ needs.digests.outputs.packed }}
        run: |
          cd release
          [ "$(sha256sum plan.json *.pack.json | sha256sum)" = "$PACKED" ] || {
            echo "::error::plan.json or a pack record changed after it was packed. Find out whether the check command did it; then run all jobs again"
            exit 1
          }
      - uses: ${actions.downloadArtifact}
        if: needs.pack.result == 'success'
        with:
          pattern: proof-*
          path: proofs
          merge-multiple: true
      - name: Take the proofs and vectors, and nothing else that came with them
        if: needs.pack.result == 'success'
        run: find proofs -maxdepth 1 -type f '(' -name '*.proof.json' -o -name '*.vectors.json' ')' -exec mv {} release ';'
      # Looks whether a host has vectors of this release already, in a draft too.
      - name: Manifest
        env:
${hostTokens(setup)}
        run: ${command} manifest
      - name: Checksums
        run: ${command} checksums
      - name: Notes
        run: ${command} notes
      - name: Sign
        env:
          AIRCHER_SIGNING_KEY: \${{ secrets.AIRCHER_SIGNING_KEY }}
          AIRCHER_SIGNING_PASSWORD: \${{ secrets.AIRCHER_SIGNING_PASSWORD }}
          AIRCHER_GPG_KEY: \${{ secrets.AIRCHER_GPG_KEY }}
          AIRCHER_GPG_PASSPHRASE: \${{ secrets.AIRCHER_GPG_PASSPHRASE }}
        run: ${command} sign
      - name: Validate
        env:
          AIRCHER_GPG_PUBLIC_KEY: \${{ vars.AIRCHER_GPG_PUBLIC_KEY }}
        run: ${command} validate
      - name: Publish
        id: publish
        if: \${{ !inputs.dry-run }}
        env:
${hostTokens(setup)}
          AIRCHER_GPG_PUBLIC_KEY: \${{ vars.AIRCHER_GPG_PUBLIC_KEY }}
        run: ${command} publish
      - name: Say what would be published
        if: \${{ inputs.dry-run }}
        env:
${hostTokens(setup)}
          AIRCHER_GPG_PUBLIC_KEY: \${{ vars.AIRCHER_GPG_PUBLIC_KEY }}
        run: ${command} publish --dry-run
      # What is public, not what may become so: an attestation is for ever. GitHub attests for public repositories, and for private
      # ones on some plans only.
      - name: Bill of models
        if: \${{ steps.publish.outputs.state == 'public' && !github.event.repository.private }}
        run: ${command} bill > release/models.cdx.json
      - name: Attest
        if: \${{ steps.publish.outputs.state == 'public' && !github.event.repository.private }}
        uses: ${actions.attestProvenance}
        with:
          subject-checksums: release/checksums.sha256
      - name: Attest the bill of models
        if: \${{ steps.publish.outputs.state == 'public' && !github.event.repository.private }}
        uses: ${actions.attest}
        with:
          subject-checksums: release/checksums.sha256
          sbom-path: release/models.cdx.json

  verify:
    needs: [plan, release]
    if: \${{ !cancelled() && needs.release.outputs.state == 'public' }}
    runs-on: ubuntu-latest
    timeout-minutes: 180
    permissions:
      contents: read
    steps:
${firstSteps(setup)}
      - name: Download and hash every byte from every host
        env:
${hostTokens(setup)}
          TAG: \${{ needs.plan.outputs.tag }}
          AIRCHER_GPG_PUBLIC_KEY: \${{ vars.AIRCHER_GPG_PUBLIC_KEY }}
        run: ${command} verify "$TAG" --deep
`;
}

/** Runs a command on the models that MODELS names, by spaces. */
function runOnModels(command: string): string {
  return `        run: |
          options=()
          for model in $MODELS; do options+=(--model "$model"); done
          ${command} "\${options[@]}"`;
}

/** Without a prefix, tags that begin like a version. */
function tagPattern(prefix: string): string {
  return prefix === '' ? '[0-9]*' : `${prefix}*`;
}
