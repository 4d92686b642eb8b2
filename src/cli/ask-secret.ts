import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { AircherError } from '../core/errors.ts';

export type Terminal = Pick<NodeJS.Process, 'stdin' | 'stderr'>;

/**
 * Asks for a line without showing it. Undefined where nobody sits at a terminal who could be asked.
 */
export function secretPrompt(terminal: Terminal): ((question: string) => Promise<string>) | undefined {
  const { stdin, stderr } = terminal;
  if (!stdin.isTTY || !stderr.isTTY) return undefined;
  return async (question) => {
    // As `terminal` it takes the echo from the terminal and makes its own, which goes nowhere.
    const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
    const lines = createInterface({ input: stdin, output: nowhere, terminal: true });
    const ended = new Promise<never>((_, reject) => {
      lines.once('SIGINT', () => lines.close());
      lines.once('close', () => reject(new AircherError('interrupted', 'Interrupted.')));
    });
    stderr.write(question);
    try {
      return await Promise.race([lines.question(''), ended]);
    } finally {
      lines.close();
      stderr.write('\n');
    }
  };
}
