import type { Stage } from '../runtime/row-loop.ts';
import type {
  GraphNode,
  JobGraph,
  NodeInput,
  OperatorNode,
  Partitioning,
  SinkNode,
  SourceNode,
} from './job-graph.ts';

/**
 * The job as it runs: stateless steps fused into whoever consumes them, and cut into vertices where records change subtask or
 * several inputs meet. A vertex runs as `parallelism` tasks; within one, operators call each other directly.
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

/** One operator inside a vertex. `input` names an earlier member, or null for the vertex's own inputs. */
export type Member =
  | { readonly role: 'source'; readonly id: string; readonly node: SourceNode; readonly input: null }
  | {
      readonly role: 'operator';
      readonly id: string;
      readonly node: OperatorNode;
      readonly stages: readonly Stage[];
      readonly input: MemberInput | null;
    }
  | { readonly role: 'sink'; readonly id: string; readonly node: SinkNode; readonly input: MemberInput }
  /** Runs steps whose result several consumers or a sink take. */
  | {
      readonly role: 'collect';
      readonly id: string;
      readonly stages: readonly Stage[];
      readonly input: MemberInput;
    }
  /** Sends records to the subtasks of `target`, into one of its inputs. */
  | {
      readonly role: 'router';
      readonly id: string;
      readonly stages: readonly Stage[];
      readonly partitioning: Partitioning;
      readonly target: number;
      readonly targetInput: number;
      readonly input: MemberInput;
    };

export interface MemberInput {
  readonly member: number;
  readonly side: string | null;
}

interface Place {
  readonly vertex: number;
  readonly member: number;
}

/** Plans a validated job graph. */
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
          this.#places.set(index, this.#open({ role: 'source', id: node.id, node, input: null }, []));
          break;
        case 'stage':
          // Fused into its only consumer unless several take its output.
          if (this.#consumers[index] !== 1) this.#collect(index);
          break;
        case 'operator':
          this.#places.set(index, this.#placeOperator(node));
          break;
        case 'sink': {
          const { vertex, member, side } = this.#materialised(node);
          this.#add(vertex, { role: 'sink', id: node.id, node, input: { member, side } });
          break;
        }
      }
    });
    return { job: this.#job, vertices: this.#vertices };
  }

  #placeOperator(node: OperatorNode): Place {
    const [only, ...others] = node.inputs;
    if (only !== undefined && others.length === 0 && this.#staysInPlace(only.partitioning)) {
      const { vertex, member, side, stages } = this.#upstream(only);
      return this.#add(vertex, { role: 'operator', id: node.id, node, stages, input: { member, side } });
    }
    const upstream = node.inputs.map((input) => this.#upstream(input));
    const place = this.#open(
      { role: 'operator', id: node.id, node, stages: [], input: null },
      upstream.map(({ vertex }) => vertex),
    );
    for (const [targetInput, { vertex, member, side, stages }] of upstream.entries()) {
      this.#add(vertex, {
        role: 'router',
        id: node.inputs.length === 1 ? `${node.id}~router` : `${node.id}~router-${targetInput}`,
        stages,
        partitioning: (node.inputs[targetInput] as OperatorNode['inputs'][number]).partitioning,
        target: place.vertex,
        targetInput,
        input: { member, side },
      });
    }
    return place;
  }

  #staysInPlace(partitioning: Partitioning): boolean {
    return partitioning.kind === 'forward' || this.#job.options.parallelism === 1;
  }

  /** The nearest placed node above, and the steps between. */
  #upstream(from: NodeInput): Place & { side: string | null; stages: Stage[] } {
    const stages: Stage[] = [];
    let input = from;
    for (;;) {
      const place = this.#places.get(input.node);
      if (place !== undefined) return { ...place, side: input.side, stages: stages.reverse() };
      const above = this.#job.nodes[input.node] as Extract<GraphNode, { kind: 'stage' }>;
      stages.push(above.stage);
      input = above.input;
    }
  }

  /** The same for a consumer that takes no steps of its own. */
  #materialised(node: SinkNode): Place & { side: string | null } {
    const { stages, ...place } = this.#upstream(node.input);
    if (stages.length === 0) return place;
    const collected = this.#add(place.vertex, {
      role: 'collect',
      id: `${node.id}~input`,
      stages,
      input: { member: place.member, side: place.side },
    });
    return { ...collected, side: null };
  }

  #collect(index: number): void {
    const node = this.#job.nodes[index] as Extract<GraphNode, { kind: 'stage' }>;
    const { vertex, member, side, stages } = this.#upstream(node.input);
    this.#places.set(
      index,
      this.#add(vertex, {
        role: 'collect',
        id: `step~${index}`,
        stages: [...stages, node.stage],
        input: { member, side },
      }),
    );
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

/** Whose output a node takes. */
export function inputsOf(node: GraphNode): readonly NodeInput[] {
  if (node.kind === 'source') return [];
  return node.kind === 'operator' ? node.inputs : [node.input];
}
