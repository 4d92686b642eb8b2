import { parseArgs } from 'node:util';
import { startStaticMirror } from '../../src/rehearsal/static-mirror.ts';

/**
 * `node serve.ts DIR [--rate N] [--total-rate N] [--latency MS]`: a static server of its own
 * process; prints its URL.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rate: { type: 'string' }, 'total-rate': { type: 'string' }, latency: { type: 'string' } },
});
const mirror = await startStaticMirror({
  directory: positionals[0] ?? '.',
  limits: {
    ...(values.rate ? { bytesPerSecond: Number(values.rate) } : {}),
    ...(values['total-rate'] ? { sharedBytesPerSecond: Number(values['total-rate']) } : {}),
    ...(values.latency ? { latencyMs: Number(values.latency) } : {}),
  },
});
console.log(mirror.url);
