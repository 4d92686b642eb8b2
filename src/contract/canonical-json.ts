import { compareBytes } from './names.ts';

/**
 * One form of JSON for hashing: no white space, keys sorted by UTF-8 bytes, numbers as ECMAScript
 * prints them, undefined members left out.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => compareBytes(a, b))
      .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`);
    return `{${members.join(',')}}`;
  }
  return printScalar(value);
}

/**
 * What the writer needs of a zod schema: the order of an object's keys, and which schema each
 * member has.
 */
interface SchemaNode {
  readonly _zod: {
    readonly def: {
      readonly type: string;
      readonly shape?: Readonly<Record<string, SchemaNode>>;
      readonly innerType?: SchemaNode;
      readonly element?: SchemaNode;
      readonly valueType?: SchemaNode;
    };
  };
}

/**
 * The one form of a document on disk: two-space indent, an object's keys in its schema's order
 * (keys it doesn't know come last, sorted), maps sorted by UTF-8 bytes, empty objects as `{}`,
 * final newline.
 */
export function documentJson(schema: SchemaNode, value: unknown): string {
  return `${print(schema, value, '\n')}\n`;
}

function print(schema: SchemaNode | undefined, value: unknown, newline: string): string {
  const node = unwrap(schema);
  const inner = `${newline}  `;
  if (Array.isArray(value)) {
    if (value.length === 0) return '[]';
    return `[${inner}${value.map((item) => print(node?._zod.def.element, item, inner)).join(`,${inner}`)}${newline}]`;
  }
  if (typeof value === 'object' && value !== null) {
    const members = orderedMembers(node, value as Readonly<Record<string, unknown>>);
    if (members.length === 0) return '{}';
    const lines = members.map(([key, member, child]) => `${JSON.stringify(key)}: ${print(child, member, inner)}`);
    return `{${inner}${lines.join(`,${inner}`)}${newline}}`;
  }
  return printScalar(value);
}

function orderedMembers(
  node: SchemaNode | undefined,
  value: Readonly<Record<string, unknown>>,
): [string, unknown, SchemaNode | undefined][] {
  const shape = node?._zod.def.shape ?? {};
  const known = Object.keys(shape).filter((key) => Object.hasOwn(value, key));
  const others = Object.keys(value)
    .filter((key) => !Object.hasOwn(shape, key))
    .sort(compareBytes);
  return [...known, ...others]
    .filter((key) => value[key] !== undefined)
    .map((key) => [key, value[key], Object.hasOwn(shape, key) ? shape[key] : node?._zod.def.valueType]);
}

function unwrap(schema: SchemaNode | undefined): SchemaNode | undefined {
  let node = schema;
  while (node?._zod.def.innerType !== undefined) node = node._zod.def.innerType;
  return node;
}

function printScalar(value: unknown): string {
  if (typeof value === 'number' && !Number.isFinite(value)) throw new RangeError(`${value} is not a JSON number`);
  // -0 and 0 are one number, so they get one form.
  return JSON.stringify(Object.is(value, -0) ? 0 : value);
}
