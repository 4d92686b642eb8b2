import { readFile } from 'node:fs/promises';
import { createGithubTarget } from '../../src/targets/github/github-target.ts';
import { createHuggingfaceTarget } from '../../src/targets/huggingface/huggingface-target.ts';
import type { Target, TargetRelease } from '../../src/targets/target.ts';
import { pushToken, quick, repository, writeToken } from './scene.ts';

/** Publishes a release (JSON file) to both stand-ins: what the kill test starts and kills. */
const [releasePath = '', apiUrl = '', serverUrl = '', endpoint = ''] = process.argv.slice(2);
const release = JSON.parse(await readFile(releasePath, 'utf8')) as TargetRelease;
const shared = { repository, tagPrefix: 'models-v', tuning: quick };
const targets: readonly Target[] = [
  createGithubTarget({ ...shared, token: pushToken, apiUrl, serverUrl }),
  createHuggingfaceTarget({ ...shared, token: writeToken, endpoint }),
];
for (const target of targets) await target.upload(release, {});
for (const target of targets) await target.makePublic(release, {});
for (const target of targets) await target.movePointers(release, {});
