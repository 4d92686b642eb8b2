import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A host that somebody else can write to, as its stand-in is reached. */
export type WritableHost =
  | { readonly kind: 'github'; readonly apiUrl: string; readonly token: string; readonly repository: string }
  | { readonly kind: 'huggingface'; readonly url: string; readonly token: string; readonly repository: string }
  | { readonly kind: 'mirror'; readonly directory: string };

type Files = Readonly<Record<string, string | Uint8Array>>;

/**
 * Puts a public release there that the maintainer did not make, by the host's own protocol, as
 * somebody does who has got hold of a token. Only the tag is made: the Hub's `main`, and the
 * pointer at a mirror's root, stay as they are.
 */
export async function putForeignRelease(host: WritableHost, tag: string, files: Files): Promise<void> {
  if (host.kind === 'mirror') return await writeTo(join(host.directory, tag), files);
  return host.kind === 'github' ? await releaseOnGithub(host, tag, files) : await tagOnHub(host, tag, files);
}

async function writeTo(directory: string, files: Files): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const [name, content] of Object.entries(files)) await writeFile(join(directory, name), content);
}

async function releaseOnGithub(
  { apiUrl, token, repository }: Extract<WritableHost, { kind: 'github' }>,
  tag: string,
  files: Files,
): Promise<void> {
  const headers = { authorization: `Bearer ${token}` };
  const created = await request(`${apiUrl}/repos/${repository}/releases`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({ tag_name: tag, draft: false }),
  });
  const { upload_url: upload } = (await created.json()) as { upload_url: string };
  for (const [name, content] of Object.entries(files)) {
    await request(`${upload.replace(/\{.*$/, '')}?name=${encodeURIComponent(name)}`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/octet-stream' },
      body: content,
    });
  }
}

async function tagOnHub(
  { url, token, repository }: Extract<WritableHost, { kind: 'huggingface' }>,
  tag: string,
  files: Files,
): Promise<void> {
  const api = `${url}/api/models/${repository}`;
  const post = (path: string, type: string, body: string) =>
    request(`${api}/${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': type },
      body,
    });
  const branch = `foreign-${tag}`;
  await post(`branch/${branch}`, 'application/json', '{}');
  const lines = [
    { key: 'header', value: { summary: 'Foreign' } },
    ...Object.entries(files).map(([path, content]) => ({
      key: 'file',
      value: { path, encoding: 'base64', content: Buffer.from(content).toString('base64') },
    })),
  ];
  await post(`commit/${branch}`, 'application/x-ndjson', lines.map((line) => JSON.stringify(line)).join('\n'));
  await post(`tag/${branch}`, 'application/json', JSON.stringify({ tag }));
}

async function request(url: string, init: RequestInit): Promise<Response> {
  const response = await fetch(url, init);
  if (!response.ok) throw new Error(`${init.method} ${url}: ${response.status} ${await response.text()}`);
  return response;
}
