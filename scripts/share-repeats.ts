import { type AnyNode, type Identifier, type Node, type Program, parse } from 'acorn';
import { everyNode, partsOf } from './syntax-tree.ts';

/** Of Node since long before the oldest that shall still get as far as saying that it is too old. */
const globals = new Set([
  ...['Array', 'Buffer', 'Date', 'Error', 'JSON', 'Map', 'Math', 'Number', 'Object', 'Promise', 'RegExp', 'Set'],
  ...['String', 'Symbol', 'URL', 'Uint8Array', 'process', 'setTimeout', 'clearTimeout'],
]);

/** Members of these are functions that don't ask what they are called on, or constants. */
const namespaces = new Set(['JSON', 'Math', 'Number', 'Object']);

/** One place where a value stands: what it is called there, and the text that takes its place once a variable has the value. */
interface Place {
  readonly value: string;
  readonly start: number;
  readonly end: number;
  text(name: string): string;
}

/**
 * The same program with what stands in it often kept in variables: `undefined`, strings, names of properties (`a.size` becomes `a[b]`),
 * functions and classes of the language. That is the same to the language whatever the names mean, so there is nothing to declare, and
 * nothing that a format or another module can break. Expects a module's minified text; its own
 * names for these variables are long, so that whoever minifies names next finds the best for all.
 */
export function shareRepeats(program: string): string {
  const tree = parse(program, { ecmaVersion: 'latest', sourceType: 'module' });
  const found = new Map<string, Place[]>();
  for (const place of placesIn(tree, program)) {
    const others = found.get(place.value);
    if (others === undefined) found.set(place.value, [place]);
    else others.push(place);
  }
  // No minified name begins so.
  const worth = [...found]
    .filter(([, places]) => saving(places) > 0)
    .map(([value], at) => [value, `$$$${at}`] as const);
  const edits = worth
    .flatMap(([value, name]) => found.get(value)!.map(({ start, end, text }) => ({ start, end, text: text(name) })))
    .sort((a, b) => a.start - b.start);
  if (edits.length === 0) return program;
  let shared = `let ${worth.map(([value, name]) => `${name}=${value}`).join(',')};`;
  let end = 0;
  for (const edit of edits) {
    if (edit.start < end)
      throw new Error(`two values stand in one place of the client: ${program.slice(edit.start, end)}`);
    shared += program.slice(end, edit.start) + edit.text;
    end = edit.end;
  }
  return shared + program.slice(end);
}

/** Bytes that a variable for the value of these places saves. Its minified name will have two letters, a few have one. */
function saving(places: readonly Place[]): number {
  const name = 'ab';
  const declaration = `${name}=${places[0]!.value},`;
  const saved = places.reduce((sum, { start, end, text }) => sum + end - start - text(name).length, 0);
  return saved - Buffer.byteLength(declaration);
}

function placesIn(tree: Program, program: string): readonly Place[] {
  const places: Place[] = [];
  const taken = boundNames(tree);
  const isGlobal = (node: AnyNode): node is Identifier =>
    node.type === 'Identifier' && globals.has(node.name) && !taken.has(node.name);
  const add = (value: string, { start, end }: Node, text: (name: string) => string): void => {
    places.push({ value, start, end, text });
  };
  /** In the place of an expression, where it may need a blank to keep it from the words at its sides. */
  const addExpression = (value: string, node: Node): void => {
    const [before, after] = [program[node.start - 1] ?? '', program[node.end] ?? ''];
    add(value, node, (name) => `${isWord(before) ? ' ' : ''}${name}${isWord(after) ? ' ' : ''}`);
  };
  const addKey = (key: AnyNode, shorthand: boolean): void => {
    const name = key.type === 'Identifier' ? key.name : key.type === 'Literal' ? key.value : undefined;
    // `__proto__: …` isn't `['__proto__']: …`, and neither are the two forms of a constructor.
    if (typeof name !== 'string' || name === '__proto__' || name === 'constructor') return;
    const place = shorthand ? { ...key, end: key.start } : key;
    add(JSON.stringify(name), place, (variable) => `[${variable}]${shorthand ? ':' : ''}`);
  };
  /** Notes what there is to share in a node itself, and gives those of its parts that may hold more. */
  const look = (node: AnyNode): readonly AnyNode[] => {
    switch (node.type) {
      case 'ImportDeclaration':
      case 'ImportExpression':
      case 'ExportNamedDeclaration':
      case 'MetaProperty':
      case 'BreakStatement':
      case 'ContinueStatement':
        return [];
      case 'LabeledStatement':
        return [node.body];
      case 'ExpressionStatement':
        return node.directive === undefined ? [node.expression] : [];
      case 'UnaryExpression':
        if (node.operator !== 'void' || node.argument.type !== 'Literal') return [node.argument];
        addExpression('void 0', node);
        return [];
      case 'Literal':
        if (typeof node.value === 'string') addExpression(JSON.stringify(node.value), node);
        return [];
      case 'TaggedTemplateExpression':
        return [node.tag, ...node.quasi.expressions];
      case 'TemplateLiteral':
        if (node.expressions.length === 0) addExpression(JSON.stringify(node.quasis[0]?.value.cooked), node);
        return node.expressions;
      case 'Identifier':
        if (isGlobal(node)) addExpression(node.name, node);
        return [];
      case 'MemberExpression': {
        const { object, property } = node;
        if (node.computed || property.type !== 'Identifier') return [object, property];
        if (isGlobal(object) && namespaces.has(object.name)) {
          addExpression(`${object.name}.${property.name}`, node);
          return [];
        }
        const start = node.optional ? property.start : program.lastIndexOf('.', property.start);
        add(JSON.stringify(property.name), { ...property, start }, (name) => `[${name}]`);
        return [object];
      }
      case 'Property':
        if (!node.computed) addKey(node.key, node.shorthand);
        return node.computed ? [node.key, node.value] : [node.value];
      case 'MethodDefinition':
      case 'PropertyDefinition':
        if (!node.computed) addKey(node.key, false);
        return [...(node.computed ? [node.key] : []), ...(node.value ? [node.value] : [])];
      default:
        return partsOf(node);
    }
  };
  const visit = (node: AnyNode): void => {
    for (const part of look(node)) visit(part);
  };
  visit(tree);
  return places;
}

function isWord(character: string): boolean {
  return /[\w$]/.test(character);
}

/** Every name that the program itself declares somewhere. */
function boundNames(tree: Program): ReadonlySet<string> {
  const names = new Set<string>();
  const bind = (node: AnyNode): void => {
    if (node.type === 'Identifier') names.add(node.name);
    else if (node.type === 'AssignmentPattern') bind(node.left);
    else if (node.type === 'Property') bind(node.value);
    else for (const child of partsOf(node)) if (node.type !== 'MemberExpression') bind(child);
  };
  for (const node of everyNode(tree)) {
    if ('params' in node) for (const parameter of node.params) bind(parameter);
    if ('id' in node && node.id) bind(node.id);
    if ('local' in node && node.local) bind(node.local);
    if (node.type === 'CatchClause' && node.param) bind(node.param);
  }
  return names;
}
