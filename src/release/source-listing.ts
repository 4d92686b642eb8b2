import { join, resolve } from 'node:path';
import type { SourceFile } from '../archive/pack.ts';
import { jsonPath } from '../contract/problems-of.ts';
import type { ModelConfig } from '../contract/release-config.ts';
import { AircherError, type Problem } from '../core/errors.ts';
import { exists } from '../core/files.ts';
import { listSourceFiles } from '../model/source-files.ts';
import { displayPath } from './load-config.ts';
import type { Workspace } from './workspace.ts';

export interface SourceListing {
  readonly files: readonly SourceFile[];
  readonly problems: readonly Problem[];
}

/** Where a model's source files are, or will be once they are staged. */
export function sourceDirectory(name: string, model: ModelConfig, workspace: Workspace): string {
  if ('directory' in model.source) return resolve(workspace.directory, model.source.directory);
  return join(workspace.out, '.sources', name, model.source.revision);
}

/** The model's source files with their sizes; nothing is read. A missing directory is a problem that says where it was looked for. */
export async function listModel(name: string, model: ModelConfig, workspace: Workspace): Promise<SourceListing> {
  const root = sourceDirectory(name, model, workspace);
  if (!(await exists(root))) {
    if (!('directory' in model.source)) {
      throw new AircherError('invalid', `${name} is not staged`, { hint: 'Run `aircher-models stage` first.' });
    }
    const problem: Problem = {
      level: 'error',
      file: workspace.configFile,
      path: jsonPath(['models', name, 'source', 'directory']),
      message: `the directory ${displayPath(workspace, root)} of ${name} is not there`,
      hint: 'It is looked for below the working directory. Create it, or correct the path.',
    };
    return { files: [], problems: [problem] };
  }
  return await listSourceFiles({
    model: name,
    root,
    ...(model.include === undefined ? {} : { include: model.include }),
    followLinks: 'directory' in model.source ? (model.source.follow_links ?? false) : false,
    allowCode: model.allow_code ?? false,
  });
}
