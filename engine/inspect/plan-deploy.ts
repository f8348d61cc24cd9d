import { isDeepStrictEqual } from 'node:util';
import type { Manifest } from '../checkpoint/manifest.ts';
import type { GraphNode, JobGraph } from '../graph/job-graph.ts';
import { keyFieldsOf } from '../graph/key-fields.ts';
import { DEAD_LETTER_ID } from '../graph/validate.ts';
import { snapshotsOf, storedBytes } from './inspected-checkpoint.ts';
import { planText } from './plan-text.ts';

export interface PlanOptions {
  /** Operators that the job does not have any more, and whose state may be dropped. */
  readonly allowNonRestored?: readonly string[];
  /** Operators whose key fields have other names now and the same values as before. */
  readonly renamedKeys?: readonly string[];
  /** What operators said to their state (rehearseRestore). Missing: only what the manifest tells is judged. */
  readonly refusals?: ReadonlyMap<string, string | null>;
}

/** What a job would find in a checkpoint, before it is deployed. */
export interface DeployPlan {
  /** `refused`: the job would not start, or would not go on as meant. */
  readonly verdict: 'ok' | 'refused';
  /** Of the job in its order, then those that it does not have any more. */
  readonly operators: readonly OperatorPlan[];
  readonly topics: readonly TopicPlan[];
  readonly parallelism: Change<number>;
  readonly maxParallelism: Change<number>;
  /** Whether operators have restored some of their state for it. */
  readonly isRehearsed: boolean;
  /** All of it for people, line by line. */
  readonly text: string;
}

export interface Change<T> {
  readonly from: T;
  readonly to: T;
}

export interface OperatorPlan {
  readonly id: string;
  readonly role: GraphNode['kind'] | 'unknown';
  /** In the job; of those that it does not have any more, in the checkpoint. */
  readonly kind: string;
  readonly status: PlanStatus;
  /** State in the checkpoint, as stored. */
  readonly bytes: number;
  /** Why; null where there is nothing to say. */
  readonly reason: string | null;
}

/**
 * `matched` goes on with its state (or had and needs none); `new` starts without any; `orphaned` state has no operator, which is refused;
 * `dropped` the same, allowed; `incompatible` state is not what the operator needs; `gone` was an operator or sink without state.
 */
export type PlanStatus = 'matched' | 'new' | 'orphaned' | 'dropped' | 'incompatible' | 'gone';

/** A topic of the partition log. */
export interface TopicPlan {
  readonly topic: string;
  /** `kept` is read on; `new` is read from where its source says a new topic is read from; `left` is not read any more. */
  readonly status: 'kept' | 'new' | 'left';
  readonly reason: string | null;
}

/** Compares a job with a checkpoint that it is to begin from: pure. */
export function planDeploy(graph: JobGraph, manifest: Manifest, options: PlanOptions = {}): DeployPlan {
  const named = graph.nodes.flatMap((node) => (node.kind === 'stage' ? [] : [node]));
  const ids = new Set(named.map(({ id }) => id));
  const operators = [
    ...named.map((node) => planNode(node, manifest, options)),
    ...manifest.operators.filter(({ id }) => !ids.has(id)).map((was) => planGone(was, manifest, options)),
  ].filter(({ id, bytes }) => bytes > 0 || !isUnnamed(id));
  const maxParallelism = { from: manifest.maxParallelism, to: graph.options.maxParallelism };
  const isRefused =
    maxParallelism.from !== maxParallelism.to ||
    operators.some(({ status }) => status === 'orphaned' || status === 'incompatible');
  const plan: Omit<DeployPlan, 'text'> = {
    verdict: isRefused ? 'refused' : 'ok',
    operators,
    topics: planTopics(graph, manifest),
    parallelism: { from: manifest.parallelism, to: graph.options.parallelism },
    maxParallelism,
    isRehearsed: options.refusals !== undefined,
  };
  return { ...plan, text: planText(graph.name, manifest, plan) };
}

type NamedNode = Exclude<GraphNode, { readonly kind: 'stage' }>;
type Was = Manifest['operators'][number];

function planNode(node: NamedNode, manifest: Manifest, options: PlanOptions): OperatorPlan {
  const { id, kind: role } = node;
  const kind = kindOf(node);
  const was = manifest.operators.find((operator) => operator.id === id);
  const bytes = bytesOf(manifest, id);
  const base = { id, role, kind, bytes };
  if (was === undefined) return { ...base, status: 'new', reason: newReason(node) };
  const reason = bytes === 0 ? null : incompatibility(node, was, options);
  return { ...base, status: reason === null ? 'matched' : 'incompatible', reason };
}

function newReason(node: NamedNode): string | null {
  if (node.kind === 'operator') return 'starts without state';
  return node.kind === 'source'
    ? `reads from the ${node.options.startFrom} record on`
    : 'gets what comes from now on';
}

/** Why an operator cannot go on with its state; null when it can, as far as is known. */
function incompatibility(
  node: NamedNode,
  was: Was,
  { refusals, renamedKeys = [] }: PlanOptions,
): string | null {
  const kind = kindOf(node);
  const refusal = refusals?.get(node.id);
  // Some kinds can take each other's state: whoever has tried knows.
  if (was.kind !== kind && refusal !== null)
    return `its state was kept by '${was.kind}', the job has '${kind}' there. Give the operator a new id to start it afresh.`;
  if (typeof refusal === 'string') return refusal;
  const fields = keyFieldsOf(node);
  if (was.keys === undefined || fields === null || isDeepStrictEqual(was.keys, fields)) return null;
  if (renamedKeys.includes(node.id) && was.keys.length === fields.length) return null;
  return `its state is keyed by ${was.keys.join(', ')}, the job keys by ${fields.join(', ')}. Give the operator a new id, or say that the fields were only renamed.`;
}

function planGone(
  { id, kind, stateful }: Was,
  manifest: Manifest,
  { allowNonRestored = [] }: PlanOptions,
): OperatorPlan {
  const isSink = manifest.sinks.some((sink) => sink.operator === id);
  const base = {
    id,
    role: isSink ? ('sink' as const) : ('unknown' as const),
    kind,
    bytes: bytesOf(manifest, id),
  };
  if (!stateful) {
    const uncommitted = manifest.sinks.some((sink) => sink.operator === id && sink.committables.length > 0);
    const reason = uncommitted
      ? 'what it had staged is not committed once more: let the job stop before'
      : null;
    return { ...base, status: 'gone', reason };
  }
  if (allowNonRestored.includes(id))
    return { ...base, status: 'dropped', reason: 'allowed: its state is dropped' };
  const reason =
    'the job has no operator with this id. Give it its old id back, or allow its state to be dropped.';
  return { ...base, status: 'orphaned', reason };
}

/** What the log sources read. Other sources keep their positions by themselves. */
function planTopics(graph: JobGraph, { positions }: Manifest): readonly TopicPlan[] {
  const sources = graph.nodes.flatMap((node) =>
    node.kind === 'source' && node.source.kind === 'partition-log' ? [node] : [],
  );
  const before = new Set(positions.map(({ topic }) => topic));
  const now = new Set(sources.map(({ source }) => source.target));
  const planned = [...now].map((topic): TopicPlan => {
    if (before.has(topic)) return { topic, status: 'kept', reason: null };
    const { startFrom } = (sources.find(({ source }) => source.target === topic) as (typeof sources)[number])
      .options;
    return { topic, status: 'new', reason: `is read from its ${startFrom} record on` };
  });
  const left = [...before].filter((topic) => !now.has(topic));
  return [
    ...planned,
    ...left.map((topic): TopicPlan => ({ topic, status: 'left', reason: 'no source reads it any more' })),
  ];
}

function kindOf(node: NamedNode): string {
  return node.kind === 'operator'
    ? node.operator.kind
    : node.kind === 'source'
      ? node.source.kind
      : node.sink.kind;
}

function bytesOf(manifest: Manifest, id: string): number {
  return snapshotsOf(manifest, id).reduce((sum, snapshot) => sum + storedBytes(snapshot), 0);
}

/** Named by its place, since it keeps nothing; or the sink that every job has. */
function isUnnamed(id: string): boolean {
  return id.includes('~') || id === DEAD_LETTER_ID;
}
