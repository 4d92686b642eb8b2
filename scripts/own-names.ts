import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'acorn';
import type { Problem } from '../src/core/errors.ts';
import type { Baked } from '../src/fetch/baked.ts';
import type { ProcessIdentity } from '../src/fetch/cache/process-identity.ts';
import type { InstallRecord } from '../src/fetch/cache/records.ts';
import type { AcceptedState } from '../src/fetch/manifests/accepted-manifest.ts';
import type { LicenseReport } from '../src/fetch/operations/check-licenses.ts';
import type { UpdateStatus } from '../src/fetch/operations/check-updates.ts';
import type { DoctorReport } from '../src/fetch/operations/doctor.ts';
import type { ExportReport } from '../src/fetch/operations/export-model.ts';
import type { EnsuredModel } from '../src/fetch/operations/find-installed.ts';
import type { Prunable, RemovalReport } from '../src/fetch/operations/free-space.ts';
import type { ListedVersion, OfferedModel } from '../src/fetch/operations/list-models.ts';
import type { VersionSwitch } from '../src/fetch/operations/pin-versions.ts';
import type { UpdateReport } from '../src/fetch/operations/update-models.ts';
import type { VerifyReport } from '../src/fetch/operations/verify-models.ts';
import { everyNode } from './syntax-tree.ts';

/** Names of several words, as our code writes them. What our files, formats and documents hold is in `snake_case`, or one word. */
const camelCase = /\b[a-z][a-z0-9]*[A-Z]\w*/g;

/** Where all is declared that a program can use of the language and of Node; the compiler takes no other names. */
const declarations = ['@typescript/*/lib/lib.es*.d.ts', '@types/node/**/*.d.ts', 'undici-types/*.d.ts'];

/** What the client prints with --json, keeps in files, or gets from a release that made it. */
type Published =
  | ExportReport
  | DoctorReport
  | EnsuredModel
  | LicenseReport
  | ListedVersion
  | OfferedModel
  | Prunable
  | RemovalReport
  | Omit<UpdateReport, 'install'>
  | UpdateStatus
  | VerifyReport
  | VersionSwitch
  | AcceptedState
  | Baked
  | InstallRecord
  | Problem
  | ProcessIdentity;

type CamelCase<Key extends string> = string extends Key ? never : Key extends Lowercase<Key> ? never : Key;

/** The keys in camel case of objects of a type, and of what they hold. */
type KeysOf<T> = T extends readonly (infer Item)[]
  ? KeysOf<Item>
  : T extends object
    ? { [Key in keyof T & string]-?: CamelCase<Key> | KeysOf<T[Key]> }[keyof T & string]
    : never;

/** All of these, or this doesn't compile. */
const published: Readonly<Record<KeysOf<Published>, true>> = {
  bytesStaged: true,
  bytesToCopy: true,
  bytesToFetch: true,
  changedFiles: true,
  changedTensors: true,
  manifestSources: true,
  publicKeys: true,
  totalBytes: true,
};

/** In camel case, and yet seen from outside; `keyId` in the details of an error. */
export const publishedNames: readonly string[] = [...Object.keys(published), 'keyId'];

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
