import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Wanted, wantedFiles } from '../../contract/wanted-weights.ts';
import { hasSystemCode } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import { removeTree } from '../../core/write-files.ts';
import type { UpdatePlan } from '../api.ts';
import type { Client } from '../client.ts';
import { planFiles } from '../install/plan-files.ts';
import { planningStaging } from '../install/staging.ts';
import type { ResolvedModel } from '../manifests/resolve-model.ts';
import { changedTensors } from './changed-tensors.ts';

/**
 * What installing what is wanted of a version would take. The chunk index that this fetches stays
 * for the install; a cache that can't be written to has it in a temporary directory. Changed
 * tensors may take a safetensors header more.
 */
export async function planUpdate(
  client: Client,
  resolved: ResolvedModel,
  wanted: Wanted,
  { nameChangedTensors, ...context }: RunContext & { readonly nameChangedTensors?: boolean | undefined },
): Promise<UpdatePlan> {
  const plan = async (staging: string): Promise<UpdatePlan> => {
    const planned = await planFiles(client, resolved, {
      ...context,
      staging,
      files: wantedFiles(resolved.entry, wanted),
    });
    const named = nameChangedTensors && planned.index !== undefined;
    const http = named ? (await client.http()).namedBy(resolved.from, context) : undefined;
    return { ...planned.summary, changed_tensors: http && (await changedTensors(planned, http, context)) };
  };
  try {
    return await plan(await planningStaging(client.layout, resolved));
  } catch (error) {
    if (!hasSystemCode(error, 'EACCES', 'EPERM', 'EROFS')) throw error;
    const elsewhere = await mkdtemp(join(tmpdir(), 'aircher-plan-'));
    return await plan(elsewhere).finally(() => removeTree(elsewhere));
  }
}
