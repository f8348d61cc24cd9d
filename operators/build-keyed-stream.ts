import type { KeySelector, NodeInput, OperatorInput } from '#engine';
import { connectedStreams } from './build-connected-streams.ts';
import { windowedStream } from './build-windowed-stream.ts';
import { type KeyedOperator, processOperator } from './define-operator.ts';
import type { GraphBuilder } from './graph-builder.ts';
import type { KeyedStream } from './keyed-stream.ts';
import type { TumblingWindows } from './window/assigner.ts';

/** The fluent interface on a node's output, partitioned by key. */
export function keyedStream(
  builder: GraphBuilder,
  input: NodeInput,
  keys: KeySelector,
): KeyedStream<unknown, unknown> {
  const own: OperatorInput = { ...input, partitioning: { kind: 'hash', keys } };
  const stream: Record<keyof KeyedStream<unknown, unknown>, unknown> = {
    window: (windows: TumblingWindows) => windowedStream(builder, own, { windows, allowedLatenessMs: 0 }),
    process: (id: string, operator: KeyedOperator<unknown, unknown, unknown, unknown>) =>
      builder.operator(id, processOperator(operator), [own]),
    connect: (other: object) => connectedStreams(builder, own, builder.originOf(other, 'connect')),
  };
  return builder.known(stream as unknown as KeyedStream<unknown, unknown>, own);
}
