import t from 'tap';
import { openMemoryCheckpointStore, systemClock } from '#engine';
import type { CheckpointStore } from '../../../engine/checkpoint/checkpoint-store.ts';
import type { Manifest } from '../../../engine/checkpoint/manifest.ts';
import { blobsOf } from '../../../engine/checkpoint/manifest-codec.ts';
import { RestoredState } from '../../../engine/checkpoint/restored-state.ts';
import { SnapshotWriter } from '../../../engine/checkpoint/snapshot-writer.ts';
import { bound, noise } from './incremental-snapshots.contract.ts';
import { manifestOf } from '../../support/manifests.ts';

void t.test(
  'every subtask gets the broadcast state of all parts, in the order of the subtasks that wrote them',
  async (test) => {
    const store = openMemoryCheckpointStore();
    const owner = await store.takeOver('job', 'test');
    const id = await store.nextCheckpointId(owner);
    // Tasks acknowledge in any order, and the manifest keeps it.
    const snapshots = await Promise.all(
      [2, 0, 1].map(async (subtask) => {
        const groups = new Map([[subtask * 43, subtask]]);
        const state = { watermark: 0, idle: false, items: [], groups, broadcast: `of ${subtask}` };
        const writer = new SnapshotWriter({ store, ownership: owner, clock: systemClock });
        return (await writer.write(id, { operator: 'rules', subtask, parallelism: 3, state })).ref;
      }),
    );
    const manifest = { ...manifestOf(owner, id), snapshots };
    for (const parallelism of [1, 2, 5]) {
      const groups: number[] = [];
      const subtasks = Array.from({ length: parallelism }, (_, i) => i);
      const restored = await RestoredState.load(store, manifest, {
        operators: new Set(['rules']),
        parallelism,
        maxParallelism: 128,
        subtasks,
      });
      for (const subtask of subtasks) {
        const parts = restored.parts('rules', subtask, parallelism, 128);
        test.same(
          parts.map(({ broadcast }) => broadcast),
          ['of 0', 'of 1', 'of 2'],
          `${subtask} of ${parallelism}`,
        );
        groups.push(...parts.flatMap((part) => [...part.groups.keys()]));
      }
      test.same(groups, [0, 43, 86], 'and key groups go to one subtask each');
    }
  },
);

void t.test(
  'subtasks read the blobs of their groups and of all heads, each once (RD1, RD2)',
  async (test) => {
    const store = openMemoryCheckpointStore();
    const owner = await store.takeOver('job', 'test');
    const id = await store.nextCheckpointId(owner);
    const writer = new SnapshotWriter({ store, ownership: owner, clock: systemClock });
    const groups = new Map(Array.from({ length: 128 }, (_, group) => [group, noise(group, 30_000)]));
    const state = { watermark: 0, idle: false, items: ['a', 'b', 'c'], groups };
    const { ref } = await writer.write(id, { operator: 'agg', subtask: 0, parallelism: 1, state });
    const manifest = { ...manifestOf(owner, id), snapshots: [ref] };
    const reads: string[] = [];
    const counting: CheckpointStore = {
      ...bound(store),
      readBlob: async (job, blob) => {
        reads.push(blob.key);
        return store.readBlob(job, blob);
      },
    };
    const load = (subtasks: readonly number[]) =>
      RestoredState.load(counting, manifest, {
        operators: new Set(['agg']),
        parallelism: 8,
        maxParallelism: 128,
        subtasks,
      });
    const restored = await load([3]);
    const needed = ref.groups.filter(({ group }) => group >= 48 && group <= 63);
    const expected = [ref.head, ...needed].flatMap(({ pieces }) => pieces.map(({ blob }) => blob.key));
    test.same(reads.toSorted(), [...new Set(expected)].toSorted());
    const [part] = restored.parts('agg', 3, 8, 128);
    test.same([...(part?.groups ?? [])], [...groups].slice(48, 64));
    test.same(part?.items, [], 'items 0 to 2 are dealt to subtasks 0 to 2');
    test.throws(() => [...(restored.parts('agg', 4, 8, 128)[0]?.groups ?? [])], { code: 'MR_INVARIANT' });
    reads.length = 0;
    await load([0, 1, 2, 3, 4, 5, 6, 7]);
    test.equal(reads.length, new Set(reads).size);
    test.equal(reads.length, blobsOf(manifest).length);
  },
);

void t.test(
  'what a sink has to commit comes in the order of its sequence, also from aborted checkpoints',
  async (test) => {
    const store = openMemoryCheckpointStore();
    const owner = await store.takeOver('job', 'test');
    const commit = (operator: string, seq: number) => ({ operator, sinkId: 's', seq, committables: [seq] });
    const sinks = [commit('lake', 7), commit('other', 1), commit('lake', 6), commit('lake', 8)];
    const manifest = { ...manifestOf(owner, 1, { sinks }), snapshots: [] };
    await store.publish(owner, manifest, 1);
    const read = await store.latest('job');
    const restored = await RestoredState.load(store, read as Manifest, {
      operators: new Set(),
      parallelism: 1,
      maxParallelism: 128,
      subtasks: [0],
    });
    test.same(
      restored.sinkCommits('lake').map(({ seq }) => seq),
      [6, 7, 8],
    );
    test.equal(restored.sink('lake')?.seq, 8);
    test.same(restored.sinkCommits('none'), []);
    test.equal(RestoredState.empty().sink('lake'), null);
  },
);
