import type { HostKind } from '../contract/fields.ts';
import { usageError } from '../core/errors.ts';
import type { HttpOptions } from './http-client.ts';

const publicHub = 'https://huggingface.co';
const publicGitHub = 'https://github.com';

/** The hosts of this run: where each kind of URL really goes. All without a final slash. */
export function createHosts(options: HttpOptions) {
  const hub = base(options.huggingFaceEndpoint, 'HF_ENDPOINT');
  const github = base(options.githubServerUrl, 'GITHUB_SERVER_URL');
  const api = base(options.githubApiUrl, 'GITHUB_API_URL');
  return {
    huggingFaceEndpoint: hub ?? publicHub,
    githubServerUrl: github ?? publicGitHub,
    githubApiUrl: api ?? (github && github !== publicGitHub ? `${github}/api/v3` : 'https://api.github.com'),
    /** See `Http.place`. */
    place(text: string, kind?: HostKind): string {
      if (!URL.canParse(text)) return text;
      const { origin, pathname, search } = new URL(text);
      const isOf = (host: HostKind, known: string): boolean => (kind ? kind === host : origin === known);
      const target = isOf('huggingface', publicHub) ? hub : isOf('github', publicGitHub) ? github : undefined;
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
