import {
  type Duration,
  durationMs,
  type GraphNode,
  MillraceError,
  type MultiInputOperator,
  type NodeInput,
  type Operator,
  type OperatorDefinition,
  type OperatorInput,
  type Source,
  type SourceOptions,
} from '#engine';
import type { DataStream } from './data-stream.ts';

/** Records stay with their subtask. */
export const FORWARD = { kind: 'forward' } as const;

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
  /**
   * Keeps the partitions of all sources with the same group within `maxDrift` of event time: those ahead are paused until the
   * others have caught up, so that joins and windows hold less. Default: no bound.
   */
  readonly alignment?: { readonly group: string; readonly maxDrift: Duration };
}

/**
 * Collects a job's nodes as its author calls the fluent interface. Types live in the stream interfaces; here records are
 * `unknown`, and the casts in the `build-…` files are the only ones between the two.
 */
export class GraphBuilder {
  readonly nodes: GraphNode[] = [];
  readonly #origins = new WeakMap<object, OperatorInput>();
  readonly #makeStream: (builder: GraphBuilder, input: NodeInput) => DataStream<unknown>;

  constructor(makeStream: (builder: GraphBuilder, input: NodeInput) => DataStream<unknown>) {
    this.#makeStream = makeStream;
  }

  source(id: string, source: Source<unknown>, settings: SourceSettings): DataStream<unknown> {
    return this.stream(this.add({ kind: 'source', id, source, options: sourceOptions(settings) }));
  }

  add(node: GraphNode): NodeInput {
    this.nodes.push(node);
    return { node: this.nodes.length - 1, side: null };
  }

  stream(input: NodeInput): DataStream<unknown> {
    return this.known(this.#makeStream(this, input), { ...input, partitioning: FORWARD });
  }

  /** Remembers where a stream object comes from, and how it is partitioned. */
  known<S extends object>(stream: S, origin: OperatorInput): S {
    this.#origins.set(stream, origin);
    return stream;
  }

  /** @throws MR_GRAPH_INVALID for a stream of another job */
  originOf(stream: object, what: string): OperatorInput {
    const origin = this.#origins.get(stream);
    if (origin === undefined)
      throw new MillraceError('MR_GRAPH_INVALID', `${what} takes a stream of the same job only.`);
    return origin;
  }

  /** An operator over keyed, broadcast or plain inputs, as the stream of its results with all its side outputs. */
  operator(
    id: string | null,
    operator: OperatorDefinition<Operator> | OperatorDefinition<MultiInputOperator>,
    inputs: readonly OperatorInput[],
  ): DataStream<unknown> & { readonly side: Readonly<Record<string, DataStream<unknown>>> } {
    const { node } = this.add({
      kind: 'operator',
      id: id ?? `${operator.kind}~${this.nodes.length}`,
      operator,
      inputs,
    });
    const side = Object.fromEntries(operator.sides.map((name) => [name, this.stream({ node, side: name })]));
    return Object.assign(this.stream({ node, side: null }), { side });
  }
}

function sourceOptions(settings: SourceSettings): SourceOptions {
  const { alignment } = settings;
  return {
    outOfOrdernessMs: durationMs(settings.outOfOrderness ?? 0, 'outOfOrderness'),
    idleAfterMs: durationMs(settings.idleAfter ?? '10s', 'idleAfter'),
    maxAheadMs: durationMs(settings.maxAhead ?? '5m', 'maxAhead'),
    startFrom: settings.startFrom ?? 'earliest',
    ...(alignment === undefined
      ? {}
      : {
          alignment: {
            group: alignment.group,
            maxDriftMs: durationMs(alignment.maxDrift, 'alignment.maxDrift'),
          },
        }),
  };
}
