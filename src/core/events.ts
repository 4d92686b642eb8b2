import type { Problem } from './errors.ts';

/**
 * Everything that long-running functions tell while they run, as one discriminated union. A
 * renderer turns it into text; no function prints by itself. Byte counts are plain numbers of
 * bytes.
 */
export type Event =
  /** A step of the pipeline begins. */
  | { readonly type: 'step-start'; readonly step: string; readonly detail?: string }
  /** A step ended; `skipped` says why nothing had to be done. */
  | { readonly type: 'step-end'; readonly step: string; readonly skipped?: string }
  /**
   * Bytes done of one task on one subject. `done` never decreases for task, subject and `via`;
   * `total` may be unknown.
   */
  | {
      readonly type: 'progress';
      readonly task: 'stage' | 'pack' | 'upload' | 'ask' | 'download' | 'verify' | 'install';
      /** What is worked on: a model, an artifact, a file; who is asked. */
      readonly subject: string;
      /** Where to or from: `github`, `huggingface`, `mirror`, a host. */
      readonly via?: string;
      readonly done: number;
      readonly total: number | undefined;
    }
  /** A task on a subject is complete. */
  | {
      readonly type: 'done';
      readonly task: string;
      readonly subject: string;
      readonly via?: string;
      readonly detail?: string;
      /** Size of an uploaded file. */
      readonly bytes?: number;
    }
  /**
   * How much of what a host lacked it has now: first with `done` 0, before a byte is sent; `done`
   * never decreases for a host, and ends at `total`. Bytes that were sent twice count once, content
   * that the host had under another name counts too.
   */
  | {
      readonly type: 'upload-progress';
      readonly host: string;
      readonly files: number;
      readonly done: number;
      readonly total: number;
    }
  /** Something the user should know of but that stops nothing. */
  | { readonly type: 'warning'; readonly problem: Problem }
  /** A fact worth a line. */
  | { readonly type: 'notice'; readonly message: string }
  /** A failed attempt that will be repeated after `delayMs` milliseconds. */
  | { readonly type: 'retry'; readonly what: string; readonly reason: string; readonly delayMs: number }
  /** A mirror was found to misbehave and is not asked again for now. */
  | { readonly type: 'mirror-set-aside'; readonly mirror: string; readonly reason: string }
  /** Another process holds the lock; this one waits for its result. */
  | { readonly type: 'waiting'; readonly subject: string; readonly holder: string };

/**
 * A listener may know fewer events: those of the client's callers know the client's
 * (`src/fetch/api.ts`). The compiler takes such a one for a method, not for a function.
 */
export type OnEvent = { listen(event: Event): void }['listen'];

/** What every long-running function takes beside its input. */
export interface RunContext {
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: OnEvent | undefined;
}

/** Tells of a warning. */
export function warn(context: RunContext, problem: Omit<Problem, 'level'>): void {
  context.onEvent?.({ type: 'warning', problem: { ...problem, level: 'warning' } });
}
