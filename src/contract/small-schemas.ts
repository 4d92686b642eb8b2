/**
 * The part of `zod/mini` that the client's schemas use, for its one-file bundle, where it stands in for the package (the whole of which
 * would be a sixth of the file). Same schemas, same results, and the same of every issue that `problemsOf` looks at: a test holds that
 * over damaged documents of every kind. Code imports `zod/mini`; only `scripts/build-client-bundle.ts` names this file.
 */

import { isObject, type JsonObject } from './json-values.ts';

interface Issue {
  readonly code: string;
  path: PropertyKey[];
  message: string;
  readonly input: unknown;
  /** Of `invalid_type`. */
  readonly expected?: string;
  /** Of `unrecognized_keys`. */
  readonly keys?: readonly string[];
  /** Of `invalid_key`. */
  readonly issues?: readonly Issue[];
  /** What a check found, not the type: further checks can still look at the value. */
  readonly continue?: boolean;
}

type Params = string | { readonly error?: string | ((issue: Issue) => string) } | undefined;
type Shape = Readonly<Record<string, Schema>>;

/** Gives the value, and adds what is wrong with it. */
type Parse = (value: unknown, issues: Issue[]) => unknown;

export interface Schema {
  readonly _zod: { readonly def: { readonly shape: Shape }; readonly run: Parse };
  check(...checks: readonly Parse[]): Schema;
}

type Result =
  | { readonly success: true; readonly data: unknown }
  | { readonly success: false; readonly error: { readonly issues: readonly Issue[] } };

function issueOf(params: Params, facts: Omit<Issue, 'path' | 'message'>): Issue {
  const issue: Issue = { ...facts, path: [], message: 'Invalid input' };
  const error = typeof params === 'object' ? params.error : params;
  issue.message = (typeof error === 'function' ? error(issue) : error) ?? issue.message;
  return issue;
}

const schemaOf = (run: Parse, shape: Shape = {}): Schema => ({
  _zod: { def: { shape }, run },
  check: (...checks) =>
    schemaOf((input, issues) => {
      const own: Issue[] = [];
      const value = run(input, own);
      for (const check of checks) if (own.every((issue) => issue.continue)) check(value, own);
      issues.push(...own);
      return value;
    }, shape),
});

/** A schema of values that need only be looked at. */
const plain =
  (expected: string, test: (value: unknown) => boolean) =>
  (params?: Params): Schema =>
    schemaOf((input, issues) => {
      if (!test(input)) issues.push(issueOf(params, { code: 'invalid_type', expected, input }));
      return input;
    });

/** Runs a schema on a member, and puts the member's key before the paths of what it finds. */
function member(schema: Schema, input: unknown, key: PropertyKey, issues: Issue[]): unknown {
  const own: Issue[] = [];
  const value = schema._zod.run(input, own);
  for (const issue of own) issue.path.unshift(key);
  issues.push(...own);
  return value;
}

export const string = plain('string', (value) => typeof value === 'string');
export const number = plain('number', Number.isFinite);
export const boolean = plain('boolean', (value) => typeof value === 'boolean');

/** An integer that JSON holds exactly. */
export const int = (params?: Params): Schema =>
  number(params).check((input, issues) => {
    if (Number.isSafeInteger(input)) return;
    const large = Number.isInteger(input);
    issues.push(issueOf(params, { code: large ? 'too_big' : 'invalid_type', expected: 'int', input, continue: large }));
  });

const oneOf = (values: readonly unknown[], params?: Params): Schema =>
  schemaOf((input, issues) => {
    if (!values.includes(input)) issues.push(issueOf(params, { code: 'invalid_value', input }));
    return input;
  });

export { oneOf as enum };

export const literal = (only: unknown, params?: Params): Schema => oneOf([only], params);

/** A schema of objects or lists, `read` member by member. */
function container<T extends object>(
  expected: string,
  is: (value: unknown) => boolean,
  read: (input: T, issues: Issue[]) => unknown,
  shape?: Shape,
): Schema {
  const { run } = plain(expected, is)()._zod;
  return schemaOf((input, issues) => (is(input) ? read(input as T, issues) : run(input, issues)), shape);
}

export const array = (element: Schema): Schema =>
  container<unknown[]>('array', Array.isArray, (input, issues) =>
    input.map((item, at) => member(element, item, at, issues)),
  );

const objectOf =
  (others: 'drop' | 'keep' | 'refuse') =>
  (shape: Shape): Schema => {
    const read = (input: JsonObject, issues: Issue[]): unknown => {
      const value: Record<string, unknown> = {};
      for (const [key, schema] of Object.entries(shape)) {
        const found = member(schema, input[key], key, issues);
        if (found !== undefined || key in input) value[key] = found;
      }
      const keys = Object.keys(input).filter((key) => !Object.hasOwn(shape, key));
      if (others === 'keep') for (const key of keys) value[key] = input[key];
      if (others === 'refuse' && keys.length > 0)
        issues.push(issueOf(undefined, { code: 'unrecognized_keys', keys, input }));
      return value;
    };
    return container('object', isObject, read, shape);
  };

export const object = objectOf('drop');
export const looseObject = objectOf('keep');
export const strictObject = objectOf('refuse');

export const record = (keyType: Schema, valueType: Schema): Schema =>
  container<JsonObject>('record', isObject, (input, issues) => {
    const value: Record<string, unknown> = {};
    for (const [key, item] of Object.entries(input)) {
      const found: Issue[] = [];
      keyType._zod.run(key, found);
      if (found.length === 0) value[key] = member(valueType, item, key, issues);
      else issues.push({ ...issueOf(undefined, { code: 'invalid_key', issues: found, input: key }), path: [key] });
    }
    return value;
  });

const unless =
  (empty: undefined | null) =>
  (inner: Schema): Schema =>
    schemaOf((input, issues) => (input === empty ? input : inner._zod.run(input, issues)));
export const optional = unless(undefined);
export const nullable = unless(null);

export const union = (options: readonly Schema[], params?: Params): Schema =>
  schemaOf((input, issues) => {
    const results = options.map((option) => {
      const own: Issue[] = [];
      return { value: option._zod.run(input, own), own };
    });
    const near = results.filter(({ own }) => own.every((issue) => issue.continue));
    const best = near.find(({ own }) => own.length === 0) ?? (near.length === 1 ? near[0] : undefined);
    issues.push(...(best?.own ?? [issueOf(params, { code: 'invalid_union', input })]));
    return best ? best.value : input;
  });

/** A check that leaves the value to other checks. */
const checkOf =
  <Rule, Value>(test: (rule: Rule, value: Value) => unknown) =>
  (rule: Rule, params?: Params): Parse =>
  (input, issues) => {
    if (!test(rule, input as Value)) issues.push(issueOf(params, { code: 'custom', input, continue: true }));
  };

export const regex = checkOf((pattern: RegExp, text: string) => text.search(pattern) !== -1);
export const refine = checkOf((test: (value: never) => unknown, value: never) => test(value));
export const gte = checkOf((least: number, value: number) => value >= least);
export const lte = checkOf((most: number, value: number) => value <= most);
export const maxLength = checkOf((most: number, value: string | readonly unknown[]) => value.length <= most);

export function safeParse(schema: Schema, input: unknown): Result {
  const issues: Issue[] = [];
  const data = schema._zod.run(input, issues);
  return issues.length === 0 ? { success: true, data } : { success: false, error: { issues } };
}

export function parse(schema: Schema, input: unknown): unknown {
  const result = safeParse(schema, input);
  if (result.success) return result.data;
  throw new Error(JSON.stringify(result.error.issues));
}
