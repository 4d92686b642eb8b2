import type { Problem } from '../../core/errors.ts';
import { formatBytes } from '../../core/format.ts';
import { contentProblems, readContentWhole } from '../file-content.ts';
import { otherContentFact, otherContentHint } from '../other-content.ts';
import { preflightError, repositoryStateProblems } from '../preflight-problems.ts';
import { hasStatus } from '../request-failure.ts';
import type { TargetRelease } from '../target.ts';
import type { HubApi } from './hub-api.ts';
import type { Model, Refs } from './hub-shapes.ts';
import { differingPaths, treeUrl } from './make-tag.ts';
import type { BlobIdCache } from './stored-content.ts';

/** docs/hub/storage-limits: the largest single file. */
const maxFileBytes = 50e9;
/** docs/hub/repositories-recommendations: files in a repository, entries in a folder. */
const maxFiles = 100_000;
const maxEntries = 10_000;
/** A model card larger than this isn't sent for validation. */
const maxCardBytes = 1024 * 1024;

export interface HubPreflight {
  readonly place: string;
  readonly allowPrivate: boolean;
}

const tokenRemedy = 'Set HF_TOKEN to a token with write access to the repository (huggingface.co/settings/tokens).';

/** Everything that would stop the release on the Hub. Read-only. */
export async function preflightHub(
  api: HubApi,
  release: TargetRelease,
  options: HubPreflight,
  cache: BlobIdCache,
): Promise<readonly Problem[]> {
  const { place } = options;
  const problems: Problem[] = [...sizeProblems(release, place), ...(await contentProblems(release.files))];
  if (api.settings.token === undefined) problems.push(preflightError(place, 'no token is set', tokenRemedy));
  let model: Model;
  try {
    model = await api.model();
  } catch (failure) {
    const problem = await repositoryProblem(api, failure, place);
    if (problem === undefined) throw failure;
    return [...problems, problem];
  }
  problems.push(...modelProblems(model, options, api.settings.repository));
  const refs = await api.refs();
  problems.push(...(await stateProblems(api, release, refs, place, cache)));
  // A release that is there needs no rights any more.
  if (refs.tags.has(release.tag)) return problems;
  if (api.settings.token !== undefined) problems.push(...(await rightsProblems(api, place)));
  return [...problems, ...(await cardProblems(api, release))];
}

function sizeProblems(release: TargetRelease, place: string): readonly Problem[] {
  const problems: Problem[] = [];
  for (const { name, sizeBytes } of release.files) {
    if (sizeBytes > maxFileBytes) {
      problems.push(
        preflightError(
          place,
          `${name} has ${formatBytes(sizeBytes)}; the Hub takes files up to ${formatBytes(maxFileBytes)}`,
          'Split the weights into shards.',
          name,
        ),
      );
    }
    if (name.split('/').includes('.git')) {
      problems.push(
        preflightError(place, `${name}: a path can't have the part ".git"`, 'Leave the file out with "include".', name),
      );
    }
  }
  if (release.layout.length > maxFiles) {
    problems.push(
      preflightError(
        place,
        `${release.layout.length} files are more than the ${maxFiles} that the Hub advises for a repository`,
        'Set "raw_files": false, or release to several repositories.',
      ),
    );
  }
  const entries = new Map<string, number>();
  for (const path of release.layout) {
    const folder = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    entries.set(folder, (entries.get(folder) ?? 0) + 1);
  }
  for (const [folder, count] of entries) {
    if (count <= maxEntries) continue;
    const where = folder === '' ? 'the top folder' : folder;
    problems.push(
      preflightError(
        place,
        `${where} has ${count} files; the Hub advises less than ${maxEntries}`,
        'Put them into folders.',
      ),
    );
  }
  return problems;
}

/**
 * The Hub answers 401 for what is missing or hidden, and for a bad token; who the token is tells
 * them apart.
 */
async function repositoryProblem(api: HubApi, failure: unknown, place: string): Promise<Problem | undefined> {
  if (!hasStatus(failure, 401, 403, 404)) return undefined;
  if (api.settings.token !== undefined && failure.status === 401) {
    try {
      await api.whoAmI();
    } catch (unknown) {
      if (hasStatus(unknown, 401)) return preflightError(place, 'the token is not valid or has expired', tokenRemedy);
      throw unknown;
    }
  }
  return preflightError(
    place,
    'the repository does not exist, or the token may not see it',
    'Create it as a public model repository, or correct "huggingface.repository" in release.json, or use a token of somebody who may see it.',
  );
}

function modelProblems(model: Model, { place, allowPrivate }: HubPreflight, configured: string): readonly Problem[] {
  const gated = { as: 'gated', remedy: 'Turn gating off in its settings' };
  const state = repositoryStateProblems({
    place,
    allowPrivate,
    closed: model.private ? { as: 'private', remedy: 'Make it public' } : model.gated ? gated : undefined,
    name: model.id,
    configured,
    key: 'huggingface.repository',
  });
  if (!model.disabled) return state;
  const hint = 'Ask the Hub why, or release to another repository.';
  return [...state, preflightError(place, 'the repository is disabled', hint)];
}

async function rightsProblems(api: HubApi, place: string): Promise<readonly Problem[]> {
  try {
    const who = await api.whoAmI();
    if (who.auth?.accessToken?.role === 'read') return [preflightError(place, 'the token may only read', tokenRemedy)];
    const [owner] = api.settings.repository.split('/');
    const org = who.orgs?.find(({ name }) => name === owner);
    if (org?.roleInOrg === 'read') {
      return [
        preflightError(
          place,
          `${who.name} may only read in ${owner}`,
          'Ask its admins for the role "write", or use another token.',
        ),
      ];
    }
    await api.checkWriteAccess();
    return [];
  } catch (failure) {
    if (hasStatus(failure, 401)) return [preflightError(place, 'the token is not valid or has expired', tokenRemedy)];
    if (hasStatus(failure, 403))
      return [preflightError(place, 'the token may not write to the repository', tokenRemedy)];
    throw failure;
  }
}

async function stateProblems(
  api: HubApi,
  release: TargetRelease,
  refs: Refs,
  place: string,
  cache: BlobIdCache,
): Promise<readonly Problem[]> {
  if (!refs.branches.has('main')) {
    return [
      preflightError(place, 'the repository has no branch "main"', 'Make a first commit to it, such as a README.md.'),
    ];
  }
  const tagged = refs.tags.get(release.tag);
  if (tagged === undefined) return [];
  const differing = await differingPaths(api, release, tagged, cache);
  if (differing.length === 0) return [];
  return [preflightError(place, otherContentFact(release.tag, treeUrl(api, release.tag), differing), otherContentHint)];
}

/** The Hub refuses a commit whose model card has invalid metadata: so it is asked first. */
async function cardProblems(api: HubApi, release: TargetRelease): Promise<readonly Problem[]> {
  const card = release.files.find(({ name }) => name === 'README.md');
  if (card === undefined || card.sizeBytes > maxCardBytes) return [];
  const { errors, warnings } = await api.cardProblems((await readContentWhole(card)).toString());
  return [
    ...errors.map((message) =>
      preflightError('README.md', `the Hub refuses the model card: ${message}`, 'Correct its metadata.'),
    ),
    ...warnings.map((message): Problem => ({ level: 'warning', file: 'README.md', message })),
  ];
}
