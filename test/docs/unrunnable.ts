/** Command lines of the documents that no test runs, each with the reason. */
export const unrunnable: Readonly<Record<string, string>> = {
  'npm ci && npm run quickstart': 'installs dependencies; .ci/run and the CI workflow run both parts',
  'npm ci && npm test': 'it is what runs this test',
  'npm ci && npm pack --pack-destination ../models': 'installs dependencies, and builds the package',
  'npm install --save-dev ./aircher-models-0.1.0.tgz': 'asks the npm registry for the dependencies',
  'git lfs install && git lfs track "models/**"': 'needs git-lfs; without it, git itself holds the small model here',
  'npm ci': 'installs dependencies',
  'npm test': 'it is what runs this test',
  'npm run fix': 'changes the files of the checkout',
  '.ci/run': 'it runs this test among others',
  'gh attestation verify aircher.mjs --repo acme/models': 'needs an attestation that GitHub Actions made',
  'gh attestation verify my-model.tar.gz --repo acme/models --predicate-type https://cyclonedx.org/bom':
    'needs an attestation that GitHub Actions made',
};
