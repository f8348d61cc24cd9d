import type { ExecutionGraph } from '../graph/execution-graph.ts';
import type { GraphNode, NodeInput } from '../graph/job-graph.ts';
import { MIN_WATERMARK } from '../time/watermark.ts';
import type { Waiting } from '../runtime/operator.ts';
import type { MemberMeter } from '../runtime/member-meter.ts';
import type { Attempt } from './attempt.ts';
import type { JobStatus, OperatorStatus, SinkStatus, SourceStatus } from './job-status.ts';

/** Facts that a job's status is made from. */
export interface JobFacts
  extends Pick<
    JobStatus,
    'state' | 'stateSince' | 'startedAt' | 'generation' | 'restarts' | 'failures' | 'checkpoints'
  > {
  readonly graph: ExecutionGraph;
  readonly attempt: Attempt | null;
  readonly intervalMs: number;
}

/** What the admin API, metrics and tests see of a job. */
export function describeJob(facts: JobFacts): JobStatus {
  const { graph, attempt } = facts;
  const { job } = graph;
  return {
    name: job.name,
    state: facts.state,
    generation: facts.generation,
    startedAt: facts.startedAt,
    stateSince: facts.stateSince,
    restarts: facts.restarts,
    checkpointIntervalMs: facts.intervalMs,
    maxParallelism: job.options.maxParallelism,
    failures: facts.failures,
    operators: job.nodes.flatMap((node) =>
      node.kind === 'stage' ? [] : [operatorStatus(node, graph, attempt)],
    ),
    edges: edgesOf(graph),
    sources: attempt === null ? [] : attempt.meters.flatMap(sourceStatus),
    sinks:
      attempt === null
        ? []
        : [...attempt.sinks.values()].map(
            (sink): SinkStatus => ({
              operator: sink.operator,
              kind: sink.sink.kind,
              target: sink.sink.target,
              guarantee: sink.sink.guarantee,
              stats: sink.stats(),
            }),
          ),
    checkpoints: facts.checkpoints,
  };
}

function operatorStatus(
  node: Exclude<GraphNode, { kind: 'stage' }>,
  graph: ExecutionGraph,
  attempt: Attempt | null,
): OperatorStatus {
  const meters = attempt?.meters.filter((meter) => meter.id === node.id) ?? [];
  const counters = meters.map((meter) => meter.operator?.counters?.());
  const vertex = graph.vertices.find((v) => v.members.some((member) => member.id === node.id));
  const tasks = attempt?.tasks.filter((task) => task.id === vertex?.id) ?? [];
  const recordsIn = sum(meters, (m) => m.recordsIn);
  const inputWatermarks = (meters[0]?.watermarks ?? []).map((_, input) =>
    reached(meters.map((m) => m.watermarks[input] as number)),
  );
  return {
    id: node.id,
    kind:
      node.kind === 'operator'
        ? node.operator.kind
        : node.kind === 'source'
          ? node.source.kind
          : node.sink.kind,
    parallelism: graph.job.options.parallelism,
    recordsIn,
    recordsOut: node.kind === 'source' ? recordsIn : sum(meters, (m) => m.recordsOut),
    lateRecords: sum(counters, (c) => c?.lateRecords ?? 0),
    deadLetters: sum(meters, (m) => m.deadLetters),
    watermark: reached(meters.map((m) => m.watermark)),
    inputWatermarks,
    waiting: earliest(meters.flatMap((m) => m.operator?.waiting?.() ?? [])),
    stateKeys: sum(counters, (c) => c?.keys ?? 0),
    timers: sum(counters, (c) => c?.timers ?? 0),
    busyMs: sum(tasks, (t) => t.busyMs),
    idleMs: sum(tasks, (t) => t.idleMs),
    backpressuredMs: sum(tasks, (t) => t.backpressuredMs),
  };
}

function sourceStatus(meter: MemberMeter): SourceStatus[] {
  return (meter.reader?.status() ?? []).map((status) => ({ operator: meter.id, ...status }));
}

function edgesOf({ job }: ExecutionGraph): JobStatus['edges'] {
  return job.nodes.flatMap((node) => {
    if (node.kind === 'source' || node.kind === 'stage') return [];
    const inputs = node.kind === 'operator' ? node.inputs : [{ ...node.input, partitioning: FORWARD }];
    return inputs.map(({ partitioning, ...input }) => ({
      from: namedAbove(job.nodes, input),
      to: node.id,
      kind: job.options.parallelism > 1 ? partitioning.kind : FORWARD.kind,
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
