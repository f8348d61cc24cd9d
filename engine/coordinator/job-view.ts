import { type ExecutionGraph, partitioningAsRun } from '../graph/execution-graph.ts';
import type { GraphNode, NodeInput } from '../graph/job-graph.ts';
import { MIN_WATERMARK } from '../time/watermark.ts';
import type { Waiting } from '../runtime/operator.ts';
import type { HostStatus, MemberStatus } from '../host/host-protocol.ts';
import { summed } from '../host/sink-writers.ts';
import { type JobSink, sinksOf } from '../runtime/job-sinks.ts';
import type { Attempt } from './attempt.ts';
import type { JobHistory } from './job-history.ts';
import type { JobStatus, OperatorStatus, SinkStatus } from './job-status.ts';

/** Facts that a job's status is made from. */
export interface JobFacts extends Pick<JobStatus, 'state' | 'stateSince' | 'startedAt' | 'generation'> {
  readonly history: JobHistory;
  readonly graph: ExecutionGraph;
  readonly attempt: Attempt | null;
  readonly intervalMs: number;
}

/** What the admin API, metrics and tests see of a job. */
export function describeJob(facts: JobFacts): JobStatus {
  const { graph, attempt, history } = facts;
  const { job } = graph;
  const hosts = attempt?.hosts.map((host) => host.status()) ?? [];
  return {
    name: job.name,
    state: facts.state,
    generation: facts.generation,
    startedAt: facts.startedAt,
    stateSince: facts.stateSince,
    restarts: history.restarts,
    checkpointIntervalMs: facts.intervalMs,
    parallelism: job.options.parallelism,
    maxParallelism: job.options.maxParallelism,
    failures: history.failures,
    operators: job.nodes.flatMap((node) =>
      node.kind === 'stage' ? [] : [operatorStatus(node, graph, hosts)],
    ),
    edges: edgesOf(graph),
    subtasks: hosts.flatMap((host, index) => host.tasks.map((task) => ({ ...task, host: index }))),
    sources: hosts.flatMap((host) => host.sources),
    sinks: attempt === null ? [] : sinksOf(graph).map((sink) => sinkStatus(sink, hosts, attempt)),
    checkpoints: history.checkpoints(),
    rescales: history.rescales,
  };
}

function operatorStatus(
  node: Exclude<GraphNode, { kind: 'stage' }>,
  graph: ExecutionGraph,
  hosts: readonly HostStatus[],
): OperatorStatus {
  const members = hosts.flatMap((host) => host.members.filter(({ id }) => id === node.id));
  const vertex = graph.vertices.find((v) => v.members.some((member) => member.id === node.id));
  const tasks = hosts.flatMap((host) => host.tasks.filter((task) => task.id === vertex?.id));
  const recordsIn = sum(members, (m) => m.recordsIn);
  const inputWatermarks = (members[0]?.watermarks ?? []).map((_, input) =>
    reached(members.map((m) => m.watermarks[input] as number)),
  );
  return {
    id: node.id,
    kind:
      node.kind === 'operator'
        ? node.operator.kind
        : node.kind === 'source'
          ? node.source.kind
          : node.sink.kind,
    vertex: vertex?.id ?? node.id,
    parallelism: graph.job.options.parallelism,
    recordsIn,
    recordsOut: node.kind === 'source' ? recordsIn : sum(members, (m) => m.recordsOut),
    lateRecords: sum(members, (m) => m.lateRecords),
    deadLetters: sum(members, (m) => m.deadLetters),
    watermark: reached(members.map(watermarkOf)),
    inputWatermarks,
    waiting: earliest(members.flatMap((m) => m.waiting ?? [])),
    stateKeys: sum(members, (m) => m.keys),
    timers: sum(members, (m) => m.timers),
    busyMs: sum(tasks, (t) => t.busyMs),
    idleMs: sum(tasks, (t) => t.idleMs),
    backpressuredMs: sum(tasks, (t) => t.backpressuredMs),
    runningMs: sum(tasks, (t) => t.runningMs),
  };
}

/** Event time that has reached all inputs. */
function watermarkOf({ watermarks }: MemberStatus): number {
  return watermarks.length === 0 ? MIN_WATERMARK : Math.min(...watermarks);
}

function sinkStatus({ operator, sink }: JobSink, hosts: readonly HostStatus[], attempt: Attempt): SinkStatus {
  const written = hosts.flatMap((host) => host.sinks.filter((one) => one.operator === operator));
  return {
    operator,
    kind: sink.kind,
    target: sink.target,
    guarantee: sink.guarantee,
    stats: summed([...written.map(({ stats }) => stats), attempt.committed(operator)]),
  };
}

function edgesOf({ job }: ExecutionGraph): JobStatus['edges'] {
  return job.nodes.flatMap((node) => {
    if (node.kind === 'source' || node.kind === 'stage') return [];
    const inputs = node.kind === 'operator' ? node.inputs : [{ ...node.input, partitioning: FORWARD }];
    return inputs.map(({ partitioning, ...input }) => ({
      from: namedAbove(job.nodes, input),
      to: node.id,
      kind:
        job.options.parallelism > 1 ? partitioningAsRun(job, { ...input, partitioning }).kind : FORWARD.kind,
    }));
  });
}

const FORWARD = { kind: 'forward' } as const;

function namedAbove(nodes: readonly GraphNode[], input: NodeInput): string {
  const node = nodes[input.node] as GraphNode;
  if (node.kind === 'stage') return namedAbove(nodes, node.input);
  return input.side === null ? node.id : `${node.id}:${input.side}`;
}

/** The minimum, or null when there is none or some subtask has no event time yet. */
function reached(watermarks: readonly number[]): number | null {
  const least = Math.min(...watermarks);
  return watermarks.length === 0 || least === MIN_WATERMARK ? null : least;
}

/** The first of what several subtasks wait for, with the number of all. */
function earliest(waiting: readonly Waiting[]): Waiting | null {
  const [first] = waiting.toSorted((a, b) => (a.until ?? Infinity) - (b.until ?? Infinity));
  return first === undefined ? null : { ...first, count: sum(waiting, (one) => one.count) };
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
