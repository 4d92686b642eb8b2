import { nearest } from '../../contract/problems-of.ts';
import { AircherError } from '../../core/errors.ts';
import type { FaultRule } from '../../rehearsal/faults.ts';

/** Which stand-in has the fault: each has rules of its own. */
export type StandInName = 'github' | 'huggingface' | 'mirror';

/** A bad day by name. */
export interface NamedFault {
  readonly name: string;
  readonly standIn: StandInName | 'any';
  /** Whether it hits the release, or the end user's install after it. */
  readonly phase: 'release' | 'install';
  /** One line for people. */
  readonly meaning: string;
  readonly rules: readonly Omit<FaultRule, 'name'>[];
  /** What stands on the host before the release begins: a public tag, with this manifest.json. */
  readonly foreign?: { readonly version: string; readonly manifest: string };
}

/** A fault that was asked for; `times` in place of what its rules say. */
export interface ChosenFault extends NamedFault {
  readonly times: number | 'always' | undefined;
}

const releasesPath = /\/releases(\?|$)/;
const archives = /\.tar(\.gz|\.zst)?(\?|$)/;
const commitToMain = { method: 'POST', origin: 'hub', path: /\/commit\/main(\?|$)/ };
const commitToBranch = { method: 'POST', origin: 'hub', path: /\/commit\/publish-/ };
const archiveUpload = { method: 'POST', origin: 'uploads', path: /name=[^&]*\.tar/ };
const storagePut = { method: 'PUT', origin: 'cdn' };

const secondaryLimit: FaultRule['action'] = {
  kind: 'status',
  status: 403,
  headers: { 'retry-after': '1' },
  body: '{"message":"You have exceeded a secondary rate limit."}',
};

export const namedFaults: readonly NamedFault[] = [
  release('github', 'github-api-500', 'the API answers 500 to the request that makes the draft', {
    match: { method: 'POST', origin: 'api', path: releasesPath },
    action: { kind: 'status', status: 500 },
  }),
  release('github', 'github-draft-lost-response', 'the draft is made, and the answer is lost', {
    match: { method: 'POST', origin: 'api', path: releasesPath },
    action: { kind: 'lost-response' },
  }),
  release('github', 'github-upload-500', 'an upload is answered 502, and leaves a broken asset in its place', {
    match: archiveUpload,
    action: { kind: 'starter' },
  }),
  release('github', 'github-upload-lost-response', 'an upload arrives whole, and the answer is lost', {
    match: archiveUpload,
    action: { kind: 'lost-response' },
  }),
  release('github', 'github-upload-reset', 'the connection is cut in the middle of an upload', {
    match: archiveUpload,
    action: { kind: 'reset', of: 'request', atByte: 1000 },
  }),
  release('github', 'github-stall', 'an upload stops moving', {
    match: archiveUpload,
    action: { kind: 'stall', of: 'request', atByte: 1000 },
  }),
  release('github', 'github-rate-limit', 'an upload meets the secondary rate limit: 403, wait a second', {
    match: { method: 'POST', origin: 'uploads' },
    action: secondaryLimit,
  }),
  release(
    'github',
    'github-secondary-limit',
    'the question whether the token may write, and the first write, meet the secondary rate limit: 403, wait a second',
    { match: { method: 'POST', origin: 'api', path: /\/generate-notes$/ }, action: secondaryLimit },
    { match: { method: 'POST', origin: 'api', path: releasesPath }, action: secondaryLimit },
  ),
  release('github', 'github-lag', 'lists show what was made a moment ago only a second later', {
    match: { method: 'GET', origin: 'api', path: /\/(releases|assets)(\?|$)/ },
    times: 'always',
    action: { kind: 'lag', ms: 1000 },
  }),
  release('github', 'github-publish-lost-response', 'the release becomes public, and the answer is lost', {
    match: { method: 'PATCH', origin: 'api' },
    action: { kind: 'lost-response' },
  }),
  release('github', 'github-urls-late', 'public addresses answer 404 at first', {
    match: { origin: 'web', path: /\/releases\/download\// },
    times: 5,
    action: { kind: 'status', status: 404 },
  }),
  release('huggingface', 'hub-429', 'the API answers 429: wait a second', {
    match: { origin: 'hub', path: /^\/api\// },
    nth: 3,
    action: { kind: 'status', status: 429, headers: { ratelimit: '"api";r=0;t=1' } },
  }),
  release('huggingface', 'hub-renamed', 'the repository was renamed: requests under its old name are answered 307', {
    match: { origin: 'hub' },
    action: { kind: 'rename' },
  }),
  release('huggingface', 'lfs-verify-header', 'storage takes the credentials of its verify action, and no token', {
    match: { origin: 'hub', path: /\/objects\/verify$/ },
    times: 'always',
    action: { kind: 'lfs-header' },
  }),
  release('huggingface', 'hub-storage-500', 'storage answers 500 to an upload', {
    match: storagePut,
    action: { kind: 'status', status: 500 },
  }),
  release('huggingface', 'hub-storage-reset', 'the connection is cut in the middle of an upload to storage', {
    match: storagePut,
    action: { kind: 'reset', of: 'request', atByte: 1000 },
  }),
  release('huggingface', 'hub-storage-flip', 'a byte is damaged on its way to storage', {
    match: storagePut,
    action: { kind: 'flip', of: 'request', atByte: 1000 },
  }),
  release('huggingface', 'hub-stall', 'an upload to storage stops moving', {
    match: storagePut,
    action: { kind: 'stall', of: 'request', atByte: 1000 },
  }),
  release('huggingface', 'hub-commit-500', 'a commit is answered 500, and did not happen', {
    match: commitToBranch,
    action: { kind: 'status', status: 500 },
  }),
  release('huggingface', 'hub-commit-lost-response', 'a commit is answered 500, and happened', {
    match: commitToBranch,
    action: { kind: 'status', status: 500, after: true },
  }),
  release('huggingface', 'hub-commit-conflict', 'the commit to main is refused: somebody else committed first', {
    match: commitToMain,
    action: {
      kind: 'status',
      status: 412,
      body: '{"error":"A commit has happened since. Please refresh and try again."}',
    },
  }),
  release('huggingface', 'hub-tag-lost-response', 'the tag is made, and the answer is lost', {
    match: { method: 'POST', origin: 'hub', path: /\/tag\// },
    action: { kind: 'lost-response' },
  }),
  {
    name: 'foreign-release',
    standIn: 'any',
    phase: 'release',
    meaning: 'a host has a tag of a far higher version, which the maintainer did not make',
    rules: [],
    foreign: { version: '99.0.0', manifest: '{ "models": "none of yours" }' },
  },
  release('mirror', 'mirror-unreachable', 'the public address of the mirror cuts every connection', {
    match: { origin: 'mirror' },
    times: 'always',
    action: { kind: 'reset', of: 'request' },
  }),
  install('github', 'github-down', 'GitHub answers 503 to the user', {
    match: { origin: ['web', 'assets', 'api'] },
    action: { kind: 'status', status: 503 },
  }),
  install('github', 'github-no-ranges', "GitHub's asset host ignores ranges", {
    match: { origin: 'assets' },
    action: { kind: 'ignore-range' },
  }),
  install('github', 'github-expired-url', 'the first three signed addresses that GitHub hands out have expired', {
    match: { origin: 'web', path: archives },
    times: 3,
    action: { kind: 'expired-url' },
  }),
  install('github', 'github-login-page', 'a proxy answers in place of GitHub, with a page and status 200', {
    match: { origin: ['web', 'assets', 'api'] },
    action: { kind: 'html' },
  }),
  install('huggingface', 'hub-down', 'the Hub answers 503 to the user', {
    match: { origin: ['hub', 'cdn'] },
    action: { kind: 'status', status: 503 },
  }),
  install('huggingface', 'hub-user-429', 'the Hub answers 429 to the user: wait a minute', {
    match: { origin: 'hub' },
    action: { kind: 'status', status: 429, headers: { ratelimit: '"resolvers";r=0;t=60' } },
  }),
  install('huggingface', 'hub-download-stall', "downloads from the Hub's storage stop moving", {
    match: { origin: 'cdn', method: 'GET' },
    action: { kind: 'stall', atByte: 1000 },
  }),
  install('mirror', 'mirror-down', 'the mirror cuts every connection', {
    action: { kind: 'reset', of: 'request' },
  }),
  install('mirror', 'mirror-corrupt', 'the mirror sends archives with a wrong byte', {
    match: { path: archives },
    action: { kind: 'flip', atByte: 100 },
  }),
  install('mirror', 'mirror-truncate', 'archives from the mirror end early', {
    match: { path: archives },
    action: { kind: 'truncate', atByte: 1000 },
  }),
];

function release(standIn: StandInName, name: string, meaning: string, ...rules: NamedFault['rules']): NamedFault {
  return { name, standIn, phase: 'release', meaning, rules };
}

/** What hits an install lasts: another mirror has to help. */
function install(standIn: StandInName, name: string, meaning: string, rule: NamedFault['rules'][number]): NamedFault {
  return { name, standIn, phase: 'install', meaning, rules: [{ times: 'always', ...rule }] };
}

/** Reads `NAME`, `NAME=3` or `NAME=always`. Throws `usage`, naming the nearest fault. */
export function parseFault(text: string): ChosenFault {
  const [, name = text, times] = /^([^=]*)=(always|[1-9]\d{0,5})$/.exec(text) ?? [];
  const found = namedFaults.find((fault) => fault.name === name);
  if (found === undefined) {
    const near = nearest(
      name,
      namedFaults.map((fault) => fault.name),
    );
    throw new AircherError('usage', `--fault ${text}: there is no such fault`, {
      hint: `${near === undefined ? '' : `Did you mean ${near}? `}\`aircher-models rehearse --fault list\` shows all.`,
    });
  }
  return { ...found, times: times === undefined || times === 'always' ? times : Number(times) };
}

/** The rules of a chosen fault, named by it. */
export function rulesOf(fault: ChosenFault): readonly FaultRule[] {
  return fault.rules.map((rule) => ({
    ...rule,
    name: fault.name,
    ...(fault.times === undefined ? {} : { times: fault.times }),
  }));
}
