import t from 'tap';
import { openMemoryCheckpointStore } from '#engine';
import { RestoredState } from '../../../engine/checkpoint/restored-state.ts';
import { encodeSnapshot } from '../../../engine/checkpoint/snapshot-codec.ts';
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
        const state = { watermark: 0, idle: false, items: [], groups: new Map([[subtask * 43, subtask]]) };
        const bytes = encodeSnapshot({ ...state, broadcast: `of ${subtask}` });
        const blobs = [await store.writeBlob(owner, id, `rules/${subtask}`, bytes)];
        return { operator: 'rules', subtask, parallelism: 3, blobs };
      }),
    );
    const manifest = { ...manifestOf(owner, id), snapshots };
    const restored = await RestoredState.load(store, manifest, new Set(['rules']), 128);
    for (const parallelism of [1, 2, 5]) {
      const groups: number[] = [];
      for (let subtask = 0; subtask < parallelism; subtask++) {
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
