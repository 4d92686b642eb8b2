import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { showEvents } from '../../src/cli/show-events.ts';
import { createUploadDisplay } from '../../src/cli/upload-display.ts';
import type { Event } from '../../src/core/events.ts';

/**
 * The rows of a terminal after this text: `\r`, `\n`, cursor up, and erasing to the end of line or
 * screen.
 */
function screen(text: string): readonly string[] {
  const rows = [''];
  let row = 0;
  for (const [piece] of text.matchAll(/\r|\n|\u001b\[\d*[A-Z]|[^\r\n\u001b]+/g)) {
    if (piece === '\n') {
      row++;
      rows[row] ??= '';
    } else if (piece.endsWith('A') && piece.startsWith('\u001b')) row -= Number(piece.slice(2, -1));
    else if (piece === '\u001b[J') rows.splice(row, rows.length, '');
    else if (piece === '\u001b[K') rows[row] = '';
    else if (piece !== '\r') rows[row] += piece;
  }
  return rows;
}

function stream(isTTY: boolean, columns = 80) {
  const written: string[] = [];
  return { isTTY, columns, write: (text: string) => written.push(text), text: () => written.join('') };
}

const progress = (host: string, done: number, total: number): Event => ({
  type: 'upload-progress',
  host,
  files: 2,
  done,
  total,
});
const arrived = (via: string, subject: string, bytes: number, detail?: string): Event => ({
  type: 'done',
  task: 'upload',
  subject,
  via,
  bytes,
  ...(detail === undefined ? {} : { detail }),
});

/** GitHub takes 10 MB/s of 100 MB, the Hub 20 MB/s of 400 MB, for five seconds. */
function fiveSeconds(stderr: ReturnType<typeof stream>): void {
  let now = 0;
  const display = createUploadDisplay({ stderr, now: () => now });
  display.onEvent(progress('github', 0, 100e6));
  display.onEvent(progress('huggingface', 0, 400e6));
  for (; now < 5000; now += 50) {
    display.onEvent(progress('github', now * 10_000, 100e6));
    display.onEvent(progress('huggingface', now * 20_000, 400e6));
    if (now === 2500) display.onEvent(arrived('github', 'alpha.tar.gz', 25e6));
    if (now === 2500) display.onEvent(arrived('github', 'beta.tar.gz', 25e6, 'already there'));
  }
  now = 6000;
  display.onEvent(progress('huggingface', 100e6, 400e6));
}

describe('uploads to several hosts', () => {
  it('on a terminal: a line a host, one total with rate and time left, and a line for each file that has arrived', () => {
    const stderr = stream(true);
    fiveSeconds(stderr);
    const rows = screen(stderr.text());
    assert.deepEqual(rows.slice(0, -1), [
      '  github: 2 files to send, 100 MB',
      '  huggingface: 2 files to send, 400 MB',
      '  github: alpha.tar.gz, 25.0 MB',
      '  github        49%  49.5 MB of 100 MB',
      '  huggingface   25%  100 MB of 400 MB',
    ]);
    // The Hub takes longest: 300 MB are left, at 100 MB in six seconds.
    assert.match(rows.at(-1) ?? '', /^ {2}total {9}29% {2}15\d MB of 500 MB {2}2\d\.\d MB\/s {2}18 s left$/);
  });

  it('no row is wider than the terminal', () => {
    const stderr = stream(true, 40);
    fiveSeconds(stderr);
    for (const row of screen(stderr.text()).slice(3)) assert.ok(row.length < 40, row);
  });

  it('without a terminal: plain lines, one of the total every five seconds', () => {
    const stderr = stream(false);
    fiveSeconds(stderr);
    assert.ok(!stderr.text().includes('\u001b'));
    const lines = stderr.text().trimEnd().split('\n');
    assert.equal(lines.filter((line) => line.includes('total')).length, 1, stderr.text());
    assert.ok(lines.includes('  github: alpha.tar.gz, 25.0 MB'));
    assert.ok(!stderr.text().includes('beta.tar.gz'), 'what was there already is no upload');
  });

  it('a message in between stands above what is drawn, and at the end nothing is left of it', () => {
    const stderr = stream(true);
    let now = 0;
    const shown = showEvents(stderr, { quiet: false, verbose: false, now: () => now });
    for (; now < 300; now += 50) shown.onEvent(progress('github', 1e6, 4e6));
    assert.match(screen(stderr.text()).at(-1) ?? '', /total .*25%/);
    shown.onEvent({ type: 'warning', problem: { level: 'warning', message: 'careful' } });
    assert.deepEqual(screen(stderr.text()).slice(-2), ['warning: careful', '']);
    shown.end();
    assert.equal(screen(stderr.text()).at(-1), '');
  });

  it('--quiet says nothing of it', () => {
    const stderr = stream(true);
    const shown = showEvents(stderr, { quiet: true, verbose: false });
    shown.onEvent(progress('github', 0, 4e6));
    shown.onEvent(arrived('github', 'alpha.tar.gz', 4e6));
    assert.equal(stderr.text(), '');
  });
});
