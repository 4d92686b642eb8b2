import { spawn, spawnSync } from 'node:child_process';

/** One way to do a job, as whole processes. */
export interface Contender {
  readonly name: string;
  /** Programs that must be installed. */
  readonly needs?: readonly string[];
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** What is timed: to the end, or to the first that it says on stderr. */
  readonly until?: 'first line';
  /** Undoes what the last run left, outside the time. */
  readonly prepare?: () => Promise<void>;
}

export interface Measurement {
  readonly name: string;
  /** Medians of the rounds; undefined where a program is missing. */
  readonly seconds: number | undefined;
  readonly missing: readonly string[];
  /**
   * Highest resident memory of the process over all rounds, where it reports it (`peak_bytes=N` on
   * stdout or stderr).
   */
  readonly peakMemoryBytes: number | undefined;
}

/**
 * Runs every contender once a round, so that a slow moment of the machine meets all of them. The
 * first round isn't counted.
 */
export async function measure(contenders: readonly Contender[], rounds: number): Promise<readonly Measurement[]> {
  const times = new Map<string, number[]>();
  const peaks = new Map<string, number>();
  for (let round = -1; round < rounds; round++) {
    for (const contender of contenders) {
      if (missingPrograms(contender).length > 0) continue;
      await contender.prepare?.();
      // What one contender left unwritten would be written in another one's time.
      spawnSync('sync');
      const { seconds, output } = await runTimed(contender);
      const peak = Number(/peak_bytes=(\d+)/.exec(output)?.[1] ?? 0);
      peaks.set(contender.name, Math.max(peak, peaks.get(contender.name) ?? 0));
      if (round >= 0) times.set(contender.name, [...(times.get(contender.name) ?? []), seconds]);
    }
  }
  return contenders.map((contender) => ({
    name: contender.name,
    seconds: median(times.get(contender.name) ?? []),
    missing: missingPrograms(contender),
    peakMemoryBytes: peaks.get(contender.name) || undefined,
  }));
}

function runTimed(contender: Contender): Promise<{ readonly seconds: number; readonly output: string }> {
  const [program = '', ...args] = contender.command;
  const start = performance.now();
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...contender.env } });
  let output = '';
  let firstLine = Number.NaN;
  child.stderr.once('data', () => {
    firstLine = performance.now();
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => {
      const end = contender.until === 'first line' ? firstLine : performance.now();
      const seconds = (end - start) / 1000;
      if (status === 0) resolve({ seconds, output });
      else reject(new Error(`${contender.name} ended with ${status}: ${output.slice(-2000)}`));
    });
  });
}

function missingPrograms(contender: Contender): string[] {
  return (contender.needs ?? []).filter(
    (program) => spawnSync(program, ['--version'], { stdio: 'ignore' }).error !== undefined,
  );
}

export function median(values: readonly number[]): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle];
  const lower = sorted[sorted.length % 2 === 0 ? middle - 1 : middle];
  return upper === undefined || lower === undefined ? undefined : (upper + lower) / 2;
}

/** A table: each contender's time, and how many times as long as `base` it took. */
export function formatMeasurements(results: readonly Measurement[], base: string): string {
  const own = results.find((result) => result.name === base)?.seconds;
  return results
    .map(({ name, seconds, missing, peakMemoryBytes }) => {
      if (seconds === undefined) return `  ${name.padEnd(44)} missing: ${missing.join(', ')}`;
      const ratio = own === undefined || name === base ? '' : `${(seconds / own).toFixed(2)}x`;
      const memory = peakMemoryBytes === undefined ? '' : `peak ${(peakMemoryBytes / 1e6).toFixed(0)} MB`;
      return `  ${name.padEnd(44)} ${seconds.toFixed(seconds < 0.2 ? 3 : 2).padStart(7)} s ${ratio.padStart(7)}  ${memory}`.trimEnd();
    })
    .join('\n');
}
