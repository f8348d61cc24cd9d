import fc from 'fast-check';
import t from 'tap';
import { openMemoryCheckpointStore } from '../../../engine/checkpoint/memory-checkpoint-store.ts';
import { propertyRuns } from '../../support/property-runs.ts';
import { incrementalSnapshots } from './incremental-snapshots.contract.ts';

await t.test(
  'whatever changes, fails, is aborted, collected, restored and rescaled, a manifest restores what was there at its barrier (SW1, SW2, SW3, SP1, SP2, SP3, RE1, RE2, BP1)',
  async (t) => {
    const found = await incrementalSnapshots({ runs: propertyRuns(250), store: openMemoryCheckpointStore() });
    t.notOk(found.failed, fc.defaultReportMessage(found) ?? '');
  },
);

await t.test('a dirty group that gets lost with a failed snapshot is noticed (SW1)', async (t) => {
  const found = await incrementalSnapshots({
    runs: 250,
    store: openMemoryCheckpointStore(),
    plant: (snapshot, fate) =>
      fate === 'written' ? snapshot : { ...snapshot, state: { ...snapshot.state, dirty: new Set() } },
  });
  t.ok(found.failed);
});

await t.test('one dirty group that gets lost in a good snapshot is noticed (SW1)', async (t) => {
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
