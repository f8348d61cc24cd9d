import type { Clock } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import type { CheckpointStore } from '../checkpoint/checkpoint-store.ts';
import type { GroupRange, Manifest, SnapshotRef } from '../checkpoint/manifest.ts';
import { decodeGroup, decodeHead } from '../checkpoint/snapshot-codec.ts';
import type { JobGraph, OperatorNode } from '../graph/job-graph.ts';
import type { OperatorContext, OperatorState, Output } from '../runtime/operator.ts';
import { groupsOf, snapshotsOf } from './inspected-checkpoint.ts';
import { RangeReader } from './range-reader.ts';

export interface RehearsalOptions {
  /** Restores every key group, not one per operator: what only some groups hold is found too, at the cost of reading all state. */
  readonly full?: boolean;
}

/**
 * Has the operators of a job restore stored state, one key group at a time, as far as that can be done without running anything: each is
 * made, restored and closed; it is given no record and no turn. User code runs where a restore calls it: upgrades, and what
 * loads state.
 * @returns per operator that has state why it refuses it; null when it does not
 * @throws MR_CHECKPOINT_CORRUPT, MR_STATE_INCOMPATIBLE when the checkpoint itself cannot be read
 */
export async function rehearseRestore(
  store: CheckpointStore,
  graph: JobGraph,
  manifest: Manifest,
  { full = false }: RehearsalOptions = {},
): Promise<ReadonlyMap<string, string | null>> {
  const reader = new RangeReader(store, manifest.job);
  const refusals = new Map<string, string | null>();
  for (const node of graph.nodes) {
    if (node.kind !== 'operator' || snapshotsOf(manifest, node.id).length === 0) continue;
    refusals.set(node.id, await new Rehearsal(reader, graph, manifest, node).run(full));
  }
  return refusals;
}

class Rehearsal {
  readonly #reader: RangeReader;
  readonly #graph: JobGraph;
  readonly #manifest: Manifest;
  readonly #node: OperatorNode;

  constructor(reader: RangeReader, graph: JobGraph, manifest: Manifest, node: OperatorNode) {
    this.#reader = reader;
    this.#graph = graph;
    this.#manifest = manifest;
    this.#node = node;
  }

  /** The first refusal, or null. */
  async run(full: boolean): Promise<string | null> {
    const snapshots = snapshotsOf(this.#manifest, this.#node.id);
    const ranges = [...groupsOf(this.#manifest, this.#node.id).values()].flat();
    const [head] = snapshots as [SnapshotRef];
    // Subtasks' own state, and that all share, goes with the first.
    const first = await this.#refusal(await this.#part(head, ranges[0] ?? null));
    if (first !== null || !full) return first;
    for (const snapshot of snapshots) {
      for (const range of [null, ...snapshot.groups]) {
        const refusal = await this.#refusal(await this.#part(snapshot, range));
        if (refusal !== null) return refusal;
      }
    }
    return null;
  }

  async #part({ head }: SnapshotRef, range: GroupRange | null): Promise<OperatorState> {
    const groups = new Map<number, unknown>();
    if (range !== null) groups.set(range.group, decodeGroup(await this.#reader.read(range)));
    return { ...decodeHead(await this.#reader.read(head)), groups };
  }

  async #refusal(part: OperatorState): Promise<string | null> {
    try {
      const operator = this.#node.operator.create(this.#context());
      try {
        operator.restore?.([part]);
      } finally {
        await operator.close?.();
      }
      return null;
    } catch (error) {
      return errorText(error);
    }
  }

  #context(): OperatorContext {
    const { options, name } = this.#graph;
    const { inputs, id } = this.#node;
    const inputKeys = inputs.map(({ partitioning }) =>
      partitioning.kind === 'hash' ? partitioning.keys : null,
    );
    return {
      job: name,
      operator: id,
      subtask: 0,
      parallelism: 1,
      maxParallelism: options.maxParallelism,
      generation: this.#manifest.generation,
      clock: stoppedAt(this.#manifest.completedAt),
      signal: AbortSignal.abort(),
      stages: [],
      inputStages: [],
      keys: inputKeys[0] ?? null,
      inputKeys,
      output: NOWHERE,
      side: () => NOWHERE,
      onRecordError(error) {
        throw error;
      },
      wake() {},
      interpreted: true,
    };
  }
}

const NOWHERE: Output = { records() {}, watermark() {}, idle() {} };

/** Time does not go on: timers that are restored do not fire, and what had not expired does not expire. */
function stoppedAt(now: number): Clock {
  return {
    now: () => now,
    monotonic: () => 0,
    after: () => () => {},
    sleep: () => new Promise(() => {}),
    yieldTurn: () => Promise.resolve(),
  };
}
