import { mkdtemp, statfs, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { hostKinds } from '../../contract/fields.ts';
import { toAircherError } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import { exists, isWritable, removeTree } from '../../core/files.ts';
import { formatBytes, plural } from '../../core/format.ts';
import { toolVersion } from '../../core/tool-version.ts';
import { readAllInstalled } from '../cache/installed.ts';
import type { Client } from '../client.ts';
import { leave } from '../http/read-body.ts';
import type { Http } from '../http/types.ts';
import { readAccepted } from '../manifests/accepted-manifest.ts';
import { askSources } from '../manifests/ask-sources.ts';
import { hasExpired } from '../manifests/check-expiry.ts';
import { readRootKeys, trustedKeys } from '../manifests/check-signature.ts';
import { releaseName } from '../manifests/compare-releases.ts';

/** One thing that works, or doesn't. */
export interface Finding {
  readonly what: string;
  readonly status: 'ok' | 'warning' | 'failed';
  readonly detail: string;
  readonly hint?: string | undefined;
}

export interface DoctorReport {
  readonly findings: readonly Finding[];
  /** Every host that was asked, those behind redirects included: what a firewall must let through. */
  readonly hosts: readonly string[];
}

/** Looks at everything that an install needs, and changes nothing. Never throws for what it finds. */
export async function diagnose(client: Client, context: RunContext = {}): Promise<DoctorReport> {
  const findings: Finding[] = [
    {
      what: 'client',
      status: 'ok',
      detail: `aircher ${toolVersion}, Node ${process.versions.node}, ${process.platform} ${process.arch}`,
    },
    ...(await diagnoseCache(client)),
    ...(await diagnoseTrust(client)),
  ];
  const hosts = new Set<string>();
  if (client.offline) findings.push({ what: 'network', status: 'warning', detail: 'not tried: the client is offline' });
  else findings.push(...(await diagnoseNetwork(client, hosts, context)));
  return { findings, hosts: [...hosts].sort() };
}

async function diagnoseCache(client: Client): Promise<Finding[]> {
  const { layout } = client;
  const findings: Finding[] = [];
  const nearest = await nearestExisting(layout.root);
  const writable = await isWritable(nearest);
  findings.push({
    what: 'cache',
    status: writable ? 'ok' : 'warning',
    detail: `${layout.root}${writable ? '' : ' can’t be written to: what is installed works, nothing new can be'}`,
    hint: writable ? undefined : 'Set AIRCHER_CACHE_DIR (or --cache-dir) to a directory you can write to.',
  });
  const space = await statfs(nearest).catch(() => undefined);
  if (space !== undefined) {
    const free = space.bavail * space.bsize;
    findings.push({ what: 'space', status: free < 1e9 ? 'warning' : 'ok', detail: `${formatBytes(free)} free` });
  }
  findings.push(await diagnoseLinks(nearest, writable));
  try {
    await client.preferences();
    findings.push({
      what: 'preferences',
      status: 'ok',
      detail: (await exists(layout.preferences)) ? layout.preferences : 'none',
    });
  } catch (error) {
    findings.push(failure('preferences', error));
  }
  const models = await readAllInstalled(layout);
  const versions = models.reduce((sum, model) => sum + model.versions.length, 0);
  findings.push({
    what: 'models',
    status: 'ok',
    detail: `${plural(models.length, 'model')}, ${plural(versions, 'version')} installed`,
  });
  return findings;
}

async function nearestExisting(path: string): Promise<string> {
  let place = path;
  while (!(await exists(place)) && dirname(place) !== place) place = dirname(place);
  return place;
}

async function diagnoseLinks(directory: string, writable: boolean): Promise<Finding> {
  const place = await mkdtemp(join(writable ? directory : tmpdir(), '.tmp-doctor-')).catch(() => undefined);
  if (place === undefined) return { what: 'links', status: 'warning', detail: 'could not be tried' };
  try {
    await symlink('target', join(place, 'link'), 'junction');
    return { what: 'links', status: 'ok', detail: 'models/<name> can be a link' };
  } catch {
    return { what: 'links', status: 'warning', detail: 'none here: models/<name> will be a copy of the version' };
  } finally {
    await removeTree(place);
  }
}

async function diagnoseTrust(client: Client): Promise<Finding[]> {
  const findings: Finding[] = [];
  try {
    const keys = await readRootKeys(client.publicKeys);
    const detail = keys.length === 0 ? 'none: manifests are taken as their hosts give them' : keys.join(', ');
    findings.push({ what: 'public keys', status: 'ok', detail });
  } catch (error) {
    findings.push(failure('public keys', error));
  }
  const accepted = await readAccepted(client.layout);
  if (accepted === undefined)
    return [...findings, { what: 'newest release', status: 'ok', detail: 'none was accepted yet' }];
  const { manifest, acceptedAt, url } = accepted;
  const expired = hasExpired(manifest);
  const expiry = manifest.expires_at === undefined ? '' : `, ${expired ? 'EXPIRED' : 'expires'} ${manifest.expires_at}`;
  const detail = `${releaseName(manifest)} from ${url}, accepted ${acceptedAt}${expiry}`;
  return [...findings, { what: 'newest release', status: expired ? 'warning' : 'ok', detail }];
}

async function diagnoseNetwork(client: Client, hosts: Set<string>, context: RunContext): Promise<Finding[]> {
  if (client.sources.length === 0) {
    const hint = 'Name one by --manifest or AIRCHER_MANIFEST_URL.';
    return [{ what: 'sources', status: 'failed', detail: 'no manifest source is known', hint }];
  }
  try {
    const http = await client.http();
    const keys = trustedKeys(await readRootKeys(client.publicKeys), undefined);
    const answers = await askSources(client, undefined, keys, context);
    const findings: Finding[] = [];
    for (const answer of answers) {
      const what = `source ${answer.source}`;
      if (answer.kind === 'bad') findings.push(failure(what, answer.error));
      else {
        if (/^https?:/.test(answer.url))
          findings.push(await probe(http, what, answer.url, hosts, context, releaseName(answer.manifest)));
        else findings.push({ what, status: 'ok', detail: releaseName(answer.manifest) });
      }
    }
    const good = answers.find((answer) => answer.kind === 'good');
    const entry = Object.values(good?.manifest.models ?? {})[0];
    for (const kind of hostKinds) {
      const url = entry?.download_urls[kind];
      if (url !== undefined) findings.push(await probe(http, `mirror ${kind}`, http.place(url, kind), hosts, context));
    }
    return findings;
  } catch (error) {
    context.signal?.throwIfAborted();
    return [failure('network', error)];
  }
}

/** Asks for one byte, and tells by which hosts, proxy and token it came. */
async function probe(
  http: Http,
  what: string,
  url: string,
  hosts: Set<string>,
  context: RunContext,
  found?: string,
): Promise<Finding> {
  const startedAt = performance.now();
  try {
    const response = await http.request(url, { headers: { range: 'bytes=0-0' }, signal: context.signal });
    leave(response.body);
    for (const hop of response.hops) hosts.add(new URL(hop).host);
    const via = response.hops.map((hop) => new URL(hop).host);
    const proxy = http.proxyFor(url);
    const token = http.tokenFor(url);
    const detail = [
      found,
      via.join(' → '),
      `status ${response.status}`,
      `${Math.round(performance.now() - startedAt)} ms`,
      proxy === undefined ? undefined : `through ${proxy}`,
      token === undefined ? undefined : `with the ${token} token`,
      response.status === 200 ? 'no ranges: updates fetch whole archives there' : undefined,
    ].filter((part) => part !== undefined);
    const works = response.status === 206 || response.status === 200;
    return { what, status: works ? 'ok' : 'failed', detail: detail.join(', ') };
  } catch (error) {
    context.signal?.throwIfAborted();
    return failure(what, error);
  }
}

function failure(what: string, thrown: unknown): Finding {
  const error = toAircherError(thrown);
  const problems = error.problems
    .map((problem) => problem.message)
    .filter((message) => !error.message.includes(message));
  return { what, status: 'failed', detail: [error.message, ...problems].join('; '), hint: error.hint };
}
