import fc from 'fast-check';
import t from 'tap';
import type { CheckpointId } from '../../../engine/base/brand.ts';
import { systemClock } from '../../../engine/base/clock.ts';
import { hasCode } from '../../../engine/base/errors.ts';
import { LIMITS } from '../../../engine/base/limits.ts';
import type { BlobRef, CheckpointStore, Ownership } from '../../../engine/checkpoint/checkpoint-store.ts';
import type { Manifest, SnapshotRef } from '../../../engine/checkpoint/manifest.ts';
import { blobsOf } from '../../../engine/checkpoint/manifest-codec.ts';
import { openMemoryCheckpointStore } from '../../../engine/checkpoint/memory-checkpoint-store.ts';
import { SnapshotWriter } from '../../../engine/checkpoint/snapshot-writer.ts';
import type { OperatorState } from '../../../engine/runtime/operator.ts';
import { manifestOf } from '../../support/manifests.ts';
import { propertyRuns } from '../../support/property-runs.ts';
import { bound, incrementalSnapshots, noise } from './incremental-snapshots.contract.ts';

await t.test(
  'E7: whatever changes, fails, is aborted, collected, restored and rescaled, a manifest restores what was there at its barrier (SN1, SN2, SN3, PG1, PG2, PG3, RD1, RD2, BP1)',
  async (t) => {
    const found = await incrementalSnapshots({ runs: propertyRuns(250), store: openMemoryCheckpointStore() });
    t.notOk(found.failed, fc.defaultReportMessage(found) ?? '');
  },
);

await t.test('a dirty group that gets lost with a failed snapshot is noticed (SN1)', async (t) => {
  const found = await incrementalSnapshots({
    runs: 250,
    store: openMemoryCheckpointStore(),
    plant: (snapshot, fate) =>
      fate === 'written' || fate === 'lost'
        ? snapshot
        : { ...snapshot, state: { ...snapshot.state, dirty: new Set() } },
  });
  t.ok(found.failed);
});

await t.test('one dirty group that gets lost in a good snapshot is noticed (SN1)', async (t) => {
  const found = await incrementalSnapshots({
    runs: 250,
    store: openMemoryCheckpointStore(),
    plant: (snapshot) => {
      const dirty = new Set([...(snapshot.state.dirty ?? [])].slice(1));
      return { ...snapshot, state: { ...snapshot.state, dirty } };
    },
  });
  t.ok(found.failed);
});

await t.test('a small snapshot is one blob; a large one has its head by itself', async (t) => {
  const { blobs, write } = await opened();
  const small = await write({ groups: new Map([[1, noise(1, 10_000)]]), items: ['x'] });
  t.equal(blobs(small.ref).length, 1);
  const large = await write({ groups: new Map([[1, noise(1, 40_000)]]), items: ['x'] });
  t.equal(blobs(large.ref).length, 2);
  t.not(large.ref.head.pieces[0]?.blob.key, large.ref.groups[0]?.pieces[0]?.blob.key);
});

await t.test('a part larger than a blob lies in several, whole (BP1)', async (t) => {
  const { blobs, write } = await opened();
  const size = LIMITS.blobBytesMax * 3;
  const { ref } = await write({ groups: new Map([[1, noise(1, size)]]), items: [] });
  t.ok(blobs(ref).every((blob) => blob.bytes <= LIMITS.blobBytesMax));
  t.ok((ref.groups[0]?.pieces.length ?? 0) >= 3);
});

await t.test('E7: what has not changed is not written again, up to nothing at all', async (t) => {
  const { write } = await opened();
  const groups = new Map([1, 2, 3, 4].map((group) => [group, noise(group, 20_000)]));
  const full = await write({ groups, items: [], dirty: new Set([1, 2, 3, 4]) });
  t.equal(full.writtenBytes, full.stateBytes);
  const one = await write({ groups, items: ['a new one'], dirty: new Set([3]) });
  t.equal(one.ref.groups.length, 4);
  t.ok(one.writtenBytes < full.writtenBytes / 3, `${one.writtenBytes} of ${full.writtenBytes}`);
  const none = await write({ groups, items: ['a new one'], dirty: new Set() });
  t.equal(none.writtenBytes, 0);
  t.same(none.ref, one.ref);
  const unknown = await write({ groups, items: ['a new one'] });
  t.ok(unknown.writtenBytes > full.writtenBytes * 0.9, 'an operator that does not tell is written whole');
});

await t.test(
  'the first snapshot after a restore builds on what was restored, of this job alone',
  async (t) => {
    const { store, owner, write } = await opened();
    const groups = new Map([1, 2, 60, 100].map((group) => [group, noise(group, 150_000)]));
    const { ref, checkpoint, stateBytes } = await write({ groups, items: [] });
    const manifest: Manifest = { ...manifestOf(owner, checkpoint), snapshots: [ref] };
    await store.publish(owner, manifest, 1);
    for (const [job, share] of [
      [owner.job, 0],
      ['another', 1],
    ] as const) {
      const writer = new SnapshotWriter({ store, ownership: owner, clock: systemClock });
      writer.adopt({ ...manifest, job });
      let written = 0;
      for (const subtask of [0, 1]) {
        const mine = new Map([...groups].filter(([group]) => Math.floor(group / 64) === subtask));
        const state = { watermark: 1, idle: false, items: [], groups: mine, dirty: new Set<number>() };
        const snapshot = { operator: 'agg', subtask, parallelism: 2, state };
        written += (await writer.write(await store.nextCheckpointId(owner), snapshot)).writtenBytes;
      }
      t.equal(Math.round(written / stateBytes), share, job);
    }
  },
);

await t.test('packing gives way to others, and few blobs are on their way at once', async (t) => {
  const memory = openMemoryCheckpointStore();
  let [now, turns, inFlight, inFlightMost] = [0, 0, 0, 0];
  const clock = {
    ...systemClock,
    monotonic: () => now++,
    yieldTurn: async () => {
      turns++;
    },
  };
  const slow: CheckpointStore = {
    ...bound(memory),
    writeBlob: async (...args) => {
      inFlightMost = Math.max(inFlightMost, ++inFlight);
      await systemClock.sleep(1);
      inFlight--;
      return memory.writeBlob(...args);
    },
  };
  const owner = await slow.takeOver('job', 'test');
  const writer = new SnapshotWriter({ store: slow, ownership: owner, clock });
  const groups = new Map(Array.from({ length: 40 }, (_, group) => [group, noise(group, 200_000)]));
  const state = { watermark: 0, idle: false, items: [], groups };
  await writer.write(await slow.nextCheckpointId(owner), {
    operator: 'agg',
    subtask: 0,
    parallelism: 1,
    state,
  });
  t.ok(turns >= 8, `${turns} turns for 40 groups of 1 ms`);
  t.equal(inFlightMost, LIMITS.blobWritesInFlightMax);
});

await t.test(
  'a snapshot of a forgotten checkpoint ends early, and nothing is on its way then (BP2)',
  async (t) => {
    const memory = openMemoryCheckpointStore();
    let inFlight = 0;
    const store: CheckpointStore = {
      ...bound(memory),
      writeBlob: async (...args) => {
        inFlight++;
        await systemClock.sleep(1);
        inFlight--;
        return memory.writeBlob(...args);
      },
    };
    const owner = await store.takeOver('job', 'test');
    const writer = new SnapshotWriter({ store, ownership: owner, clock: systemClock });
    let [asked, released] = [0, 0];
    const groups = new Map(Array.from({ length: 60 }, (_, group) => [group, noise(group, 200_000)]));
    const watched = new Proxy(groups, {
      get: (target, name) => {
        if (name === 'get') asked++;
        const value: unknown = Reflect.get(target, name);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
    const state = { watermark: 0, idle: false, items: [], groups: watched, release: () => released++ };
    const id = await store.nextCheckpointId(owner);
    const snapshot = { operator: 'agg', subtask: 0, parallelism: 1, state };
    const written = writer.write(id, snapshot).catch((error: unknown) => error);
    while (asked < 5) await systemClock.yieldTurn();
    writer.forget(id);
    t.ok(hasCode(await written, 'MR_CHECKPOINT_FAILED'));
    t.ok(asked < 60, `${asked} of 60 groups were packed`);
    t.same([inFlight, released], [0, 1]);
    t.ok(hasCode(await writer.write(id, snapshot).catch((error: unknown) => error), 'MR_CHECKPOINT_FAILED'));
    const next = await writer.write(await store.nextCheckpointId(owner), {
      ...snapshot,
      state: { ...state, dirty: new Set() },
    });
    t.equal(next.ref.groups.length, 60);
  },
);

await t.test('a snapshot that never came is taken for one that changed everything (SN1)', async (t) => {
  const { store, write } = await opened();
  const groups = new Map([1, 2, 3].map((group) => [group, noise(group, 20_000)]));
  const state = { groups, items: [], dirty: new Set<number>() };
  const first = await write(state);
  t.equal((await write(state)).writtenBytes, 0);
  await store.nextCheckpointId(await store.takeOver('another', 'test'));
  t.equal((await write(state)).writtenBytes, 0, 'ids of other jobs do not count');
  t.equal((await write({ ...state, skip: true })).writtenBytes, first.stateBytes - headBytes(first.ref));
  t.equal((await write(state)).writtenBytes, 0);
});

interface Opened {
  readonly store: CheckpointStore;
  readonly owner: Ownership;
  /** The next checkpoint's snapshot; `skip` leaves one id out. */
  readonly write: (
    state: Partial<OperatorState> & { readonly skip?: true },
  ) => Promise<{ ref: SnapshotRef; stateBytes: number; writtenBytes: number; checkpoint: CheckpointId }>;
  readonly blobs: (ref: SnapshotRef) => readonly BlobRef[];
}

async function opened(): Promise<Opened> {
  const store = openMemoryCheckpointStore();
  const owner = await store.takeOver('job', 'test');
  const writer = new SnapshotWriter({ store, ownership: owner, clock: systemClock });
  return {
    store,
    owner,
    async write({ skip, ...part }) {
      if (skip) await store.nextCheckpointId(owner);
      const checkpoint = await store.nextCheckpointId(owner);
      const state = { watermark: 0, idle: false, items: [], groups: new Map(), ...part };
      const snapshot = { operator: 'agg', subtask: 0, parallelism: 1, state };
      return { checkpoint, ...(await writer.write(checkpoint, snapshot)) };
    },
    blobs: (ref) => blobsOf({ ...manifestOf(owner, 1), snapshots: [ref] }),
  };
}

function headBytes({ head }: SnapshotRef): number {
  return head.pieces.reduce((sum, { bytes }) => sum + bytes, 0);
}
