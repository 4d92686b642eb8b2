import { exitCodes } from './exit-codes.ts';

/** What is needed of the process. */
export type StandardStreams = Pick<NodeJS.Process, 'stdout' | 'stderr' | 'once' | 'exitCode'>;

/**
 * Keeps what a process can't print from ending its work. A reader that has enough (`| head`) is no
 * fault. Where stdout can't be written for another reason, as on a full disk, stderr says so, and a
 * command that went well ends with the exit code of `machine`. What stderr doesn't take, nobody can
 * be told.
 */
export function watchOutput(host: StandardStreams): void {
  let told = false;
  host.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE' || told) return;
    told = true;
    host.stderr.write(
      `error: stdout can't be written: ${error.message}\nhint: Free some disk space, or send the output elsewhere. What the command does goes on.\n`,
    );
    host.once('exit', (exitCode) => {
      if (exitCode === 0) host.exitCode = exitCodes.machine;
    });
  });
  host.stderr.on('error', () => {});
}
