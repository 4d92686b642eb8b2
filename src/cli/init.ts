import type { Command } from 'commander';
import { type InitOptions, type InitReport, initRepository } from '../release/setup/init-repository.ts';
import { type CommandDependencies, printResult, workspaceOf } from './dependencies.ts';
import { formatTable } from './table.ts';

export function initCommand(program: Command, dependencies: CommandDependencies): void {
  program
    .command('init')
    .description(
      'release.json, its schema, the workflows, scripts/embed.py and .gitignore lines for a new repository; overwrites nothing without --update',
    )
    .option('--github <owner/name>', "GitHub repository of the releases (that of git's remote origin)")
    .option('--no-github', 'no releases at GitHub')
    .option('--huggingface <owner/name>', 'repository on the Hugging Face Hub')
    .option('--mirror <url>', 'public address of a mirror; its files are written to ./mirror')
    .option('--bucket <s3://name/prefix>', 'with --mirror: its files go to this bucket instead')
    .option('--region <name>', "the bucket's region, at AWS")
    .option('--endpoint <url>', "the bucket's server, elsewhere")
    .option('--namespace <name>', "directory of the clients' cache (the repository's name)")
    .option(
      '--update',
      'show and write what the schema, the workflows and `signing` of release.json lack of this version',
    )
    .addHelpText('after', '\nExample:\n  aircher-models init --huggingface example/embedding-models')
    .action(async (options: InitOptions & { github?: string | boolean }, command: Command) => {
      const workspace = workspaceOf(command, dependencies);
      const { github, ...others } = options;
      const report = await initRepository(
        // Without either option commander says true.
        { ...others, ...(typeof github === 'string' || github === false ? { github } : {}) },
        workspace,
      );
      printResult(command, dependencies, report, () => describeInit(report, workspace.configFile));
    });
}

function describeInit({ files, diff, config, package: origin }: InitReport, configFile: string): string {
  const tag = `${config.tag_prefix}${config.release}`;
  const steps = [
    `Describe your models in ${configFile}; \`aircher-models plan\` says what would be released.`,
    'Before the first push, see that CI gets the models too. A source on the Hub (`"source": { "huggingface", "revision" }`) is fetched there. A directory must be in the repository: `git lfs install && git lfs track "models/**"`, then commit it with .gitattributes. If it lies elsewhere, add a step that brings it to the jobs plan and pack.',
    'That users can check what the model does for them: `"reference": { "command": ["python3", "scripts/embed.py"] }` in each model (for sentence-transformers; change the script as you need).',
    'To sign releases: `aircher-models keygen --key-dir DIR`, and its public key goes into release.json.',
    `Secrets of the repository, those that you need: ${secretsOf(config).join(', ')}.`,
    ...mirrorStep(config),
    ...(origin === 'outside'
      ? [
          'package-lock.json takes aircher-models from outside this repository, where a CI job finds nothing: put the tarball into the repository, and `npm install --save-dev ./TARBALL` it from there.',
        ]
      : []),
    `Commit (package.json and package-lock.json too), try \`aircher-models release --dry-run\`, then push the tag: \`git tag ${tag} && git push origin ${tag}\`.`,
  ];
  return [
    formatTable(
      ['file', 'state'],
      files.map(({ path, state }) => [path, state === 'kept' ? 'kept as it was' : state]),
    ),
    ...(diff === '' ? [] : ['', diff]),
    '',
    'Next:',
    ...steps.map((step, index) => `${index + 1}. ${step}`),
  ].join('\n');
}

function mirrorStep({ mirror }: InitReport['config']): readonly string[] {
  if (mirror === undefined) return [];
  const { base_url: url } = mirror;
  return 'directory' in mirror
    ? [
        `The mirror's files are written to ${mirror.directory}: the workflow's runner must see the directory that ${url} serves.`,
      ]
    : [`The mirror's files go to the bucket ${mirror.s3.bucket}: ${url} must show it to everybody.`];
}

function secretsOf(config: InitReport['config']): readonly string[] {
  return [
    ...(config.huggingface ? ['HF_TOKEN (write access)'] : []),
    ...(config.mirror && 's3' in config.mirror ? ['AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY'] : []),
    'AIRCHER_SIGNING_KEY and AIRCHER_SIGNING_PASSWORD',
    ...(config.github ? ['MODELS_GITHUB_TOKEN where the releases are in another repository'] : []),
  ];
}
