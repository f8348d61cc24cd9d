import assert from 'node:assert/strict';
import fc from 'fast-check';
import { generation } from '../../../engine/base/brand.ts';
import { systemClock } from '../../../engine/base/clock.ts';
import type { CheckpointStore, Ownership } from '../../../engine/checkpoint/checkpoint-store.ts';
import type { Manifest, SnapshotRef } from '../../../engine/checkpoint/manifest.ts';
import { blobsOf } from '../../../engine/checkpoint/manifest-codec.ts';
import { RestoredState } from '../../../engine/checkpoint/restored-state.ts';
import { SnapshotWriter, type SubtaskSnapshot } from '../../../engine/checkpoint/snapshot-writer.ts';
import { keyGroupRange, subtaskOf } from '../../../engine/key/key-group.ts';
import { LazyGroups } from '../../../engine/state/lazy-groups.ts';
import { manifestOf } from '../../support/manifests.ts';

const GROUPS = 32;
const OPERATOR = 'agg';
/** Small, so that groups fill blobs, and some need several. */
const BLOB_BYTES_MAX = 8 * 1024;

/** What the fate of one subtask's snapshot is. */
type Fate = 'written' | 'fails' | 'discarded' | 'forgotten' | 'lost';

type Action =
  | { readonly kind: 'change'; readonly groups: readonly number[]; readonly size: number }
  | { readonly kind: 'remove'; readonly groups: readonly number[] }
  | {
      readonly kind: 'checkpoint';
      readonly fates: readonly Fate[];
      readonly publish: boolean;
      readonly retain: number;
    }
  | { readonly kind: 'collect' }
  | { readonly kind: 'restore'; readonly parallelism: number };

const groups = fc.uniqueArray(fc.nat(GROUPS - 1), { minLength: 1, maxLength: GROUPS });
const size = fc.oneof(fc.nat(200), fc.nat(200), fc.nat(6_000), fc.nat(40_000));
const fate = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Fate>('written') },
  { weight: 1, arbitrary: fc.constantFrom<Fate>('fails', 'discarded', 'forgotten', 'lost') },
);
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('change' as const), groups, size }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), groups }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('checkpoint' as const),
      fates: fc.array(fate, { minLength: 4, maxLength: 4 }),
      publish: fc.boolean(),
      retain: fc.integer({ min: 1, max: 2 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('collect' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('restore' as const),
      parallelism: fc.integer({ min: 1, max: 4 }),
    }),
  },
);

export interface IncrementalOptions {
  readonly runs: number;
  readonly store: CheckpointStore;
  /** What a planted bug does to a snapshot on its way to the writer. */
  readonly plant?: (snapshot: SubtaskSnapshot, fate: Fate) => SubtaskSnapshot;
}

/**
 * Random lives of a keyed operator: groups change and go, snapshots are written, fail, are given up; checkpoints are published or
 * aborted, blobs collected, the job restored at another parallelism. Every published manifest must restore what the
 * operator held at its barrier. @returns what fast-check found
 */
export async function incrementalSnapshots(options: IncrementalOptions): Promise<fc.RunDetails<[Action[]]>> {
  return fc.check(
    fc.asyncProperty(fc.array(action, { minLength: 1, maxLength: 25 }), async (actions) => {
      const life = new OperatorLife(`incremental-${lives++}`, options);
      await life.start();
      for (const next of actions) await life.act(next);
      await life.act({ kind: 'checkpoint', fates: ALL_WRITTEN, publish: true, retain: 1 });
      await life.act({ kind: 'restore', parallelism: 3 });
    }),
    // A planted bug is only to be found, not made small.
    { numRuns: options.runs, endOnFailure: options.plant !== undefined },
  );
}

/** Stores may be shared: every life has a job of its own. */
let lives = 0;

const ALL_WRITTEN: readonly Fate[] = ['written', 'written', 'written', 'written'];

class OperatorLife {
  readonly #job: string;
  readonly #store: CheckpointStore;
  readonly #plant: NonNullable<IncrementalOptions['plant']>;
  readonly #failing = new Set<number>();
  #ownership!: Ownership;
  #writer!: SnapshotWriter;
  #parallelism = 2;
  #live = new Map<number, string>();
  #dirty = new Set<number>();
  #published = new Map<number, string>();
  #changes = 0;

  constructor(job: string, { store, plant }: IncrementalOptions) {
    this.#job = job;
    this.#plant = plant ?? ((snapshot) => snapshot);
    this.#store = {
      ...bound(store),
      blobBytesMax: Math.min(BLOB_BYTES_MAX, store.blobBytesMax ?? BLOB_BYTES_MAX),
      writeBlob: async (ownership, checkpoint, name, bytes) => {
        if (this.#failing.has(Number(name.split('.')[1]))) throw new Error('the network is down');
        return store.writeBlob(ownership, checkpoint, name, bytes);
      },
    };
  }

  async start(): Promise<void> {
    this.#ownership = await this.#store.takeOver(this.#job, 'test');
    this.#openWriter();
  }

  async act(next: Action): Promise<void> {
    switch (next.kind) {
      case 'change':
        for (const group of next.groups) {
          // Every other one does not compress.
          const filler = group % 2 === 0 ? 'x'.repeat(next.size) : noise(this.#changes + group, next.size);
          this.#live.set(group, `${group}/${this.#changes++}/${filler}`);
          this.#dirty.add(group);
        }
        return;
      case 'remove':
        for (const group of next.groups) if (this.#live.delete(group)) this.#dirty.add(group);
        return;
      case 'checkpoint':
        return this.#checkpoint(next.fates, next.publish, next.retain);
      case 'collect':
        await this.#store.collect(this.#job);
        return;
      case 'restore':
        return this.#restore(next.parallelism);
    }
  }

  async #checkpoint(fates: readonly Fate[], publish: boolean, retain: number): Promise<void> {
    const id = await this.#store.nextCheckpointId(this.#ownership);
    const atBarrier = new Map(this.#live);
    const [dirty, forget] = [
      this.#dirty,
      fates.slice(0, this.#parallelism).some((one) => one === 'forgotten' || one === 'lost'),
    ];
    this.#dirty = new Set();
    const writes = fates.slice(0, this.#parallelism).map(async (subtaskFate, subtask) => {
      const snapshot = this.#plant(this.#snapshot(subtask, atBarrier, dirty, id), subtaskFate);
      if (subtaskFate === 'discarded') {
        this.#writer.discard(id, snapshot);
        return null;
      }
      if (subtaskFate === 'lost') {
        snapshot.state.release?.();
        return null;
      }
      if (subtaskFate === 'fails') this.#failing.add(subtask);
      try {
        return (await this.#writer.write(id, snapshot)).ref;
      } catch {
        return null;
      }
    });
    if (forget) this.#writer.forget(id);
    const refs = await Promise.all(writes);
    this.#failing.clear();
    if (!publish || refs.includes(null)) return;
    const manifest: Manifest = {
      ...manifestOf(this.#ownership, id),
      maxParallelism: GROUPS,
      snapshots: refs as SnapshotRef[],
    };
    await this.#store.publish(this.#ownership, manifest, retain);
    this.#published = atBarrier;
    await this.#store.collect(this.#job);
    for (const ref of manifest.snapshots) assertCompact(ref);
    const [parallelism, subtask] = [1 + (id % 4), id % (1 + (id % 4))];
    await this.#check(manifest, parallelism, [subtask]);
  }

  #snapshot(
    subtask: number,
    live: ReadonlyMap<number, string>,
    dirty: ReadonlySet<number>,
    id: number,
  ): SubtaskSnapshot {
    const parallelism = this.#parallelism;
    const mine = (group: number) => subtaskOf(group, parallelism, GROUPS) === subtask;
    const asked = new Set<number>();
    let released = false;
    return {
      operator: OPERATOR,
      subtask,
      parallelism,
      state: {
        watermark: id,
        idle: false,
        items: [`${subtask} at ${id}`],
        dirty: new Set([...dirty].filter(mine)),
        groups: new LazyGroups([...live.keys()].filter(mine), (group) => {
          assert.ok(!released && !asked.has(group), 'a group is asked for once, before the release');
          asked.add(group);
          return { value: live.get(group) };
        }),
        release: () => {
          released = true;
        },
      },
    };
  }

  async #restore(parallelism: number): Promise<void> {
    const manifest = await this.#store.latest(this.#job);
    this.#ownership = await this.#store.nextGeneration(this.#ownership);
    this.#parallelism = parallelism;
    this.#live = new Map(this.#published);
    this.#dirty = new Set();
    this.#openWriter();
    if (manifest === null) return;
    this.#writer.adopt(manifest);
    await this.#check(
      manifest,
      parallelism,
      Array.from({ length: parallelism }, (_, i) => i),
    );
  }

  /** What the manifest restores for these subtasks is what was live at its barrier. */
  async #check(manifest: Manifest, parallelism: number, subtasks: readonly number[]): Promise<void> {
    const restored = await RestoredState.load(this.#store, manifest, {
      operators: new Set([OPERATOR]),
      maxParallelism: GROUPS,
      parallelism,
      subtasks,
    });
    for (const subtask of subtasks) {
      const [first, last] = keyGroupRange(subtask, parallelism, GROUPS);
      const parts = restored.parts(OPERATOR, subtask, parallelism, GROUPS);
      const found = parts.flatMap((part) =>
        Array.from(part.groups, ([group, kept]) => [group, (kept as { value: string }).value] as const),
      );
      const expected = [...this.#published].filter(([group]) => group >= first && group <= last);
      assert.deepEqual(
        found.sort(([a], [b]) => a - b),
        expected.sort(([a], [b]) => a - b),
      );
      assert.ok(parts.every((part) => part.watermark === manifest.id));
    }
    const items = manifest.snapshots.map((ref) => `${ref.subtask} at ${manifest.id}`);
    assert.deepEqual(restored.items(OPERATOR), items);
  }

  #openWriter(): void {
    this.#writer = new SnapshotWriter({ store: this.#store, ownership: this.#ownership, clock: systemClock });
  }
}

/** PG2 and PG3 on what a subtask's snapshot names. */
function assertCompact(ref: SnapshotRef): void {
  const alive = new Map<string, number>();
  for (const { pieces } of [ref.head, ...ref.groups])
    for (const { blob, bytes } of pieces) alive.set(blob.key, (alive.get(blob.key) ?? 0) + bytes);
  const blobs = blobsOf({
    ...manifestOf({ job: '', token: '', generation: generation(1) }, 1),
    snapshots: [ref],
  });
  for (const blob of blobs)
    assert.ok((alive.get(blob.key) as number) * 2 >= blob.bytes, `PG2: ${blob.key} is mostly dead`);
  const small = blobs.filter((blob) => (alive.get(blob.key) as number) < BLOB_BYTES_MAX / 4);
  // The two that this snapshot has added: its last groups, and its head.
  assert.ok(small.length <= 16 + 2, `PG3: ${small.length} small blobs`);
}

/** Text that does not compress, the same for the same seed. */
export function noise(seed: number, length: number): string {
  let state = (seed + 1) * 2_654_435_761;
  const chars: string[] = [];
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    chars.push(String.fromCharCode(33 + ((state >>> 16) % 90)));
  }
  return chars.join('');
}

/** The store's methods as properties, so that some can be replaced. */
export function bound(store: CheckpointStore): CheckpointStore {
  return {
    takeOver: (job, owner) => store.takeOver(job, owner),
    nextGeneration: (ownership) => store.nextGeneration(ownership),
    nextCheckpointId: (ownership) => store.nextCheckpointId(ownership),
    writeBlob: (ownership, checkpoint, name, bytes) => store.writeBlob(ownership, checkpoint, name, bytes),
    readBlob: (job, ref) => store.readBlob(job, ref),
    publish: (ownership, manifest, retain) => store.publish(ownership, manifest, retain),
    confirmDurable: () => store.confirmDurable(),
    latest: (job) => store.latest(job),
    manifest: (job, id) => store.manifest(job, id),
    list: (job) => store.list(job),
    blobs: (job) => store.blobs(job),
    collect: (job) => store.collect(job),
    remove: (job, id) => store.remove(job, id),
    close: () => store.close(),
  };
}
