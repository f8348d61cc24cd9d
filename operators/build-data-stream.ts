import { type KeySelector, MillraceError, type NodeInput, type Sink, type Stage } from '#engine';
import { type AsyncMapOptions, asyncMap } from './async-map.ts';
import { connectedStreams } from './build-connected-streams.ts';
import { windowedStream } from './build-windowed-stream.ts';
import { keyedStream } from './build-keyed-stream.ts';
import type { DataStream } from './data-stream.ts';
import type { LookupKey } from './async/lookup-cache.ts';
import { type LookupJoinOptions, lookupJoin } from './lookup-join.ts';
import { FORWARD, type GraphBuilder } from './graph-builder.ts';
import { rebalance } from './rebalance.ts';
import { split } from './split.ts';
import type { WindowAssigner } from './window/general-window-spec.ts';
import { union } from './union.ts';

/** Each batch to the next subtask. */
const REBALANCE = { kind: 'rebalance' } as const;
/** All records meet in one subtask. */
const ONE_KEY = { kind: 'hash', keys: { kind: 'function', select: () => 0 } } as const;

/** The fluent interface on one node's output. */
export function dataStream(builder: GraphBuilder, input: NodeInput): DataStream<unknown> {
  const own = { ...input, partitioning: FORWARD };
  const step = (stage: Stage) => builder.stream(builder.add({ kind: 'stage', stage, input }));
  const stream: Record<keyof DataStream<unknown>, unknown> = {
    filter: (run: (row: unknown) => boolean) => step({ kind: 'filter', run }),
    map: (run: (row: unknown) => unknown) => step({ kind: 'map', run }),
    flatMap: (run: (row: unknown) => Iterable<unknown>) => step({ kind: 'flatMap', run }),
    derive: (fields: Readonly<Record<string, (row: unknown) => unknown>>) =>
      step({ kind: 'derive', fields: new Map(Object.entries(fields)) }),
    union: (...others: readonly object[]) =>
      builder.operator(null, union(), [own, ...others.map((other) => builder.originOf(other, 'union'))]),
    rebalance: () => builder.operator(null, rebalance(), [{ ...input, partitioning: REBALANCE }]),
    split: (branches: Readonly<Record<string, (row: unknown) => boolean>>) =>
      builder.operator(null, split(branches), [own]),
    through: (fragment: (stream: unknown) => unknown) => fragment(builder.stream(input)),
    keyBy: (...selectors: readonly unknown[]) => keyedStream(builder, input, selectorOf(selectors)),
    windowAll: (windows: WindowAssigner) =>
      windowedStream(
        builder,
        { ...input, partitioning: ONE_KEY },
        { windows, allowedLatenessMs: 0, trigger: null, isAll: true },
      ),
    broadcast: () => builder.known({}, { ...input, partitioning: { kind: 'broadcast' } }),
    connect: (broadcast: object) => connectedStreams(builder, own, builder.originOf(broadcast, 'connect')),
    asyncMap: (id: string, transform: (record: unknown) => unknown, options: AsyncMapOptions = {}) =>
      builder.operator(id, asyncMap(transform, options), [own]),
    lookupJoin: (id: string, options: LookupJoinOptions<unknown, LookupKey, unknown, unknown>) =>
      builder.operator(id, lookupJoin(options), [own]),
    to: (id: string, sink: Sink<unknown>) => void builder.add({ kind: 'sink', id, sink, input }),
  };
  return stream as unknown as DataStream<unknown>;
}

function selectorOf(selectors: readonly unknown[]): KeySelector {
  const [first] = selectors;
  if (typeof first === 'function') return { kind: 'function', select: first as (row: unknown) => unknown };
  if (selectors.length === 0 || !selectors.every((field) => typeof field === 'string')) {
    throw new MillraceError('MR_GRAPH_INVALID', 'keyBy needs field names or one function.');
  }
  return { kind: 'fields', fields: selectors as readonly string[] };
}
