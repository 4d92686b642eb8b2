import { sha256 } from '../../core/hashing.ts';
import { gitBlobIdOf } from '../../targets/file-content.ts';
import type { Target, TargetInspection } from '../../targets/target.ts';
import type { Workspace } from '../workspace.ts';
import { type ExpectedFile, judge, type VerifyState } from './expected-files.ts';
import { reaching } from './look-at-target.ts';

export interface Judgement {
  readonly state: VerifyState;
  readonly detail?: string;
}

/**
 * What the host's report says of an expected file of a tag. git's blob id is a digest of the
 * content too, but not the manifest's: the bytes behind it are read (the Hub keeps only small files
 * so) and must have both.
 */
export async function judgeFile(
  target: Target,
  tag: string,
  expected: ExpectedFile,
  inspection: TargetInspection,
  workspace: Workspace,
): Promise<Judgement> {
  const state = judge(expected, inspection);
  const digest = inspection.files.find(({ name }) => name === expected.name)?.digest;
  if (state !== 'no digest' || digest?.algorithm !== 'git-blob') return { state };
  const read = await reaching(target, async () => ({
    bytes: await target.readDocument(tag, expected.name, workspace),
  }));
  if ('failure' in read) return { state: 'unreachable', detail: read.failure.message };
  const isRight =
    read.bytes !== undefined && sha256(read.bytes) === expected.sha256 && gitBlobIdOf(read.bytes) === digest.hex;
  return { state: isRight ? 'ok' : 'different' };
}
