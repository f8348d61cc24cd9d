import t from 'tap';
import {
  type JobEnvironment,
  memoryLogStore,
  openMemoryCheckpointStore,
  openMemoryPartitionLog,
  runJob,
  seededRandom,
  systemClock,
} from '#engine';
import { defineJob, partitionLog } from '#operators';
import { eventTime, f64, type Infer, schema } from '#wire';
import type { Manifest, SinkCommit } from '../../../engine/checkpoint/manifest.ts';
import { createJobBench, until } from '../../support/job-bench.ts';

const Row = schema('lost-stage-row', { at: eventTime(1), n: f64(2) });
type Row = Infer<typeof Row>;
const ROWS = 400;

const graph = defineJob(
  'lost-stage',
  { guarantee: 'exactly-once', checkpointInterval: '100ms', restart: { first: '10ms', max: '10ms' } },
  (job) => {
    const rows = job.source('in', partitionLog('in', Row));
    rows.to('a', partitionLog('out-a', Row, { partitions: 1 }));
    rows.to('b', partitionLog('out-b', Row, { partitions: 1 }));
  },
).graph();

void t.test(
  'KC2 E9: a checkpoint whose output is partly gone is left, with nothing of it committed',
  async (test) => {
    const log = openMemoryPartitionLog({ clock: systemClock, store: memoryLogStore() });
    const store = openMemoryCheckpointStore({ storage: new Map() });
    const bench = createJobBench({ log });
    let fed = 0;
    const feed = async (count: number) => {
      const rows = Array.from({ length: count }, (_, i): Row => ({ at: fed + i, n: fed + i }));
      await bench.feed('in', Row, rows, { producer: `feeder-${fed}` });
      fed += count;
    };
    const shown = async (topic: string) =>
      (await bench.read(topic, Row)).map(({ n }) => n).sort((x, y) => x - y);
    const start = (killPoint: NonNullable<JobEnvironment['killPoint']>) =>
      runJob(graph, {
        namespace: 'test',
        log,
        store,
        clock: systemClock,
        random: seededRandom(7),
        uuid: (() => {
          let made = 0;
          return () => `sink-${made++}`;
        })(),
        owner: 'test',
        killPoint,
      });

    let isHeld = false;
    await feed(ROWS);
    start(async (name) => {
      if (name !== 'checkpoint:published' || fed < 2 * ROWS) return;
      const { sinks } = (await store.latest('lost-stage')) as Manifest;
      if (sinks.filter(({ committables }) => committables.length > 0).length < 2) return;
      isHeld = true;
      return new Promise(() => {});
    });
    await until(
      async () => (await shown('out-b').catch(() => [])).length === ROWS,
      'the first rows are committed',
    );
    const before = (await store.latest('lost-stage'))?.id ?? 0;
    await feed(ROWS);
    await until(() => isHeld, 'a checkpoint is published and not committed');

    const published = (await store.latest('lost-stage')) as Manifest;
    const { sinkId } = published.sinks.find(({ operator }) => operator === 'b') as SinkCommit;
    const { generation } = published;
    await log.dropStages({ topic: 'out-b', partition: 0, sinkId: `${sinkId}.0`, generation }, before);

    const next = start(() => {});
    await until(() => next.status().state === 'running', 'the next one runs');
    test.ok((next.status().checkpoints.restoredFrom ?? 0) < published.id, 'from a checkpoint before');
    test.match(next.status().failures[0], { code: 'MR_LOG_ROLLED_BACK' });
    await until(async () => (await shown('out-b')).length >= 2 * ROWS, 'all is committed');
    await next.stop();
    const all = Array.from({ length: 2 * ROWS }, (_, n) => n);
    test.same(await shown('out-a'), all, 'each once, where nothing was gone');
    test.same(await shown('out-b'), all, 'each once, where it was');
  },
);
