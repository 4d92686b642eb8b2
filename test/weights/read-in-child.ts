import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { readWeights } from '../../src/weights/read-weights.ts';

/** Reads the weights file of the first argument, and prints its tensors and the peak of memory. */
const absolutePath = process.argv[2] ?? '';
const file = { path: basename(absolutePath), absolutePath, sizeBytes: (await stat(absolutePath)).size };
const read = await readWeights(file, new Map([[file.path, file]]));
console.log(JSON.stringify({ tensors: read?.tensors, peakBytes: process.resourceUsage().maxRSS * 1024 }));
