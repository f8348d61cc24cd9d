import type { CheckpointId } from '../base/brand.ts';
import { MillraceError } from '../base/errors.ts';
import type { TopicPosition } from '../log/partition-log.ts';
import type { OperatorState } from '../runtime/operator.ts';
import type { Task, TaskSnapshot } from '../runtime/task.ts';

/** What all tasks of a host have handed in for one barrier. */
export interface GatheredBarrier {
  readonly states: readonly OperatorSnapshot[];
  readonly positions: readonly TopicPosition[];
  readonly alignmentMs: number;
  readonly syncMs: number;
}

export interface OperatorSnapshot {
  readonly operator: string;
  readonly subtask: number;
  readonly state: OperatorState;
}

/**
 * Gathers what a host's tasks hand in for one barrier. It may begin before the host was told of the checkpoint, when a barrier comes
 * from another host first.
 *
 * PB1 it is complete when every task has handed in its snapshot.
 * PB2 {@link fail} ends the waiting at once and has operators release their snapshots.
 */
export class PendingBarrier {
  readonly id: CheckpointId;
  readonly gathered: Promise<GatheredBarrier>;
  readonly #waitingFor: Set<Task>;
  readonly #snapshots: { readonly task: Task; readonly snapshot: TaskSnapshot }[] = [];
  readonly #complete = Promise.withResolvers<GatheredBarrier>();
  readonly #failed = Promise.withResolvers<never>();
  #over = false;

  constructor(id: CheckpointId, tasks: readonly Task[]) {
    this.id = id;
    this.#waitingFor = new Set(tasks);
    this.gathered = Promise.race([this.#complete.promise, this.#failed.promise]);
    // Nobody may be waiting yet, or any more.
    this.gathered.catch(() => {});
    this.#failed.promise.catch(() => {});
  }

  /** Rejects when it is given up, also after all was gathered. */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  /** True while the task's snapshot is missing. */
  waitsFor(task: Task): boolean {
    return !this.#over && this.#waitingFor.has(task);
  }

  add(task: Task, snapshot: TaskSnapshot): void {
    this.#snapshots.push({ task, snapshot });
    this.#waitingFor.delete(task);
    if (this.#waitingFor.size === 0) this.#complete.resolve(this.#gather());
  }

  fail(error: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#failed.reject(error);
    for (const { snapshot } of this.#snapshots)
      for (const state of snapshot.states.values()) state.release?.();
  }

  #gather(): GatheredBarrier {
    const states: OperatorSnapshot[] = [];
    const positions: TopicPosition[] = [];
    for (const { task, snapshot } of this.#snapshots) {
      if (snapshot.source !== null) {
        const { operator, snapshot: source } = snapshot.source;
        states.push({ operator, subtask: task.subtask, state: sourceState(source.items) });
        positions.push(...source.positions);
      }
      for (const [operator, state] of snapshot.states)
        states.push({ operator, subtask: task.subtask, state });
    }
    const taken = this.#snapshots.map(({ snapshot }) => snapshot);
    return {
      states,
      positions,
      alignmentMs: Math.max(...taken.map(({ alignmentMs }) => alignmentMs)),
      syncMs: taken.reduce((sum, { syncMs }) => sum + syncMs, 0),
    };
  }
}

/** A source's snapshot in the form of an operator's: its items alone. */
export function sourceState(items: readonly unknown[]): OperatorState {
  return { watermark: 0, idle: false, groups: new Map(), items };
}

/** Why what was asked for a checkpoint will not come. */
export function checkpointGivenUp(job: string, id: CheckpointId, why: string): MillraceError {
  return new MillraceError('MR_CHECKPOINT_FAILED', `Checkpoint ${id} of job '${job}' was given up: ${why}.`, {
    details: { job, checkpoint: id },
  });
}
