import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { isAircherError } from '../../src/core/errors.ts';
import type { HttpDocument } from '../../src/http/http-client.ts';
import { remoteReason } from '../../src/http/remote-error.ts';
import { http } from '../fetch/transfer-fixture.ts';
import { startRawServer, startServer } from './http-fixture.ts';

const stored = Buffer.from(`{"text": "☃ ${'x'.repeat(300)}"}\n`);

async function documentOf(
  context: TestContext,
  body: Buffer | string,
  headers: Record<string, string>,
  maxBytes = 1000,
): Promise<HttpDocument> {
  const server = await startServer(context, (_, response) => response.writeHead(200, headers).end(body));
  return http(context).document(server.url, { maxBytes, attempts: 1 });
}

test('a document is what its content says, however it is labelled', async (context) => {
  for (const label of ['aws-chunked', 'utf-8', '', 'gzip', 'br', 'identity', 'gzip, aws-chunked']) {
    const { bytes } = await documentOf(context, stored, { 'content-encoding': label });
    assert.ok(bytes.equals(stored), `as stored, labelled ${JSON.stringify(label)}`);
  }
  for (const [label, packed] of [
    ['gzip', gzipSync(stored)],
    ['', gzipSync(stored)],
    ['x-gzip', gzipSync(stored)],
    ['deflate', deflateSync(stored)],
    ['br', brotliCompressSync(stored)],
  ] as const) {
    const { bytes } = await documentOf(context, packed, { 'content-encoding': label });
    assert.ok(bytes.equals(stored), `packed, labelled ${JSON.stringify(label)}`);
  }
});

test('what a document unpacks to is bounded like the document', async (context) => {
  for (const [label, bomb] of [
    ['gzip', gzipSync(Buffer.alloc(50_000_000, 0x20))],
    ['br', brotliCompressSync(Buffer.alloc(50_000_000, 0x20))],
  ] as const) {
    const headers = { 'content-encoding': label };
    await assert.rejects(documentOf(context, bomb, headers, 100_000), (error) => isAircherError(error, 'invalid'));
  }
  assert.equal((await documentOf(context, gzipSync(stored), {}, stored.length)).bytes.length, stored.length);
});

test('a web page, or nothing, in the place of a document is a failure of the remote that says so', async (context) => {
  const page = (text: string | Buffer, type = 'text/html') => documentOf(context, text, { 'content-type': type });
  for (const [answer, says] of [
    [page('<!DOCTYPE html><title>Sign in</title>'), /a web page instead of the document/],
    [page('\n  <html><body>', 'application/json'), /a web page instead of the document/],
    [page(gzipSync('<!doctype html>')), /a web page instead of the document/],
    [page(''), /an empty answer/],
    [page('', 'application/json'), /an empty answer/],
  ] as const) {
    await assert.rejects(answer, (error) => {
      assert.ok(isAircherError(error, 'remote'), String(error));
      assert.equal(remoteReason(error), 'content');
      assert.match(error.message, says);
      return true;
    });
  }
});

/** Fetches a document, and prints how long it is and the most memory that it took, in bytes. */
const measured = `
import { createHttp } from ${JSON.stringify(new URL('../../src/http/create-http.ts', import.meta.url).href)};
const http = createHttp();
const before = process.resourceUsage().maxRSS;
const { bytes } = await http.document(process.argv[1], { maxBytes: 16 * 1024 * 1024 });
console.log(JSON.stringify({ length: bytes.length, peak: (process.resourceUsage().maxRSS - before) * 1024 }));
http.close();
`;

test('the memory that a document takes is bounded by its size, not by the number of pieces it comes in', async (context) => {
  const size = 2 * 1024 * 1024;
  const url = await startRawServer(context, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n');
    const some = '1\r\nx\r\n'.repeat(8192);
    let left = size / 8192;
    const more = (): void => {
      while (left > 0) {
        left--;
        if (!socket.write(some)) {
          socket.once('drain', more);
          return;
        }
      }
      socket.write('0\r\n\r\n');
    };
    more();
  });
  const cwd = fileURLToPath(new URL('../..', import.meta.url));
  const run = promisify(execFile)(process.execPath, ['--input-type=module', '-e', measured, url], { cwd });
  const { length, peak } = JSON.parse((await run).stdout);
  context.diagnostic(`${Math.round(peak / 1e6)} MB more`);
  assert.equal(length, size);
  assert.ok(peak < 150_000_000, `${peak} bytes`);
});
