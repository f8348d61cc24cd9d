import t from 'tap';
import { openMemoryCheckpointStore, systemClock } from '#engine';
import { RestoredState } from '../../engine/checkpoint/restored-state.ts';
import { SnapshotWriter } from '../../engine/checkpoint/snapshot-writer.ts';
import { defineJob, partitionLog } from '#operators';
import { input, testJob } from '../../operators/testing/index.ts';
import { createJobBench, until } from '../support/job-bench.ts';
import { manifestOf } from '../support/manifests.ts';
import { Event, event, steps } from './windowed.ts';

const events = partitionLog('events', Event, { partitions: 1 });

for (const [name, key] of [
  ['null', null],
  ['undefined', undefined],
  ['NaN', Number.NaN],
  ['an object', {}],
] as const) {
  void t.test(`§2.1: ${name} is no key: the record is set aside, its neighbours go on`, async (test) => {
    const job = defineJob('keyed', { guarantee: 'exactly-once' }, (build) => {
      build
        .source('in', events)
        .keyBy(({ n }) => (n === 2 ? key : n) as number)
        .reduce('newest', (_, row) => row)
        .to('out', events);
    });
    const rows = [event(1, 'k', 1), event(2, 'k', 2), event(3, 'k', 3)] as const;
    for (const parallelism of [1, 3]) {
      const { records, deadLetters } = await testJob(job, {
        inputs: { in: input(Event, rows) },
        parallelism,
      });
      test.same(records('out'), [rows[0], rows[2]]);
      test.match(deadLetters, [{ reason: 'MR_KEY_INVALID', record: rows[1] }]);
      test.equal(deadLetters.length, 1);
    }
  });
}

void t.test('§2.1: max parallelism is frozen in the first checkpoint, parallelism is not', async (test) => {
  const bench = createJobBench();
  await bench.feed('events', Event, steps([1, 2]) as Event[], { partitions: 1 });
  const run = async (parallelism: number, maxParallelism: number) => {
    const graph = defineJob(
      'frozen',
      { guarantee: 'exactly-once', checkpointInterval: '1h', parallelism, maxParallelism },
      (build) => {
        build
          .source('in', events)
          .keyBy('key')
          .reduce('newest', (_, row) => row)
          .to('out', partitionLog('out', Event));
      },
    ).graph();
    const handle = bench.run(graph);
    await until(() => ['running', 'failed'].includes(handle.status().state), 'it runs or has failed');
    if (handle.status().state === 'running') await handle.stop();
    return { end: await handle.done, failures: handle.status().failures };
  };
  test.match(await run(1, 128), { end: 'stopped' });
  test.match(await run(3, 128), { end: 'stopped' });
  test.match(await run(3, 256), {
    end: 'failed',
    failures: [{ code: 'MR_STATE_INCOMPATIBLE', message: /128/ }],
  });
});

void t.test(
  '§2.1: on rescale items are dealt round, key groups go by range, broadcast state is copied, a source sees all items',
  async (test) => {
    const store = openMemoryCheckpointStore();
    const owner = await store.takeOver('job', 'test');
    const id = await store.nextCheckpointId(owner);
    const snapshots = await Promise.all(
      [0, 1].map(async (subtask) => {
        const items = [0, 1, 2].map((n) => `${subtask}.${n}`);
        const groups = new Map([0, 21, 42].map((group) => [subtask * 64 + group, group] as const));
        const state = { watermark: 0, idle: false, items, groups, broadcast: 'rules' };
        const writer = new SnapshotWriter({ store, ownership: owner, clock: systemClock });
        return (await writer.write(id, { operator: 'op', subtask, parallelism: 2, state })).ref;
      }),
    );
    const manifest = { ...manifestOf(owner, id), snapshots };
    const restored = await RestoredState.load(store, manifest, {
      operators: new Set(['op']),
      parallelism: 3,
      maxParallelism: 128,
      subtasks: [0, 1, 2],
    });
    const dealt = [0, 1, 2].map((subtask) => restored.parts('op', subtask, 3, 128));
    test.same(
      dealt.map((parts) => parts.flatMap(({ items }) => items)),
      [
        ['0.0', '1.0'],
        ['0.1', '1.1'],
        ['0.2', '1.2'],
      ],
    );
    test.same(
      dealt.map((parts) => parts.flatMap(({ groups }) => [...groups.keys()])),
      [[0, 21, 42], [64, 85], [106]],
      'ranges 0–42, 43–85, 86–127',
    );
    test.ok(dealt.every((parts) => parts.every(({ broadcast }) => broadcast === 'rules')));
    test.same(restored.items('op'), ['0.0', '0.1', '0.2', '1.0', '1.1', '1.2']);
  },
);
