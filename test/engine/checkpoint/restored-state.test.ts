import t from 'tap';
import { openMemoryCheckpointStore, systemClock } from '#engine';
import { RestoredState } from '../../../engine/checkpoint/restored-state.ts';
import { SnapshotWriter } from '../../../engine/checkpoint/snapshot-writer.ts';
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
