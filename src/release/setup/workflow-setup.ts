import { AircherError } from '../../core/errors.ts';

/**
 * The actions that our workflows use, each pinned to the commit of the release that the comment
 * behind it names: a tag can be moved, a commit can't.
 */
export const actions = {
  checkout: 'actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1',
  setupNode: 'actions/setup-node@820762786026740c76f36085b0efc47a31fe5020 # v7.0.0',
  uploadArtifact: 'actions/upload-artifact@bbbca2ddaa5d8feaa63e36b76fdaad77386f024f # v7.0.0',
  downloadArtifact: 'actions/download-artifact@3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c # v8.0.1',
  attest: 'actions/attest@1e69f48acb82d1966a394da916b4c1698aa569d6 # v4.2.2',
  attestProvenance: 'actions/attest-build-provenance@a2bbfa25375fe432b6a289bc6b6cd05ecd0c4c32 # v4.1.0',
} as const;

/** What differs between the workflows of one repository and another. */
export interface WorkflowSetup {
  /** What a step runs as `aircher-models`. */
  readonly command: string;
  /** Commands that bring it, where it isn't there by itself. */
  readonly prepare: readonly string[];
  /** Tags that start a release begin with it. */
  readonly tagPrefix: string;
  /**
   * Patterns of the files whose pull requests are checked. Without it all are: models, and the
   * scripts that embed and check them, may lie anywhere.
   */
  readonly checked?: readonly string[];
  /** Whether a mirror's bucket must be asked, which answers nobody without credentials. */
  readonly hasBucket: boolean;
}

/** Where release.json stands unless `--config` says otherwise. */
const defaultConfigFile = 'manifests/release.json';

/**
 * Another repository: jobs install what its package-lock.json names, with all that it depends on by
 * digest; no install script runs beside the secrets, and nothing is ever fetched by the mere name.
 * Throws `usage` where release.json has a path that a shell would take apart.
 */
export function packageSetup(
  release: Pick<WorkflowSetup, 'tagPrefix' | 'hasBucket'> & { readonly configFile: string },
): WorkflowSetup {
  const { configFile, tagPrefix, hasBucket } = release;
  if (!/^[A-Za-z0-9._/-]+$/.test(configFile) || configFile.startsWith('/')) {
    throw new AircherError('usage', `--config ${configFile}: the workflows can't name that path`, {
      hint: 'Use a relative path of letters, digits, dots, dashes, underscores and slashes.',
    });
  }
  const config = configFile === defaultConfigFile ? '' : ` --config ${configFile}`;
  return {
    command: `npx --no -- aircher-models${config}`,
    prepare: ['npm ci --ignore-scripts'],
    tagPrefix,
    hasBucket,
  };
}

/** This repository runs its own source. */
export const ownSetup: WorkflowSetup = {
  command: 'node src/cli.ts',
  prepare: ['npm ci', 'npm run build'],
  tagPrefix: 'models-v',
  checked: ['manifests/**', 'models/**', 'package-lock.json', '.github/workflows/**'],
  hasBucket: false,
};

/**
 * The first steps of nearly every job: the repository without credentials left behind, and the
 * command. `lfs` fetches models that lie in the repository by Git LFS.
 */
export function firstSteps(setup: WorkflowSetup, options: { readonly lfs?: boolean } = {}): string {
  const lines = [
    `- uses: ${actions.checkout}`,
    '  with:',
    '    persist-credentials: false',
    ...(options.lfs ? ['    lfs: true'] : []),
  ];
  return `${asSteps(lines)}\n${commandSteps(setup)}`;
}

/**
 * The command, where the repository is there: Node without a cache that another workflow could have
 * filled, and what brings the rest.
 */
export function commandSteps(setup: WorkflowSetup): string {
  return asSteps([
    `- uses: ${actions.setupNode}`,
    '  with:',
    '    node-version: 24',
    '    package-manager-cache: false',
    ...setup.prepare.map((command) => `- run: ${command}`),
  ]);
}

/**
 * What a step that asks the hosts gets. Credentials of a bucket may also come from a step before,
 * such as one that takes a role.
 */
export function hostTokens({ hasBucket }: WorkflowSetup): string {
  const names = hasBucket ? ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'] : [];
  return [
    `GITHUB_TOKEN: \${{ secrets.MODELS_GITHUB_TOKEN || github.token }}`,
    `HF_TOKEN: \${{ secrets.HF_TOKEN }}`,
    ...names.map((name) => `${name}: \${{ secrets.${name} || env.${name} }}`),
  ]
    .map((line) => `          ${line}`)
    .join('\n');
}

function asSteps(lines: readonly string[]): string {
  return lines.map((line) => `      ${line}`).join('\n');
}
