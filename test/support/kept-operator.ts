import {
  type CheckpointStore,
  createKeySpace,
  type JobGraph,
  type KeySelector,
  type Manifest,
  type MultiInputOperator,
  openMemoryCheckpointStore,
  type Operator,
  type OperatorDefinition,
  type Output,
  subtaskOf,
  systemClock,
} from '#engine';
import { RestoredState } from '../../engine/checkpoint/restored-state.ts';
import { SnapshotWriter } from '../../engine/checkpoint/snapshot-writer.ts';
import { type InspectedCheckpoint, openCheckpoint } from '../../engine/inspect/inspected-checkpoint.ts';
import { manifestOf } from './manifests.ts';
import { createOperatorBench, type OperatorBench, rowRecords } from './operator-bench.ts';

export const MAX_PARALLELISM = 16;

/** What an operator is given, in order. */
export type Step =
  | { readonly row: object; readonly time: number; readonly input?: number }
  | { readonly watermark: number };

interface Running {
  readonly operator: Operator | MultiInputOperator;
  readonly bench: OperatorBench;
}

/** One keyed operator that runs, checkpoint after checkpoint, in some subtasks, and can be started anew from any of them. */
export class KeptOperator {
  readonly store: CheckpointStore;
  readonly graph: JobGraph;
  readonly #definition: OperatorDefinition;
  readonly #keys: KeySelector;
  readonly #running: readonly Running[];
  readonly #writer: SnapshotWriter;
  readonly #ownership: Awaited<ReturnType<CheckpointStore['takeOver']>>;

  private constructor(
    definition: OperatorDefinition,
    keys: KeySelector,
    parallelism: number,
    store: CheckpointStore,
    ownership: Awaited<ReturnType<CheckpointStore['takeOver']>>,
  ) {
    this.#definition = definition;
    this.#keys = keys;
    this.store = store;
    this.#ownership = ownership;
    this.#writer = new SnapshotWriter({ store, ownership, clock: systemClock });
    this.#running = Array.from({ length: parallelism }, (_, subtask) => this.#make(subtask, parallelism));
    const partitioning = { kind: 'hash', keys } as const;
    const input = { node: 0, side: null, partitioning };
    this.graph = {
      name: 'kept',
      options: {} as JobGraph['options'],
      nodes: [{ kind: 'operator', id: 'op', operator: definition, inputs: [input, input] }],
    };
  }

  static async start(
    definition: OperatorDefinition,
    keys: KeySelector,
    parallelism = 2,
  ): Promise<KeptOperator> {
    const store = openMemoryCheckpointStore();
    const ownership = await store.takeOver('kept', 'test');
    return new KeptOperator(definition, keys, parallelism, store, ownership);
  }

  /** Rows go to the subtask that owns their key, watermarks to all. */
  run(steps: readonly Step[]): void {
    const space = createKeySpace(this.#keys, MAX_PARALLELISM);
    for (const step of steps) {
      if ('watermark' in step)
        for (const { operator } of this.#running)
          for (const input of inputsOf(operator)) input.watermark(step.watermark);
      else {
        const group = space.group(space.slotOfRow(step.row));
        const { operator } = this.#running[
          subtaskOf(group, this.#running.length, MAX_PARALLELISM)
        ] as Running;
        inputsOf(operator)[step.input ?? 0]?.records(rowRecords([step.row], [step.time]));
      }
    }
  }

  async checkpoint(retain = 10): Promise<Manifest> {
    const id = await this.store.nextCheckpointId(this.#ownership);
    const parallelism = this.#running.length;
    const snapshots = [];
    for (const [subtask, { operator }] of this.#running.entries()) {
      const state = operator.snapshot?.();
      if (state === undefined) throw new Error('a stateless operator');
      snapshots.push((await this.#writer.write(id, { operator: 'op', subtask, parallelism, state })).ref);
    }
    const { kind } = this.#definition;
    const manifest: Manifest = {
      ...manifestOf(this.#ownership, id),
      parallelism,
      maxParallelism: MAX_PARALLELISM,
      operators: [{ id: 'op', kind, stateful: true }],
      snapshots,
    };
    await this.store.publish(this.#ownership, manifest, retain);
    return manifest;
  }

  inspect({ id }: Manifest, withGraph = true): Promise<InspectedCheckpoint> {
    return openCheckpoint(this.store, 'kept', id, withGraph ? { graph: this.graph } : {});
  }

  /** One new subtask that holds everything. */
  async restored(manifest: Manifest): Promise<Running> {
    const running = this.#make(0, 1);
    const state = await RestoredState.load(this.store, manifest, {
      operators: new Set(['op']),
      parallelism: 1,
      maxParallelism: MAX_PARALLELISM,
      subtasks: [0],
    });
    running.operator.restore?.(state.parts('op', 0, 1, MAX_PARALLELISM));
    return running;
  }

  #make(subtask: number, parallelism: number): Running {
    const bench = createOperatorBench({
      operator: 'op',
      keys: this.#keys,
      inputKeys: [this.#keys, this.#keys],
      maxParallelism: MAX_PARALLELISM,
      subtask,
      parallelism,
      onError: 'fail',
    });
    return { operator: this.#definition.create(bench.context), bench };
  }
}

export function inputsOf(operator: Operator | MultiInputOperator): readonly Output[] {
  return 'inputs' in operator ? operator.inputs : [operator];
}

/** Every key of an operator with its state, as `get` gives it. */
export async function allStates(
  checkpoint: InspectedCheckpoint,
): Promise<Map<string, Record<string, unknown>>> {
  const states = new Map<string, Record<string, unknown>>();
  for await (const { key } of checkpoint.keys('op')) {
    const found = await checkpoint.get('op', key);
    if (found === null || states.has(JSON.stringify(key))) throw new Error(`key ${JSON.stringify(key)}`);
    states.set(JSON.stringify(key), found.state);
  }
  return states;
}
