import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'acorn';
import { everyNode } from './syntax-tree.ts';

/** Names of several words, as our code writes them. What our files, formats and documents hold is in `snake_case`, or one word. */
const camelCase = /\b[a-z][a-z0-9]*[A-Z]\w*/g;

/** Where all is declared that a program can use of the language and of Node; the compiler takes no other names. */
const declarations = ['@typescript/*/lib/lib.es*.d.ts', '@types/node/**/*.d.ts', 'undici-types/*.d.ts'];

/** In camel case, and yet seen from outside: what a release bakes in, the plan of `update --plan --json`, an error's details. */
export const publishedNames: readonly string[] = [
  ...['manifestSources', 'publicKeys'],
  ...['bytesToFetch', 'bytesToCopy', 'bytesStaged', 'changedFiles', 'changedTensors'],
  'keyId',
];

/**
 * The properties of a bundled program that nothing outside it knows by name: those in camel case that no declaration of the language
 * or of Node so much as mentions, and that the program doesn't have as a string.
 */
export async function ownNames(program: string): Promise<readonly string[]> {
  const foreign = new Set([...publishedNames, ...(await declaredNames())]);
  const names = new Set<string>();
  for (const node of everyNode(parse(program, { ecmaVersion: 'latest', sourceType: 'module', allowHashBang: true }))) {
    const isMember = node.type === 'MemberExpression' && !node.computed;
    const isKey = node.type === 'Property' || node.type === 'MethodDefinition' || node.type === 'PropertyDefinition';
    const name = isMember ? node.property : isKey && !node.computed ? node.key : node;
    if (name.type === 'Literal') foreign.add(String(name.value));
    else if (name.type === 'Identifier' && name !== node && name.name.search(camelCase) === 0) names.add(name.name);
  }
  return [...names].filter((name) => !foreign.has(name)).sort();
}

async function declaredNames(): Promise<ReadonlySet<string>> {
  const packages = fileURLToPath(new URL('../node_modules', import.meta.url));
  const names = new Set<string>();
  for (const pattern of declarations) {
    const before = names.size;
    for await (const file of glob(pattern, { cwd: packages })) {
      for (const name of (await readFile(join(packages, file), 'utf8')).match(camelCase) ?? []) names.add(name);
    }
    if (names.size === before) throw new Error(`${pattern} declares nothing`);
  }
  return names;
}
