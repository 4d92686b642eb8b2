import type { HostKind } from '../../contract/fields.ts';
import { usageError } from '../../core/errors.ts';
import type { HttpOptions } from './types.ts';

const publicHub = 'https://huggingface.co';
const publicGitHub = 'https://github.com';

/** The hosts of this run: where each kind of URL really goes. All without a final slash. */
export interface Hosts {
  readonly huggingFaceEndpoint: string;
  readonly githubServerUrl: string;
  readonly githubApiUrl: string;
  place(url: string, kind?: HostKind): string;
}

export function createHosts(options: HttpOptions): Hosts {
  const hub = base(options.huggingFaceEndpoint, 'HF_ENDPOINT');
  const github = base(options.githubServerUrl, 'GITHUB_SERVER_URL');
  const githubServerUrl = github ?? publicGitHub;
  return {
    huggingFaceEndpoint: hub ?? publicHub,
    githubServerUrl,
    githubApiUrl:
      base(options.githubApiUrl, 'GITHUB_API_URL') ??
      (githubServerUrl === publicGitHub ? 'https://api.github.com' : `${githubServerUrl}/api/v3`),
    place(text, kind) {
      if (!URL.canParse(text)) return text;
      const url = new URL(text);
      const known = kind ?? wellKnown(url.origin);
      const target = known === 'huggingface' ? hub : known === 'github' ? github : undefined;
      if (target === undefined || text.startsWith(`${target}/`)) return text;
      return `${target}${url.pathname}${url.search}`;
    },
  };
}

function wellKnown(origin: string): HostKind | undefined {
  if (origin === publicHub) return 'huggingface';
  return origin === publicGitHub ? 'github' : undefined;
}

function base(text: string | undefined, name: string): string | undefined {
  if (text === undefined || text.trim() === '') return undefined;
  const trimmed = text.trim().replace(/\/+$/, '');
  if (URL.canParse(trimmed) && /^https?:$/.test(new URL(trimmed).protocol)) return trimmed;
  throw usageError(
    `${name}: ${JSON.stringify(text)} is not a URL`,
    `Set it to something like https://models.example.org, or unset it.`,
  );
}
