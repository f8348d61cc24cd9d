import t from 'tap';
import { type Sink, systemClock } from '#engine';
import { partitionLog } from '#operators';
import { until } from '../support/job-bench.ts';
import { Count, copyJob, countJob, numbers, recordsRead, values } from './outcome-jobs.ts';
import { Reading, reading, readings } from './outcome-reading.ts';
import { startRedisBench } from './redis-bench.ts';

/* What becomes of a job when it is changed, stopped or taken over: the rows O12 to O14 of docs/outcomes.md. */

await t.test(
  'O12: a checkpoint with state of an operator that the job no longer has is refused, and not harmed',
  async (t) => {
    const bench = await startRedisBench(t);
    await bench.feed('in', Reading, readings(0, 15), { partitions: 1 });
    const before = bench.run(countJob('counting').graph());
    await until(() => recordsRead(before) === 15, 'all is read');
    const checkpoint = await before.stop();

    const renamed = bench.run(countJob('counting', {}, 'per-machine').graph());
    t.equal(await renamed.done, 'failed');
    t.match(renamed.status(), {
      restarts: 0,
      failures: [
        { code: 'MR_STATE_INCOMPATIBLE', message: /'per-device', which the job no longer has.*old id back/ },
      ],
    });

    const after = bench.run(countJob('counting').graph());
    await bench.feed('in', Reading, [reading(15), reading(40)], { partitions: 1 });
    await until(async () => (await bench.read('counts', Count)).length >= 16, 'all windows are closed');
    t.equal(after.status().checkpoints.restoredFrom, checkpoint);
    await after.stop();
    const counts = await bench.read('counts', Count);
    t.same(
      counts.map(({ start, device, n }) => `${start} ${device} ${n}`).sort(),
      readings(0, 16)
        .map(({ ts, device }) => `${ts - (ts % 10_000)} ${device} 1`)
        .sort(),
    );
  },
);

await t.test(
  'O13: a stop while sinks are slow takes a last checkpoint of all that was read; the next run goes on behind it',
  async (t) => {
    const bench = await startRedisBench(t);
    const rows = 20_000;
    await bench.feed('in', Reading, readings(0, rows), { partitions: 1 });
    const slow = () => slowly(partitionLog('out', Reading), 40);
    const first = bench.run(copyJob('stopped', {}, slow()).graph());
    await until(() => recordsRead(first) > 0, 'it reads');
    const stopping = first.stop();
    t.equal(first.status().state, 'stopping');
    t.type(await stopping, 'number', 'a last checkpoint was taken');
    t.match(first.status(), { state: 'stopped', restarts: 0, failures: [] });
    const read = recordsRead(first);
    t.ok(read > 0 && read < rows, `${read} of ${rows} were read`);
    t.same(values(await bench.read('out', Reading)), numbers(0, read), 'what was read is out');

    const second = bench.run(copyJob('stopped', {}, slow()).graph());
    await until(async () => (await bench.read('out', Reading)).length >= rows, 'the rest is through');
    await second.stop();
    t.same(values(await bench.read('out', Reading)), numbers(0, rows), 'each once');
  },
);

await t.test(
  'O14: a second coordinator takes the job over; the first ends fenced, and nothing of it counts after that',
  async (t) => {
    const bench = await startRedisBench(t);
    const second = await bench.coordinator('second');
    await bench.feed('in', Reading, readings(0, 3_000), { partitions: 1 });
    const out = held(partitionLog('out', Reading));
    const old = bench.run(copyJob('disputed', {}, out.sink).graph());
    await until(() => recordsRead(old) === 3_000, 'the first has read');
    await until(() => out.staged() >= 1, 'it has staged output, and is about to publish its checkpoint');

    const taker = second(copyJob('disputed').graph());
    await until(async () => (await bench.read('out', Reading)).length >= 3_000, 'the second is through');
    t.equal(old.status().state, 'running', 'the first does not know yet');
    out.release();
    t.equal(await old.done, 'failed');
    t.match(old.status(), {
      restarts: 0,
      checkpoints: { completed: 0 },
      failures: [{ code: 'MR_CHECKPOINT_FENCED', message: /another coordinator has taken the job over/ }],
    });
    await bench.feed('in', Reading, readings(3_000, 4_000), { partitions: 1 });
    await until(async () => (await bench.read('out', Reading)).length >= 4_000, 'the second goes on');
    await taker.stop();
    t.match(taker.status(), { restarts: 0, failures: [] });
    t.same(values(await bench.read('out', Reading)), numbers(0, 4_000), 'each once');
  },
);

/** The sink, whose staged output is reported only when it is let go: a coordinator that stands still before it publishes. */
function held<Row>(sink: Sink<Row, 'exactly-once'>) {
  const gate = Promise.withResolvers<void>();
  let staged = 0;
  const slow: Sink<Row, 'exactly-once'> = {
    ...sink,
    async openWriter(context) {
      const writer = await sink.openWriter(context);
      return {
        write: (input) => writer.write(input),
        async prepareCommit(checkpoint) {
          const committable = await writer.prepareCommit(checkpoint);
          if (committable !== null) staged++;
          await gate.promise;
          return committable;
        },
        close: () => writer.close(),
      };
    },
  };
  return { sink: slow, staged: () => staged, release: () => gate.resolve() };
}

/** The sink, each write of which takes `delayMs` longer. */
function slowly<Row>(sink: Sink<Row, 'exactly-once'>, delayMs: number): Sink<Row, 'exactly-once'> {
  return {
    ...sink,
    async openWriter(context) {
      const writer = await sink.openWriter(context);
      return {
        async write(input) {
          await systemClock.sleep(delayMs);
          await writer.write(input);
        },
        prepareCommit: (checkpoint) => writer.prepareCommit(checkpoint),
        close: () => writer.close(),
      };
    },
  };
}
