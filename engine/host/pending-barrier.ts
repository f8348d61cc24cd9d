import type { CheckpointId } from '../base/brand.ts';
import { MillraceError } from '../base/errors.ts';
import type { TopicPosition } from '../log/partition-log.ts';
import type { OperatorState } from '../runtime/operator.ts';
import type { Task, TaskSnapshot } from '../runtime/task.ts';

/** What all tasks of a host have handed in for one barrier. */
export interface GatheredBarrier {
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
 * PB2 {@link fail} ends the waiting at once.
 * PB3 every state that is handed in is either taken, once, or discarded.
 */
export class PendingBarrier {
  readonly id: CheckpointId;
  readonly gathered: Promise<GatheredBarrier>;
  readonly #waitingFor: Set<Task>;
  readonly #discard: (state: OperatorSnapshot) => void;
  readonly #snapshots: TaskSnapshot[] = [];
  readonly #states: OperatorSnapshot[] = [];
  readonly #complete = Promise.withResolvers<GatheredBarrier>();
  readonly #failed = Promise.withResolvers<never>();
  #over = false;

  /** @param discard given each state that nobody has taken when it fails */
  constructor(id: CheckpointId, tasks: readonly Task[], discard: (state: OperatorSnapshot) => void) {
    this.id = id;
    this.#waitingFor = new Set(tasks);
    this.#discard = discard;
    this.gathered = Promise.race([this.#complete.promise, this.#failed.promise]);
    // Nobody may be waiting yet, or any more.
    this.gathered.catch(() => {});
    this.#failed.promise.catch(() => {});
  }

  /** Rejects when it is given up, also after all was gathered. */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  get isOver(): boolean {
    return this.#over;
  }

  /** True while the task's snapshot is missing. */
  waitsFor(task: Task): boolean {
    return !this.#over && this.#waitingFor.has(task);
  }

  add(task: Task, snapshot: TaskSnapshot): void {
    this.#snapshots.push(snapshot);
    this.#states.push(...statesOf(task, snapshot));
    this.#waitingFor.delete(task);
    if (this.#waitingFor.size === 0) this.#complete.resolve(this.#gather());
  }

  fail(error: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#failed.reject(error);
    for (const state of this.takeStates()) this.#discard(state);
  }

  /** All states handed in so far: whoever takes them stores or discards each. Empty once it has failed. */
  takeStates(): OperatorSnapshot[] {
    return this.#states.splice(0);
  }

  #gather(): GatheredBarrier {
    const taken = this.#snapshots;
    return {
      positions: taken.flatMap(({ source }) => source?.snapshot.positions ?? []),
      alignmentMs: Math.max(...taken.map(({ alignmentMs }) => alignmentMs)),
      syncMs: taken.reduce((sum, { syncMs }) => sum + syncMs, 0),
    };
  }
}

/** What a task's snapshot holds of each of its operators, its source first. */
export function statesOf({ subtask }: Task, { source, states }: TaskSnapshot): OperatorSnapshot[] {
  const own = [...states].map(([operator, state]) => ({ operator, subtask, state }));
  if (source === null) return own;
  return [{ operator: source.operator, subtask, state: sourceState(source.snapshot.items) }, ...own];
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
