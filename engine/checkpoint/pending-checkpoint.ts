import type { CheckpointId } from '../base/brand.ts';
import type { TopicPosition } from '../log/partition-log.ts';
import type { OperatorState } from '../runtime/operator.ts';
import type { Task, TaskSnapshot } from '../runtime/task.ts';

/** What all tasks have handed in for one barrier. */
export interface AcknowledgedCheckpoint {
  readonly states: readonly {
    readonly operator: string;
    readonly subtask: number;
    readonly state: OperatorState;
  }[];
  readonly positions: readonly TopicPosition[];
  /** Per sink operator, what its subtasks staged; nulls left out. */
  readonly committables: ReadonlyMap<string, readonly unknown[]>;
}

/**
 * Gathers the acknowledgements of one checkpoint.
 *
 * PD1 it is complete when every task has acknowledged and every sink has staged; a failed staging fails the checkpoint.
 * PD2 {@link fail} ends the waiting at once, also while sinks are still staging.
 */
export class PendingCheckpoint {
  readonly id: CheckpointId;
  readonly acknowledged: Promise<AcknowledgedCheckpoint>;
  readonly #waitingFor: Set<Task>;
  readonly #snapshots: { readonly task: Task; readonly snapshot: TaskSnapshot }[] = [];
  readonly #complete = Promise.withResolvers<void>();
  readonly #failed = Promise.withResolvers<never>();

  constructor(id: CheckpointId, tasks: readonly Task[]) {
    this.id = id;
    this.#waitingFor = new Set(tasks);
    const gathered = this.#complete.promise.then(() => this.#gather());
    this.acknowledged = Promise.race([gathered, this.#failed.promise]);
  }

  /** True while the task's snapshot is missing. */
  waitsFor(task: Task): boolean {
    return this.#waitingFor.has(task);
  }

  acknowledge(task: Task, snapshot: TaskSnapshot): void {
    for (const staged of snapshot.prepared.values()) staged.catch((error: unknown) => this.fail(error));
    this.#snapshots.push({ task, snapshot });
    this.#waitingFor.delete(task);
    if (this.#waitingFor.size === 0) this.#complete.resolve();
  }

  fail(error: unknown): void {
    this.#failed.reject(error);
  }

  async #gather(): Promise<AcknowledgedCheckpoint> {
    const states: AcknowledgedCheckpoint['states'][number][] = [];
    const positions: TopicPosition[] = [];
    const committables = new Map<string, unknown[]>();
    for (const { task, snapshot } of this.#snapshots) {
      if (snapshot.source !== null) {
        const { operator, snapshot: source } = snapshot.source;
        states.push({
          operator,
          subtask: task.subtask,
          state: sourceState(source.items),
        });
        positions.push(...source.positions);
      }
      for (const [operator, state] of snapshot.states)
        states.push({ operator, subtask: task.subtask, state });
      for (const [operator, staged] of snapshot.prepared) {
        const committable = await staged;
        const list = committables.get(operator) ?? [];
        if (committable !== null && committable !== undefined) list.push(committable);
        committables.set(operator, list);
      }
    }
    return { states, positions, committables };
  }
}

/** A source's snapshot in the form of an operator's: its items alone. */
export function sourceState(items: readonly unknown[]): OperatorState {
  return { watermark: 0, idle: false, groups: new Map(), items };
}
