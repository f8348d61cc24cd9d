import {
  durationMs,
  type KeySelector,
  type MultiInputOperator,
  type NodeInput,
  type OperatorDefinition,
  type OperatorInput,
  signedDurationMs,
} from '#engine';
import { connectedStreams } from './build-connected-streams.ts';
import { windowedStream } from './build-windowed-stream.ts';
import { type KeyedOperator, processOperator } from './define-operator.ts';
import type { GraphBuilder } from './graph-builder.ts';
import { type DistinctOptions, distinct } from './distinct.ts';
import { intervalJoin } from './join/interval-join.ts';
import { type TemporalJoinOptions, temporalJoin } from './join/temporal-join.ts';
import { coGroup } from './join/co-group.ts';
import { windowJoin } from './join/window-join.ts';
import type { CoGroup, IntervalJoin, WindowJoin } from './joined-stream.ts';
import { type PatternMatchSpec, patternMatch } from './pattern/pattern-operator.ts';
import { reduce } from './reduce.ts';
import { type TopNOptions, topN } from './top-n.ts';
import type { KeyedStream } from './keyed-stream.ts';
import type { WindowAssigner } from './window/general-window-spec.ts';

/** The fluent interface on a node's output, partitioned by key. */
export function keyedStream(
  builder: GraphBuilder,
  input: NodeInput,
  keys: KeySelector,
): KeyedStream<unknown, unknown> {
  const own: OperatorInput = { ...input, partitioning: { kind: 'hash', keys } };
  const joined = (id: string, right: object, operator: OperatorDefinition<MultiInputOperator>) =>
    builder.operator(id, operator, [own, builder.originOf(right, 'a join')]);
  const stream: Record<keyof KeyedStream<unknown, unknown>, unknown> = {
    window: (windows: WindowAssigner) =>
      windowedStream(builder, own, { windows, allowedLatenessMs: 0, trigger: null, isAll: false }),
    process: (id: string, operator: KeyedOperator<unknown, unknown, unknown, unknown>) =>
      builder.operator(id, processOperator(operator), [own]),
    reduce: (id: string, join: (value: unknown, record: unknown) => unknown) =>
      builder.operator(id, reduce({ reduce: join }), [own]),
    distinct: (id: string, options: DistinctOptions<unknown>) =>
      builder.operator(id, distinct(options), [own]),
    topN: (id: string, options: TopNOptions<never>) => builder.operator(id, topN(options), [own]),
    match: (id: string, spec: PatternMatchSpec<unknown, unknown, unknown, unknown>) =>
      builder.operator(id, patternMatch(spec), [own]),
    intervalJoin: (id: string, right: object, options: IntervalJoin<never, never, unknown, 'full'>) => {
      const lowerMs = signedDurationMs(options.lower, `lower bound of '${id}'`);
      const upperMs = signedDurationMs(options.upper, `upper bound of '${id}'`);
      return joined(id, right, intervalJoin({ ...options, lowerMs, upperMs }));
    },
    windowJoin: (
      id: string,
      right: object,
      { allowedLateness = 0, ...rest }: WindowJoin<never, never, unknown>,
    ) => {
      const allowedLatenessMs = durationMs(allowedLateness, `allowed lateness of '${id}'`);
      return joined(id, right, windowJoin({ ...rest, allowedLatenessMs }));
    },
    coGroup: (
      id: string,
      right: object,
      { allowedLateness = 0, ...rest }: CoGroup<never, never, never, unknown>,
    ) => {
      const allowedLatenessMs = durationMs(allowedLateness, `allowed lateness of '${id}'`);
      return joined(id, right, coGroup({ ...rest, allowedLatenessMs }));
    },
    temporalJoin: (
      id: string,
      versions: object,
      options: TemporalJoinOptions<never, never, unknown, 'left'>,
    ) => joined(id, versions, temporalJoin(options)),
    connect: (other: object) => connectedStreams(builder, own, builder.originOf(other, 'connect')),
  };
  return builder.known(stream as unknown as KeyedStream<unknown, unknown>, own);
}
