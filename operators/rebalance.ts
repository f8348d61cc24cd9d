import { createPassThrough, type Operator, type OperatorDefinition } from '#engine';

/** Gives on what it gets; its input is dealt to all subtasks in turn. */
export function rebalance(): OperatorDefinition<Operator> {
  return { kind: 'rebalance', sides: [], create: createPassThrough };
}
