import type { KeySelector } from '../state/key-space.ts';
import type { GraphNode } from './job-graph.ts';

/** How a node's input is keyed: the first that is, where it has several, since they share their keys; null when none is. */
export function keySelectorOf(node: GraphNode): KeySelector | null {
  if (node.kind !== 'operator') return null;
  for (const { partitioning } of node.inputs) if (partitioning.kind === 'hash') return partitioning.keys;
  return null;
}

/** The named fields that a node's input is keyed by; null where a function gives the key, or none. */
export function keyFieldsOf(node: GraphNode): readonly string[] | null {
  const selector = keySelectorOf(node);
  return selector?.kind === 'fields' ? selector.fields : null;
}
