// The steps of action.yml. Needs nothing but Node 20.19 or newer, as the client itself.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const { LOCK = 'models.lock', CACHE_DIR, GITHUB_OUTPUT, GITHUB_ENV } = process.env;
/** Runners share their addresses, which the Hub may have counted already: GitHub's own first. */
const hosts = ['github', 'mirror', 'huggingface'];
const rounds = 3;
const longestWaitMs = 60_000;
const mostClientBytes = 8 * 1024 * 1024;

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const output = (name, value) => GITHUB_OUTPUT && appendFileSync(GITHUB_OUTPUT, `${name}=${value}\n`);

function readLock() {
  if (!existsSync(LOCK)) throw new Error(`${LOCK} is not there. Write it with: aircher model lock NAME`);
  const bytes = readFileSync(LOCK);
  return { bytes, content: JSON.parse(bytes) };
}

/** Where the client looks for models of this namespace, unless told otherwise. */
function defaultCacheDir(namespace) {
  const { AIRCHER_CACHE_DIR, XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  if (AIRCHER_CACHE_DIR) return AIRCHER_CACHE_DIR;
  if (!/^[a-z0-9][a-z0-9._-]*$/.test(namespace)) throw new Error(`${LOCK} has no good namespace`);
  return join(XDG_CACHE_HOME || LOCALAPPDATA || join(homedir(), '.cache'), namespace);
}

function look() {
  const { bytes, content } = readLock();
  output('cache-dir', resolve(CACHE_DIR || defaultCacheDir(content.namespace)));
  output('key', `aircher-models-${process.platform}-${sha256(bytes)}`);
}

/** The client, whose digest is the lock's: as it was kept, else from one host after the other. */
async function bringClient(client, path) {
  if (client === undefined) {
    throw new Error(`${LOCK} names no client. Write it anew where a host has the release's checksums: lock --update`);
  }
  if (existsSync(path) && sha256(readFileSync(path)) === client.sha256) return;
  const urls = hosts.flatMap((host) => client.download_urls[host] ?? []);
  const faults = [];
  for (let round = 0; round < rounds; round++) {
    let waitMs = 2000 * 2 ** round;
    for (const url of urls) {
      try {
        const answer = await fetch(url, { signal: AbortSignal.timeout(60_000) });
        const asked = Number(answer.headers.get('retry-after')) * 1000;
        if (asked > 0) waitMs = Math.min(Math.max(waitMs, asked), longestWaitMs);
        if (!answer.ok) throw new Error(`status ${answer.status}`);
        if (Number(answer.headers.get('content-length')) > mostClientBytes) throw new Error('too large');
        const bytes = Buffer.from(await answer.arrayBuffer());
        if (sha256(bytes) !== client.sha256) throw new Error('another sha256 than the lock says');
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(`${path}.new`, bytes);
        renameSync(`${path}.new`, path);
        return;
      } catch (error) {
        faults.push(`${url}: ${error.cause?.message ?? error.message}`);
      }
    }
    if (round < rounds - 1) await delay(waitMs);
  }
  throw new Error(`aircher.mjs of ${client.release} can't be had:\n${[...new Set(faults)].join('\n')}`);
}

async function install() {
  const { content } = readLock();
  const path = join(CACHE_DIR, 'aircher.mjs');
  await bringClient(content.client, path);
  const preferences = join(CACHE_DIR, 'config/model-preferences.json');
  if (!existsSync(preferences)) {
    mkdirSync(dirname(preferences), { recursive: true });
    writeFileSync(preferences, `${JSON.stringify({ mirrors: hosts }, null, 2)}\n`);
  }
  const args = ['model', 'install', '--frozen', '--lock', LOCK, '--json', '--cache-dir', CACHE_DIR];
  const run = spawnSync(process.execPath, [path, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  if (run.status !== 0) {
    process.exitCode = run.status ?? 1;
    return;
  }
  output('models', JSON.stringify(JSON.parse(run.stdout).models));
  output('client', path);
  if (GITHUB_ENV) appendFileSync(GITHUB_ENV, `AIRCHER_CACHE_DIR=${CACHE_DIR}\n`);
}

try {
  await { look, install }[process.argv[2]]();
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}
