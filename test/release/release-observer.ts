import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { DownloadUrls, HostKind } from '../../src/contract/fields.ts';
import { type Manifest, parseManifest } from '../../src/contract/manifest.ts';
import { sha256 } from '../../src/core/hashing.ts';
import { ModelManager } from '../../src/fetch/model-manager.ts';
import { fetchFromSource } from '../../src/fetch/sources/fetch-from-source.ts';
import { createHttp } from '../../src/http/create-http.ts';
import type { Http } from '../../src/http/http-client.ts';
import { manifestSources } from '../../src/release/addresses.ts';
import { loadConfig } from '../../src/release/load-config.ts';
import type { PublishScene } from './publish-scene.ts';

export interface Observation {
  /** How often a source was asked. */
  readonly polls: number;
  /** Releases as they were seen: at which source, in which order. */
  readonly seen: readonly string[];
  /** Models that were installed, whole, at the first sight of a release. */
  readonly installs: number;
  /** What a client could have stumbled over; must be empty. */
  readonly violations: readonly string[];
}

/**
 * Somebody who keeps asking the default sources, each by itself, while releases are made. At the
 * first sight of a release at a source every address in its manifest must answer with the right
 * size, and every model must install.
 */
export async function observeReleases(
  scene: PublishScene,
  t: TestContext | undefined,
  everyMs = 15,
): Promise<() => Promise<Observation>> {
  const { config } = await loadConfig((await scene.inside()).workspace);
  const sources = manifestSources(config);
  const hosts = { githubServerUrl: scene.github.url, huggingFaceEndpoint: scene.hub.url };
  const http = createHttp(hosts);
  const seen: string[] = [];
  const violations: string[] = [];
  const known = new Set<string>();
  let polls = 0;
  let installs = 0;
  let ended = false;

  const look = async (source: string): Promise<void> => {
    let manifest: Manifest;
    let id: string;
    try {
      const found = await fetchFromSource(source, { http, timeoutMs: 10_000 });
      if (found.notModified) return;
      id = `${sha256(found.bytes).slice(0, 8)} at ${source}`;
      if (known.has(id)) return;
      manifest = parseManifest(found.bytes, source);
    } catch (error) {
      // Before the first release there is nothing; afterwards a source must answer.
      if (seen.some((entry) => entry.endsWith(source)) && !ended) violations.push(`${source}: ${String(error)}`);
      return;
    }
    known.add(id);
    seen.push(`${manifest.release} at ${source}`);
    violations.push(...(await brokenAddresses(manifest, http, source)));
    const cacheDir = await mkdtemp(join(tmpdir(), 'aircher-observer-'));
    const manager = new ModelManager({ cacheDir, manifestSources: [source], http: hosts });
    try {
      for (const name of Object.keys(manifest.models)) {
        const { version } = await manager.install(name);
        installs++;
        if (version !== manifest.models[name]?.version) violations.push(`${source}: ${name} ${version} was installed`);
      }
    } catch (error) {
      violations.push(`${source}: ${manifest.release} does not install: ${String(error)}`);
    } finally {
      manager.close();
      await rm(cacheDir, { recursive: true, force: true });
    }
  };

  const watching = Promise.all(
    sources.map(async (source) => {
      while (!ended) {
        await look(source);
        polls++;
        await delay(everyMs);
      }
      await look(source);
    }),
  );
  const stop = async (): Promise<Observation> => {
    ended = true;
    await watching;
    http.close();
    return { polls, seen, installs, violations };
  };
  t?.after(stop);
  return stop;
}

/** Every address that a manifest names must answer, with the size that it says. */
export async function brokenAddresses(manifest: Manifest, http: Http, source: string): Promise<readonly string[]> {
  const places: { readonly url: string; readonly kind: HostKind; readonly size: number }[] = [];
  const add = (urls: DownloadUrls | undefined, size: number): void => {
    for (const [kind, url] of Object.entries(urls ?? {})) {
      if (typeof url === 'string') places.push({ url, kind: kind as HostKind, size });
    }
  };
  for (const model of Object.values(manifest.models)) {
    add(model.download_urls, model.size_bytes);
    add(model.index?.download_urls, model.index?.size_bytes ?? 0);
    for (const file of model.files ?? []) add(file.download_urls, file.size_bytes);
    for (const old of model.published_versions ?? []) add(old.manifest?.download_urls, old.manifest?.size_bytes ?? 0);
  }
  const broken: string[] = [];
  await Promise.all(
    places.map(async ({ url, kind, size }) => {
      const answer = await http.request(http.place(url, kind), { method: 'HEAD' });
      answer.body.destroy();
      const length = Number(answer.headers['content-length']);
      if (answer.status !== 200 || length !== size) {
        broken.push(`${manifest.release} at ${source} names ${url}: ${answer.status}, ${length} of ${size} bytes`);
      }
    }),
  );
  return broken;
}
