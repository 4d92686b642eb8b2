import type { AnyNode } from 'acorn';

/** The parts of a node of a syntax tree, in the order of the text. */
export function partsOf(node: AnyNode): readonly AnyNode[] {
  return Object.values(node).flat().filter(isNode);
}

function isNode(value: unknown): value is AnyNode {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}

/** A node, its parts, their parts, …. */
export function* everyNode(node: AnyNode): Generator<AnyNode> {
  yield node;
  for (const part of partsOf(node)) yield* everyNode(part);
}
