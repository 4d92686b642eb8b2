import type { Event, OnEvent, RunContext } from '../core/events.ts';

interface Run {
  readonly result: Promise<unknown>;
  readonly controller: AbortController;
  readonly listeners: Set<OnEvent>;
  callers: number;
}

/** Runs in progress, by key. One for the process: two managers of one cache share them too. */
const runs = new Map<string, Run>();

/**
 * Lets callers that want the same thing at the same time share one run of it. Each gets the events from when it joined; an abort
 * ends a caller's own wait, and the run itself only when nobody waits for it any more.
 */
export async function shareRun<T>(
  key: string,
  context: RunContext,
  work: (context: Required<RunContext>) => Promise<T>,
): Promise<T> {
  context.signal?.throwIfAborted();
  const run = runs.get(key) ?? begin(key, work);
  const { signal, onEvent } = context;
  run.callers++;
  if (onEvent) run.listeners.add(onEvent);
  let stop: (() => void) | undefined;
  try {
    const aborted = new Promise<never>((_, reject) => {
      stop = () => reject(signal?.reason);
      signal?.addEventListener('abort', stop, { once: true });
    });
    return (await Promise.race([run.result, aborted])) as T;
  } finally {
    if (stop) signal?.removeEventListener('abort', stop);
    if (onEvent) run.listeners.delete(onEvent);
    run.callers--;
    if (run.callers === 0) {
      run.controller.abort();
      if (runs.get(key) === run) runs.delete(key);
    }
  }
}

function begin<T>(key: string, work: (context: Required<RunContext>) => Promise<T>): Run {
  const controller = new AbortController();
  const listeners = new Set<OnEvent>();
  const tellAll = (event: Event): void => {
    for (const listener of [...listeners]) listener(event);
  };
  const result = work({ signal: controller.signal, onEvent: tellAll });
  const run: Run = { result, controller, listeners, callers: 0 };
  runs.set(key, run);
  const forget = (): void => {
    if (runs.get(key) === run) runs.delete(key);
  };
  result.then(forget, forget);
  return run;
}
