import type { HostKind } from '../contract/fields.ts';
import { defaultGithubServerUrl, githubApiOf } from '../contract/github-installation.ts';
import { usageError } from '../core/errors.ts';
import type { HttpOptions } from './http-client.ts';

const publicHub = 'https://huggingface.co';

/** The hosts of this run: where each kind of URL really goes. All without a final slash. */
export interface Hosts {
  readonly huggingFaceEndpoint: string;
  readonly githubServerUrl: string;
  readonly githubApiUrl: string;
  /** Those that the user named. */
  readonly configured: readonly string[];
  /** See `Http.place`. */
  place(text: string, kind?: HostKind): string;
}

/** Throws `usage` for an address that is no URL. */
export function createHosts(options: HttpOptions): Hosts {
  const hub = base(options.huggingFaceEndpoint, 'HF_ENDPOINT');
  const github = base(options.githubServerUrl, 'GITHUB_SERVER_URL');
  const api = base(options.githubApiUrl, 'GITHUB_API_URL');
  return {
    huggingFaceEndpoint: hub ?? publicHub,
    githubServerUrl: github ?? defaultGithubServerUrl,
    githubApiUrl: api ?? githubApiOf(github ?? defaultGithubServerUrl),
    configured: [hub, github, api].filter((address) => address !== undefined),
    place(text, kind) {
      if (!URL.canParse(text)) return text;
      const { origin, pathname, search } = new URL(text);
      const isOf = (host: HostKind, known: string): boolean => (kind ? kind === host : origin === known);
      const target = isOf('huggingface', publicHub) ? hub : isOf('github', defaultGithubServerUrl) ? github : undefined;
      return target === undefined || text.startsWith(`${target}/`) ? text : target + pathname + search;
    },
  };
}

function base(text = '', name: string): string | undefined {
  const trimmed = text.trim().replace(/\/+$/, '');
  if (trimmed === '') return undefined;
  if (URL.canParse(trimmed) && /^https?:/i.test(trimmed)) return trimmed;
  throw usageError(`${name}: ${JSON.stringify(text)} is not a URL`, 'It looks like https://models.example.org.');
}
