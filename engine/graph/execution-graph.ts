import { MillraceError } from '../base/errors.ts';
import { samePartitioning } from '../key/key-partitioner.ts';
import type { Stage } from '../runtime/row-loop.ts';
import type {
  GraphNode,
  JobGraph,
  NodeInput,
  OperatorInput,
  OperatorNode,
  Partitioning,
  SinkNode,
  SourceNode,
} from './job-graph.ts';

/**
 * The job as it runs: stateless steps fused into whoever consumes them, and cut into vertices where records change subtask or
 * inputs of several vertices meet. A vertex runs as `parallelism` tasks; within one, operators call each other directly.
 */
export interface ExecutionGraph {
  readonly job: JobGraph;
  readonly vertices: readonly Vertex[];
}

export interface Vertex {
  /** Id of its first operator. */
  readonly id: string;
  readonly index: number;
  /** In call order; the first one is fed by the source's reader or by the input gate. */
  readonly members: readonly Member[];
  /** Per input, the vertex whose router feeds it; empty for a source. */
  readonly upstream: readonly number[];
}

/** One operator inside a vertex, with where its inputs come from; none where the vertex's own inputs are its inputs. */
export type Member =
  | { readonly role: 'source'; readonly id: string; readonly node: SourceNode; readonly inputs: readonly [] }
  | {
      readonly role: 'operator';
      readonly id: string;
      readonly node: OperatorNode;
      readonly inputs: readonly MemberInput[];
      /** Records come by their source's partitions, not by a router: it must see for itself that a key is its subtask's (EG2). */
      readonly checksKeys: boolean;
    }
  | {
      readonly role: 'sink';
      readonly id: string;
      readonly node: SinkNode;
      readonly inputs: readonly [MemberInput];
    }
  /** Runs steps whose result several consumers or a sink take. */
  | { readonly role: 'collect'; readonly id: string; readonly inputs: readonly [MemberInput] }
  /** Sends records to the subtasks of `target`, into one of its inputs. */
  | {
      readonly role: 'router';
      readonly id: string;
      readonly partitioning: Partitioning;
      readonly target: number;
      readonly targetInput: number;
      readonly inputs: readonly [MemberInput];
    };

/** An earlier member of the vertex, which of its outputs, and the steps that whoever takes it runs first. */
export interface MemberInput {
  readonly member: number;
  readonly side: string | null;
  readonly stages: readonly Stage[];
}

interface Place {
  readonly vertex: number;
  readonly member: number;
}

/**
 * Plans a validated job graph.
 *
 * EG1 a keyed input keeps its records where its source reads them when the source is partitioned by the same fields into as many key
 *     groups as the job has, parallelism divides the partitions, and only filters and derivations of other fields lie between.
 * EG2 whoever takes such an input checks each key that it has not seen: a producer that partitions otherwise is found out, and no two
 *     subtasks keep one key.
 */
export function planExecution(job: JobGraph): ExecutionGraph {
  return new Planner(job).plan();
}

class Planner {
  readonly #job: JobGraph;
  readonly #vertices: { id: string; index: number; members: Member[]; upstream: number[] }[] = [];
  readonly #places = new Map<number, Place>();
  readonly #consumers: number[];

  constructor(job: JobGraph) {
    this.#job = job;
    this.#consumers = job.nodes.map(
      (_, i) => job.nodes.flatMap(inputsOf).filter((input) => input.node === i).length,
    );
  }

  plan(): ExecutionGraph {
    this.#job.nodes.forEach((node, index) => {
      switch (node.kind) {
        case 'source':
          this.#places.set(index, this.#open({ role: 'source', id: node.id, node, inputs: [] }, []));
          break;
        case 'stage':
          // Fused into its only consumer unless several take its output.
          if (this.#consumers[index] !== 1) this.#collect(index);
          break;
        case 'operator':
          this.#places.set(index, this.#placeOperator(node));
          break;
        case 'sink':
          this.#placeSink(node);
          break;
      }
    });
    return { job: this.#job, vertices: this.#vertices };
  }

  #placeOperator(node: OperatorNode): Place {
    const checksKeys = node.inputs.some((input) => staysByKey(this.#job, input));
    const upstream = node.inputs.map((input) => this.#upstream(input));
    const [first] = upstream;
    const shares = upstream.every(({ vertex }) => vertex === first?.vertex);
    if (first !== undefined && shares && node.inputs.every((input) => this.#staysInPlace(input))) {
      const inputs = upstream.map(({ input }) => input);
      return this.#add(first.vertex, { role: 'operator', id: node.id, node, inputs, checksKeys });
    }
    const place = this.#open(
      { role: 'operator', id: node.id, node, inputs: [], checksKeys },
      upstream.map(({ vertex }) => vertex),
    );
    for (const [targetInput, { vertex, input }] of upstream.entries()) {
      this.#add(vertex, {
        role: 'router',
        id: node.inputs.length === 1 ? `${node.id}~router` : `${node.id}~router-${targetInput}`,
        partitioning: partitioningAsRun(this.#job, node.inputs[targetInput] as OperatorInput),
        target: place.vertex,
        targetInput,
        inputs: [input],
      });
    }
    return place;
  }

  /** A sink takes no steps of its own. */
  #placeSink(node: SinkNode): void {
    const { vertex, input } = this.#upstream(node.input);
    let from = input;
    if (input.stages.length > 0) {
      const { member } = this.#add(vertex, { role: 'collect', id: `${node.id}~input`, inputs: [input] });
      from = { member, side: null, stages: [] };
    }
    this.#add(vertex, { role: 'sink', id: node.id, node, inputs: [from] });
  }

  #staysInPlace(input: OperatorInput): boolean {
    return this.#job.options.parallelism === 1 || partitioningAsRun(this.#job, input).kind === 'forward';
  }

  /** The nearest placed node above, and the steps between. */
  #upstream(from: NodeInput): { readonly vertex: number; readonly input: MemberInput } {
    const stages: Stage[] = [];
    let input = from;
    for (;;) {
      const place = this.#places.get(input.node);
      if (place !== undefined) {
        const { vertex, member } = place;
        return { vertex, input: { member, side: input.side, stages: stages.reverse() } };
      }
      const above = this.#job.nodes[input.node] as Extract<GraphNode, { kind: 'stage' }>;
      stages.push(above.stage);
      input = above.input;
    }
  }

  #collect(index: number): void {
    const node = this.#job.nodes[index] as Extract<GraphNode, { kind: 'stage' }>;
    const { vertex, input } = this.#upstream(node.input);
    const inputs = [{ ...input, stages: [...input.stages, node.stage] }] as const;
    this.#places.set(index, this.#add(vertex, { role: 'collect', id: `step~${index}`, inputs }));
  }

  #open(member: Member, upstream: number[]): Place {
    const index = this.#vertices.length;
    this.#vertices.push({ id: member.id, index, members: [member], upstream });
    return { vertex: index, member: 0 };
  }

  #add(vertex: number, member: Member): Place {
    const members = (this.#vertices[vertex] as { members: Member[] }).members;
    members.push(member);
    return { vertex, member: members.length - 1 };
  }
}

/** How an input's records find their subtask: as declared, or `forward` where they are in their key's subtask already (EG1). */
export function partitioningAsRun(job: JobGraph, input: OperatorInput): Partitioning {
  return staysByKey(job, input) ? { kind: 'forward' } : input.partitioning;
}

/** The partitioning of the edge that feeds an input of a vertex. */
export function partitioningInto({ vertices }: ExecutionGraph, vertex: Vertex, input: number): Partitioning {
  for (const member of vertices[vertex.upstream[input] as number]?.members ?? []) {
    if (member.role === 'router' && member.target === vertex.index && member.targetInput === input)
      return member.partitioning;
  }
  throw new MillraceError('MR_INVARIANT', `Nothing feeds input ${input} of vertex '${vertex.id}'.`);
}

function staysByKey(job: JobGraph, input: OperatorInput): boolean {
  const { parallelism, maxParallelism: keyGroups } = job.options;
  const { partitioning } = input;
  if (parallelism === 1 || partitioning.kind !== 'hash' || partitioning.keys.kind === 'function')
    return false;
  const { fields } = partitioning.keys;
  const source = sourceAbove(job, input, fields);
  if (source?.partitioned === undefined) return false;
  const { by, partitions } = source.partitioned;
  return partitions % parallelism === 0 && samePartitioning(by, { fields, keyGroups });
}

/** The source whose records come to an input with `fields` as they were; null when there is none. */
function sourceAbove(
  job: JobGraph,
  input: NodeInput,
  fields: readonly string[],
): SourceNode['source'] | null {
  const node = job.nodes[input.node] as GraphNode;
  if (node.kind === 'source') return node.source;
  if (node.kind !== 'stage') return null;
  const { stage } = node;
  const keeps =
    stage.kind === 'filter' || (stage.kind === 'derive' && !fields.some((field) => stage.fields.has(field)));
  return keeps ? sourceAbove(job, node.input, fields) : null;
}

/** Whose output a node takes. */
export function inputsOf(node: GraphNode): readonly NodeInput[] {
  if (node.kind === 'source') return [];
  return node.kind === 'operator' ? node.inputs : [node.input];
}
