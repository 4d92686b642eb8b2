import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { glob } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * What each file of src/ imports: own files by path below src/, others by package name (`node:fs`,
 * `@octokit/rest`, `zod/mini`).
 */
interface FileImports {
  readonly own: readonly string[];
  readonly packages: readonly string[];
}

const files = new Map<string, FileImports>();

before(async () => {
  for await (const path of glob('src/**/*.ts', { cwd: root })) files.set(path, importsOf(path));
});

function importsOf(path: string): FileImports {
  const text = readFileSync(join(root, path), 'utf8').replace(/^import type [^;]*;$/gm, '');
  const own: string[] = [];
  const packages: string[] = [];
  for (const [, from] of text.matchAll(/(?:^(?:import|export)\b[^;']*from|^import|\bimport\()\s*'([^']+)'/gm)) {
    if (from?.startsWith('.')) own.push(normalize(join(dirname(path), from)));
    else if (from) packages.push(from);
  }
  return { own, packages };
}

/** Every file that can be reached from these, and every package that they import. */
function reach(entries: readonly string[]): {
  readonly files: ReadonlySet<string>;
  readonly packages: ReadonlyMap<string, string>;
} {
  const seen = new Set<string>();
  const packages = new Map<string, string>();
  const queue = [...entries];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    const imports = files.get(path);
    assert.ok(imports, `${path} is imported and not there`);
    for (const name of imports.packages) packages.set(name, path);
    queue.push(...imports.own);
  }
  return { files: seen, packages };
}

const below = (room: string): string[] => [...files.keys()].filter((path) => path.startsWith(`src/${room}/`));

function assertOnly(found: ReadonlyMap<string, string>, allowed: RegExp): void {
  for (const [name, path] of found) assert.match(name, allowed, `${path} imports ${name}`);
}

describe('import rules', () => {
  it('core imports node:* and itself only', () => {
    const { files: reached, packages } = reach(below('core'));
    assertOnly(packages, /^node:/);
    for (const path of reached) assert.match(path, /^src\/core\//);
  });

  it('the contract imports core, zod/mini, semver and the SPDX parser only', () => {
    const { files: reached, packages } = reach(below('contract'));
    assertOnly(packages, /^(node:.*|zod\/mini|semver(\/.*)?|spdx-expression-parse)$/);
    for (const path of reached) assert.match(path, /^src\/(core|contract)\//);
  });

  it('http knows core and contract only', () => {
    const { files: reached, packages } = reach(below('http'));
    assertOnly(packages, /^(node:.*|zod\/mini|semver(\/.*)?)$/);
    for (const path of reached) assert.match(path, /^src\/(core|contract|http)\//);
  });

  it('the client reaches node:*, zod/mini, semver and a small decoder, and no room but those it may', () => {
    const { files: reached, packages } = reach(['src/fetch-cli.ts', ...below('fetch')]);
    assertOnly(packages, /^(node:.*|zod\/mini|semver\/.*|fzstd)$/);
    for (const path of reached) assert.match(path, /^src\/(fetch-cli\.ts|(core|contract|http|archive|trust|fetch)\/)/);
  });

  it('the client reads archives and checks signatures, and never packs or signs', () => {
    const { files: reached } = reach(['src/fetch-cli.ts', ...below('fetch')]);
    for (const path of [
      'src/archive/pack-archive.ts',
      'src/trust/sign-message.ts',
      'src/trust/secret-key.ts',
      'src/trust/gpg.ts',
    ]) {
      assert.ok(!reached.has(path), path);
    }
  });

  it('each SDK is used by one target alone', () => {
    for (const [path, { packages }] of files) {
      for (const name of packages) {
        if (name.startsWith('@octokit/')) assert.match(path, /^src\/targets\/github/, name);
        if (name.startsWith('@huggingface/')) assert.match(path, /^src\/targets\/huggingface/, name);
        if (name.startsWith('@aws-sdk/')) assert.match(path, /^src\/targets\/mirror\/bucket/, name);
        if (name === 'commander') assert.match(path, /^src\/cli\//, name);
        if (name === 'tar') assert.match(path, /^src\/archive\//, name);
      }
    }
  });

  it('the stand-ins know nothing of what they are used to test', () => {
    const { files: reached } = reach(below('rehearsal'));
    for (const path of reached) assert.match(path, /^src\/(core|contract|rehearsal)\//);
  });

  it('process.env and process.exit appear in the executables only', () => {
    for (const path of files.keys()) {
      if (path === 'src/cli.ts' || path === 'src/fetch-cli.ts') continue;
      const code = readFileSync(join(root, path), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
      assert.doesNotMatch(code, /process\.(env|exit|argv)\b(?!\w)/, path);
    }
  });
});
