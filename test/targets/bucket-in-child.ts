import { readFile } from 'node:fs/promises';
import { createHttp } from '../../src/http/create-http.ts';
import { bucketStorage } from '../../src/targets/mirror/bucket/bucket-storage.ts';
import { createMirrorTarget } from '../../src/targets/mirror/mirror-target.ts';
import type { TargetRelease } from '../../src/targets/target.ts';
import { bucket, keys, prefix } from './bucket-scene.ts';
import { publish, quick } from './scene.ts';

/** Publishes a release (JSON file) to a bucket: what the kill test starts and kills. */
const [releasePath = '', endpoint = ''] = process.argv.slice(2);
const release = JSON.parse(await readFile(releasePath, 'utf8')) as TargetRelease;
const tuning = { http: createHttp({ allowInsecure: true }), ...quick, deadlines: {} };
const storage = bucketStorage({ bucket, prefix, endpoint }, tuning, keys);
await publish(createMirrorTarget({ storage, tagPrefix: 'models-v', tuning }), { ...release, isOurs: async () => true });
