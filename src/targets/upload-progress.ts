import type { HostKind } from '../contract/fields.ts';
import type { RunContext } from '../core/events.ts';
import type { ReleaseFile } from './target.ts';

export interface UploadProgress {
  /**
   * Bytes of the file that have been sent in this attempt. What is told never decreases: a second
   * attempt is silent until it is past the first.
   */
  sent(bytes: number): void;
  done(detail?: string): void;
}

/** Tells of one file's upload. */
export function uploadProgress(file: ReleaseFile, via: HostKind, context: RunContext): UploadProgress {
  let furthest = -1;
  const sent = (bytes: number): void => {
    if (bytes <= furthest) return;
    furthest = bytes;
    context.onEvent?.({
      type: 'progress',
      task: 'upload',
      subject: file.name,
      via,
      done: bytes,
      total: file.sizeBytes,
    });
  };
  return {
    sent,
    done: (detail) => {
      if (detail === undefined) sent(file.sizeBytes);
      context.onEvent?.({
        type: 'done',
        task: 'upload',
        subject: file.name,
        via,
        bytes: file.sizeBytes,
        ...(detail === undefined ? {} : { detail }),
      });
    },
  };
}
