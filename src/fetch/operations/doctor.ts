import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { hostKinds } from '../../contract/fields.ts';
import type { ManifestModel } from '../../contract/manifest.ts';
import { type AircherError, toAircherError } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import { formatBytes, plural } from '../../core/format.ts';
import { exists, isWritable } from '../../core/read-files.ts';
import { toolVersion } from '../../core/tool-version.ts';
import type { Http } from '../../http/http-client.ts';
import { leave } from '../../http/read-body.ts';
import { showSource } from '../../http/remote-error.ts';
import type { DoctorReport, Finding, Setting } from '../api.ts';
import { readAllInstalled } from '../cache/installed.ts';
import { otherCache } from '../cache/locate.ts';
import { readPreferencesFile } from '../cache/preferences.ts';
import type { Client } from '../client.ts';
import { readAccepted } from '../manifests/accepted-manifest.ts';
import { askSources } from '../manifests/ask-sources.ts';
import { hasExpired } from '../manifests/check-expiry.ts';
import { releaseName } from '../manifests/compare-releases.ts';
import { newTrust, readRootKeys } from '../manifests/trust.ts';
import { placeEntry } from '../sources/copies.ts';

/**
 * Looks at everything that an install needs, and changes nothing. Never throws for what it finds.
 */
export async function diagnose(client: Client, context: RunContext = {}): Promise<DoctorReport> {
  const hosts = new Set<string>();
  const findings = [
    finding(
      'client',
      'ok',
      `aircher ${toolVersion}, Node ${process.versions.node}, ${process.platform} ${process.arch}`,
    ),
    ...(await attempt('cache', context, () => diagnoseCache(client))),
    ...(await attempt('preferences', context, async () => {
      await client.preferences();
      return (await exists(client.layout.preferences)) ? client.layout.preferences : 'none';
    })),
    ...(await attempt('public keys', context, async () => {
      const keys = await readRootKeys(client.publicKeys);
      return keys.join(', ') || 'none: manifests are taken as their hosts give them';
    })),
    await diagnoseRelease(client),
    ...(await attempt('network', context, () => diagnoseNetwork(client, hosts, context))),
  ];
  return { findings, hosts: [...hosts].sort(), settings: await allSettings(client) };
}

/** Where no flag has a setting, that of the preferences counts. */
async function allSettings({ layout, settings }: Client): Promise<readonly Setting[]> {
  const inFile = await readPreferencesFile(layout).catch(() => ({}));
  const kept = Object.entries({ connections: 16, keep_versions: 1, ...inFile }).map(([setting, value]) => ({
    setting,
    value: typeof value === 'string' ? value : JSON.stringify(value),
    set_by: Object.hasOwn(inFile, setting) ? layout.preferences : 'default',
  }));
  const flags = settings.filter((one) => one.value !== undefined || !kept.some((two) => two.setting === one.setting));
  return [...flags, ...kept.filter(({ setting }) => !flags.some((flag) => flag.setting === setting))];
}

function finding(what: string, status: Finding['status'], detail: string, hint?: string): Finding {
  return { what, status, detail, hint };
}

/** What a look finds (a text is what works), or that it failed. */
async function attempt(
  what: string,
  { signal }: RunContext,
  look: () => Promise<readonly Finding[] | string>,
): Promise<readonly Finding[]> {
  try {
    const found = await look();
    return typeof found === 'string' ? [finding(what, 'ok', found)] : found;
  } catch (error) {
    signal?.throwIfAborted();
    return [failure(what, toAircherError(error))];
  }
}

function failure(what: string, { message, problems, hint }: AircherError): Finding {
  const more = problems.map((problem) => problem.message).filter((text) => !message.includes(text));
  return finding(what, 'failed', [message, ...more].join('; '), hint);
}

async function diagnoseCache({ layout }: Client): Promise<Finding[]> {
  let place = layout.root;
  while (!(await exists(place)) && dirname(place) !== place) place = dirname(place);
  const writable = await isWritable(place);
  const space = await statfs(place).catch(() => undefined);
  const free = space === undefined ? Number.NaN : space.bavail * space.bsize;
  const models = await readAllInstalled(layout);
  const versions = models.flatMap((model) => model.versions).length;
  const { system } = layout;
  const shared = models.flatMap((model) => model.versions).filter(({ cache }) => cache === system).length;
  return [
    writable
      ? finding('cache', 'ok', layout.root)
      : finding(
          'cache',
          'warning',
          `${layout.root} can’t be written to: what is installed works, nothing new can be`,
          otherCache,
        ),
    ...(system === undefined
      ? []
      : [
          shared > 0
            ? finding('system cache', 'ok', `${system.root}, ${plural(shared, 'version')} of it used`)
            : finding('system cache', 'warning', `${system.root} has no model that this client could use`),
        ]),
    finding('space', free < 1e9 ? 'warning' : 'ok', Number.isNaN(free) ? 'unknown' : `${formatBytes(free)} free`),
    finding('models', 'ok', `${plural(models.length, 'model')}, ${plural(versions, 'version')} installed`),
  ];
}

async function diagnoseRelease(client: Client): Promise<Finding> {
  const accepted = await readAccepted(client.layout);
  if (accepted === undefined) return finding('newest release', 'ok', 'none was accepted yet');
  const { manifest, accepted_at: acceptedAt, url } = accepted;
  const expired = hasExpired(manifest);
  const expiry = manifest.expires_at ? `, ${expired ? 'EXPIRED' : 'expires'} ${manifest.expires_at}` : '';
  const detail = `${releaseName(manifest)} from ${url}, accepted ${acceptedAt}${expiry}`;
  return finding('newest release', expired ? 'warning' : 'ok', detail);
}

async function diagnoseNetwork(client: Client, hosts: Set<string>, context: RunContext): Promise<readonly Finding[]> {
  if (client.offline) return [finding('network', 'warning', 'not tried: the client is offline')];
  if (client.sources.length === 0) {
    const hint = 'Name one by --manifest or AIRCHER_MANIFEST_URL.';
    return [finding('sources', 'failed', 'no manifest source is known', hint)];
  }
  const http = await client.http();
  /** Asks for one byte, and tells by which hosts, proxy and token it came. */
  const probe = (http: Http, what: string, url: string, found?: string): Promise<readonly Finding[]> =>
    attempt(what, context, async () => {
      const startedAt = performance.now();
      const { status, body, hops } = await http.request(url, {
        headers: { range: 'bytes=0-0' },
        ...context,
      });
      leave(body);
      const via = hops.map((hop) => new URL(hop).host);
      for (const host of via) hosts.add(host);
      const proxy = http.proxyFor(url);
      const token = http.tokenFor(url);
      const detail = [
        found,
        via.join(' → '),
        `status ${status}`,
        `${Math.round(performance.now() - startedAt)} ms`,
        proxy && `through ${proxy}`,
        token && `with ${token}`,
        status === 200 && 'no ranges: updates fetch whole archives there',
      ].filter(Boolean);
      return [finding(what, status === 206 || status === 200 ? 'ok' : 'failed', detail.join(', '))];
    });
  const answers = await askSources(client, newTrust(await readRootKeys(client.publicKeys)), context);
  const findings: Finding[] = [];
  for (const answer of answers) {
    const what = `source ${answer.source}`;
    if (answer.kind === 'bad') findings.push(failure(what, answer.error));
    else if (!/^https?:/.test(answer.url)) findings.push(finding(what, 'ok', releaseName(answer.manifest)));
    else findings.push(...(await probe(http, what, answer.url, releaseName(answer.manifest))));
  }
  const good = answers.find((answer) => answer.kind === 'good');
  let entry: ManifestModel | undefined;
  for (const [name, model] of Object.entries(good?.manifest.models ?? {})) {
    // A copy may have others.
    entry = await placeEntry(client, { name, version: model.version, entry: model }, context).catch(() => undefined);
    if (entry !== undefined) break;
  }
  for (const copy of client.copies.values()) {
    if (copy === undefined) continue;
    const held = Object.entries(copy.models).map(([name, versions]) => `${name} (${versions.join(', ')})`);
    findings.push(finding('copy', 'ok', `${showSource(copy.root)} has ${held.join(', ') || 'no model'}`));
  }
  for (const kind of hostKinds) {
    const url = entry?.download_urls[kind];
    if (good && url !== undefined) {
      findings.push(...(await probe(http.namedBy(good, context), `mirror ${kind}`, http.place(url, kind))));
    }
  }
  return findings;
}
