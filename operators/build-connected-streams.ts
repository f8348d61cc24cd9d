import type { OperatorInput } from '#engine';
import { broadcastOperator, type DefinedBroadcastOperator } from './define-broadcast-operator.ts';
import { coProcessOperator, type KeyedCoOperator } from './define-co-operator.ts';
import type { GraphBuilder } from './graph-builder.ts';

type AnyOperator =
  | KeyedCoOperator<unknown, unknown, unknown, unknown, unknown>
  | DefinedBroadcastOperator<never, unknown, unknown, unknown, unknown>;

/** The fluent interface on two inputs. */
export function connectedStreams(
  builder: GraphBuilder,
  left: OperatorInput,
  right: OperatorInput,
): { readonly process: (id: string, operator: AnyOperator) => unknown } {
  return {
    process: (id, operator) => {
      const definition = 'onLeft' in operator ? coProcessOperator(operator) : broadcastOperator(operator);
      return builder.operator(id, definition, [left, right]);
    },
  };
}
