/**
 * The part of `zod/mini` that the client's schemas use, for its one-file bundle, where it stands in for the package (the whole of which
 * would be a sixth of the file). Same schemas, same results, same issues: a test holds that over damaged documents of every kind. Code
 * imports `zod/mini`; only `scripts/build-client-bundle.ts` names this file.
 */

interface Issue {
  readonly code: string;
  path: PropertyKey[];
  message: string;
  readonly input: unknown;
  readonly expected?: string;
  readonly keys?: readonly string[];
  readonly issues?: readonly Issue[];
  readonly errors?: readonly (readonly Issue[])[];
  /** What a check found, not the type: further checks can still look at the value. */
  readonly continue?: boolean;
}

type Params = string | { readonly error?: string | ((issue: Issue) => string) } | undefined;
type Check = (value: unknown) => Issue | undefined;
type Shape = Readonly<Record<string, Schema>>;

/** Gives the value, and adds what is wrong with it. */
type Parse = (value: unknown, issues: Issue[]) => unknown;

interface Definition {
  readonly type: string;
  readonly shape?: Shape;
  readonly innerType?: Schema;
  readonly element?: Schema;
  readonly valueType?: Schema;
}

export interface Schema {
  readonly _zod: { readonly def: Definition; readonly run: Parse };
  check(...checks: readonly Check[]): Schema;
}

type Result = { readonly success: true; readonly data: unknown } | { readonly success: false; readonly error: Failure };

class Failure extends Error {
  readonly issues: readonly Issue[];

  constructor(issues: readonly Issue[]) {
    super(JSON.stringify(issues));
    this.issues = issues;
  }
}

function issueOf(params: Params, facts: Omit<Issue, 'path' | 'message'>): Issue {
  const issue: Issue = { ...facts, path: [], message: 'Invalid input' };
  const error = typeof params === 'object' ? params.error : params;
  issue.message = (typeof error === 'function' ? error(issue) : error) ?? issue.message;
  return issue;
}

function schemaOf(def: Definition, parse: Parse, checks: readonly Check[] = []): Schema {
  const run: Parse = (input, issues) => {
    const own: Issue[] = [];
    const value = parse(input, own);
    for (const check of checks) {
      if (own.some(aborts)) break;
      const issue = check(value);
      if (issue) own.push(issue);
    }
    issues.push(...own);
    return value;
  };
  return { _zod: { def, run }, check: (...more) => schemaOf(def, parse, [...checks, ...more]) };
}

function aborts(issue: Issue): boolean {
  return !issue.continue;
}

/** A schema of values that need only be looked at. */
function plain(expected: string, test: (value: unknown) => boolean, params: Params, code = 'invalid_type'): Schema {
  return schemaOf({ type: expected }, (input, issues) => {
    if (!test(input)) issues.push(issueOf(params, { code, expected, input }));
    return input;
  });
}

/** Runs a schema on a member, and puts the member's key before the paths of what it finds. */
function member(schema: Schema, input: unknown, key: PropertyKey, issues: Issue[]): unknown {
  const own: Issue[] = [];
  const value = schema._zod.run(input, own);
  for (const issue of own) issue.path.unshift(key);
  issues.push(...own);
  return value;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const finite = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value);

export const string = (params?: Params): Schema => plain('string', (value) => typeof value === 'string', params);
export const number = (params?: Params): Schema => plain('number', finite, params);
export const boolean = (params?: Params): Schema => plain('boolean', (value) => typeof value === 'boolean', params);

/** An integer that JSON holds exactly. */
export const int = (params?: Params): Schema =>
  number(params).check((input) => {
    if (Number.isSafeInteger(input)) return undefined;
    const large = Number.isInteger(input);
    const code = large ? ((input as number) > 0 ? 'too_big' : 'too_small') : 'invalid_type';
    return issueOf(params, { code, expected: 'int', input, continue: large });
  });

export const literal = (only: unknown, params?: Params): Schema =>
  plain('literal', (value) => value === only, params, 'invalid_value');

const oneOf = (values: readonly unknown[], params?: Params): Schema =>
  plain('enum', (value) => values.includes(value), params, 'invalid_value');

export { oneOf as enum };

export function array(element: Schema, params?: Params): Schema {
  return schemaOf({ type: 'array', element }, (input, issues) => {
    if (Array.isArray(input)) return input.map((item, at) => member(element, item, at, issues));
    issues.push(issueOf(params, { code: 'invalid_type', expected: 'array', input }));
    return input;
  });
}

function objectOf(shape: Shape, others: 'drop' | 'keep' | 'refuse'): Schema {
  return schemaOf({ type: 'object', shape }, (input, issues) => {
    if (!isObject(input)) {
      issues.push(issueOf(undefined, { code: 'invalid_type', expected: 'object', input }));
      return input;
    }
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
  });
}

export const object = (shape: Shape): Schema => objectOf(shape, 'drop');
export const looseObject = (shape: Shape): Schema => objectOf(shape, 'keep');
export const strictObject = (shape: Shape): Schema => objectOf(shape, 'refuse');

export function record(keyType: Schema, valueType: Schema): Schema {
  return schemaOf({ type: 'record', valueType }, (input, issues) => {
    if (!isObject(input)) {
      issues.push(issueOf(undefined, { code: 'invalid_type', expected: 'record', input }));
      return input;
    }
    const value: Record<string, unknown> = {};
    for (const [key, item] of Object.entries(input)) {
      const found: Issue[] = [];
      keyType._zod.run(key, found);
      if (found.length === 0) value[key] = member(valueType, item, key, issues);
      else issues.push({ ...issueOf(undefined, { code: 'invalid_key', issues: found, input: key }), path: [key] });
    }
    return value;
  });
}

const unless =
  (empty: undefined | null) =>
  (innerType: Schema): Schema =>
    schemaOf({ type: 'wrapper', innerType }, (input, issues) =>
      input === empty ? input : innerType._zod.run(input, issues),
    );
export const optional = unless(undefined);
export const nullable = unless(null);

export function union(options: readonly Schema[], params?: Params): Schema {
  return schemaOf({ type: 'union' }, (input, issues) => {
    const results = options.map((option) => {
      const own: Issue[] = [];
      return { value: option._zod.run(input, own), own };
    });
    const fits = results.find(({ own }) => own.length === 0);
    const [near, ...more] = results.filter(({ own }) => !own.some(aborts));
    const best = fits ?? (more.length === 0 ? near : undefined);
    if (best) issues.push(...best.own);
    else issues.push(issueOf(params, { code: 'invalid_union', errors: results.map(({ own }) => own), input }));
    return best ? best.value : input;
  });
}

/** A check that leaves the value to other checks. */
const checkOf =
  (code: string, test: (value: never) => boolean) =>
  (params?: Params): Check =>
  (input) =>
    test(input as never) ? undefined : issueOf(params, { code, input, continue: true });

export const regex = (pattern: RegExp, params?: Params): Check =>
  checkOf('invalid_format', (text: string) => text.search(pattern) !== -1)(params);
export const refine = (test: (value: never) => unknown, params?: Params): Check =>
  checkOf('custom', (value: never) => Boolean(test(value)))(params);
export const gte = (least: number, params?: Params): Check =>
  checkOf('too_small', (value: number) => value >= least)(params);
export const lte = (most: number, params?: Params): Check =>
  checkOf('too_big', (value: number) => value <= most)(params);
export const minLength = (least: number, params?: Params): Check =>
  checkOf('too_small', (value: string) => value.length >= least)(params);
export const maxLength = (most: number, params?: Params): Check =>
  checkOf('too_big', (value: string) => value.length <= most)(params);

export function safeParse(schema: Schema, input: unknown): Result {
  const issues: Issue[] = [];
  const data = schema._zod.run(input, issues);
  return issues.length === 0 ? { success: true, data } : { success: false, error: new Failure(issues) };
}

export function parse(schema: Schema, input: unknown): unknown {
  const result = safeParse(schema, input);
  if (result.success) return result.data;
  throw result.error;
}
