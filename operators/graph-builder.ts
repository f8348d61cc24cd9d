import {
  type Duration,
  durationMs,
  type GraphNode,
  type Guarantee,
  type KeySelector,
  MillraceError,
  type NodeInput,
  type OperatorDefinition,
  type Partitioning,
  type Sink,
  type Source,
  type SourceOptions,
  type Stage,
} from '#engine';
import { type AsyncMapOptions, asyncMap } from './async-map.ts';
import type { DataStream } from './data-stream.ts';
import { type KeyedOperator, processOperator } from './define-operator.ts';
import type { KeyedStream } from './keyed-stream.ts';
import type { AggregateFunction } from './window/aggregate-function.ts';
import type { AggregateSpec } from './window/aggregates.ts';
import type { TumblingWindows } from './window/assigner.ts';
import { planCells } from './window/cells.ts';
import { LATE, windowAggregate } from './window/window-operator.ts';
import type { WindowedStream } from './windowed-stream.ts';

/** How a source's event time behaves. */
export interface SourceSettings {
  /** How far behind the newest time a record may be and still be on time. Default `'0ms'`. */
  readonly outOfOrderness?: Duration;
  /** Quiet for this long at the head of its partition, a producer or partition is not waited for. Default `'10s'`. */
  readonly idleAfter?: Duration;
  /** Records further ahead of the wall clock go to dead letters and move no time. Default `'5m'`. */
  readonly maxAhead?: Duration;
  /** Where a job without a checkpoint starts. Default `'earliest'`. */
  readonly startFrom?: 'earliest' | 'latest';
}

/**
 * Collects a job's nodes as its author calls the fluent interface. Types live in the stream interfaces; here records are
 * `unknown`, and the casts in this file are the only ones between the two.
 */
export class GraphBuilder {
  readonly nodes: GraphNode[] = [];

  source(id: string, source: Source<unknown>, settings: SourceSettings): DataStream<unknown> {
    return this.#stream(this.#add({ kind: 'source', id, source, options: sourceOptions(settings) }));
  }

  #stream(input: NodeInput): DataStream<unknown> {
    const stage = (kind: Stage['kind'], run: unknown) =>
      this.#stream(this.#add({ kind: 'stage', stage: { kind, run } as Stage, input }));
    const stream: Omit<DataStream<unknown>, 'filter' | 'keyBy' | 'asyncMap' | 'to'> &
      Record<'filter' | 'keyBy' | 'asyncMap' | 'to', unknown> = {
      filter: (predicate: unknown) => stage('filter', predicate),
      map: (transform) => stage('map', transform) as never,
      flatMap: (transform) => stage('flatMap', transform) as never,
      keyBy: (...selectors: readonly unknown[]) => this.#keyed(input, selectorOf(selectors)),
      asyncMap: (id: string, transform: (record: unknown) => unknown, options: AsyncMapOptions = {}) =>
        this.#operator(id, asyncMap(transform, options), input, null),
      to: (id: string, sink: Sink<unknown>) => void this.#add({ kind: 'sink', id, sink, input }),
    };
    return stream as DataStream<unknown>;
  }

  #keyed(input: NodeInput, keys: KeySelector): KeyedStream<unknown, unknown> {
    return {
      window: (windows) => this.#windowed(input, keys, windows, 0),
      process: (id, operator) => {
        const stream = this.#operator(
          id,
          processOperator(operator as KeyedOperator<unknown, unknown, unknown, unknown>),
          input,
          keys,
        );
        const sides = Object.keys(operator.sides ?? {}).map((name) => [
          name,
          this.#sideOf(stream.node, name),
        ]);
        return { ...stream, side: Object.fromEntries(sides) } as never;
      },
    };
  }

  #windowed(
    input: NodeInput,
    keys: KeySelector,
    windows: TumblingWindows,
    allowedLatenessMs: number,
  ): WindowedStream<unknown, unknown> {
    return {
      allowedLateness: (lateness) =>
        this.#windowed(input, keys, windows, durationMs(lateness, 'allowed lateness')),
      aggregate: (id: string, how: AggregateSpec<unknown> | AggregateFunction<unknown, unknown, unknown>) => {
        const isFunction = typeof (how as { createAccumulator?: unknown }).createAccumulator === 'function';
        const operator = windowAggregate({
          windows,
          allowedLatenessMs,
          plan: planCells(isFunction ? {} : (how as AggregateSpec<never>)),
          fold: isFunction ? (how as AggregateFunction<unknown, unknown, unknown>) : null,
        });
        const stream = this.#operator(id, operator, input, keys);
        return { ...stream, side: { late: this.#sideOf(stream.node, LATE) } } as never;
      },
    };
  }

  #operator(
    id: string,
    operator: OperatorDefinition,
    input: NodeInput,
    keys: KeySelector | null,
  ): DataStream<unknown> & { readonly node: number } {
    const partitioning: Partitioning = keys === null ? { kind: 'forward' } : { kind: 'hash', keys };
    const { node } = this.#add({ kind: 'operator', id, operator, inputs: [{ ...input, partitioning }] });
    return { ...this.#stream({ node, side: null }), node };
  }

  #sideOf(node: number, side: string): DataStream<unknown, Guarantee> {
    return this.#stream({ node, side });
  }

  #add(node: GraphNode): NodeInput {
    this.nodes.push(node);
    return { node: this.nodes.length - 1, side: null };
  }
}

function selectorOf(selectors: readonly unknown[]): KeySelector {
  const [first] = selectors;
  if (typeof first === 'function') return { kind: 'function', select: first as (row: unknown) => unknown };
  if (selectors.length === 0 || !selectors.every((field) => typeof field === 'string')) {
    throw new MillraceError('MR_GRAPH_INVALID', 'keyBy needs field names or one function.');
  }
  return { kind: 'fields', fields: selectors as readonly string[] };
}

function sourceOptions(settings: SourceSettings): SourceOptions {
  return {
    outOfOrdernessMs: durationMs(settings.outOfOrderness ?? 0, 'outOfOrderness'),
    idleAfterMs: durationMs(settings.idleAfter ?? '10s', 'idleAfter'),
    maxAheadMs: durationMs(settings.maxAhead ?? '5m', 'maxAhead'),
    startFrom: settings.startFrom ?? 'earliest',
  };
}
