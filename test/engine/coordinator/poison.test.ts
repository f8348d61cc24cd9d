import t from 'tap';
import { DeadLetter, deadLetterTopic } from '#engine';
import { defineJob, defineOperator, type JobSettings, partitionLog, type, valueState } from '#operators';
import { eventTime, f64, type Infer, schema, string } from '#wire';
import { createCoordinatorBench } from '../../support/coordinator-bench.ts';

const Row = schema('poison-row', { ts: eventTime(1), key: string(2), n: f64(3) });
type Row = Infer<typeof Row>;

const counting = defineOperator({
  key: type<{ readonly key: string }>(),
  input: type<Row>(),
  output: type<Row>(),
  state: { seen: valueState<number>() },
  onRecord(row, { state, emit }) {
    if (row.n === 13) throw new Error('thirteen');
    const seen = (state.seen.get() ?? 0) + 1;
    state.seen.set(seen);
    emit({ ...row, n: row.n * 100 + seen });
  },
});

const graphOf = (settings: Partial<JobSettings<'exactly-once'>> = {}) =>
  defineJob(
    'poisoned',
    {
      guarantee: 'exactly-once',
      checkpointInterval: '100ms',
      restart: { first: '10ms', max: '10ms' },
      ...settings,
    },
    (job) => {
      job
        .source('in', partitionLog('in', Row))
        .map((row) => {
          if (row.n === 7) throw new Error('seven');
          return row;
        })
        .keyBy('key')
        .process('count', counting)
        .to('out', partitionLog('out', Row, { partitions: 1 }));
    },
  ).graph();

const rows: Row[] = Array.from({ length: 20 }, (_, n) => ({ ts: n, key: `k${n % 3}`, n }));

for (const parallelism of [1, 2]) {
  void t.test(
    `E9: a poison record stops the job as often as declared, then goes to dead letters, and the others count once; parallelism ${parallelism}`,
    async (test) => {
      const bench = createCoordinatorBench();
      await bench.feed('in', Row, rows, { partitionOf: ({ n }) => (n % 3) % 2 });
      const handle = bench.run(graphOf({ poisonAfter: 3, parallelism }));
      await bench.passUntil(
        async () => (await bench.read('out', Row)).length >= 18,
        'the others are through',
      );
      await bench.pass(300);
      await handle.stop();
      const { failures, restarts } = handle.status();
      test.equal(restarts, 6, 'two records, three times each');
      for (const [message, operator] of [
        ['seven', /count/],
        ['thirteen', /^count$/],
      ] as const)
        test.equal(
          failures.filter((it) => it.message.includes(message) && operator.test(it.operator ?? '')).length,
          3,
          message,
        );
      const atSource = failures.find(({ message }) => message.includes('seven'));
      test.match(atSource, { code: 'MR_OPERATOR_FAILED', topic: 'in', partition: 1, subtask: Number });
      test.type(atSource?.offset, 'number');
      const dead = await bench.read(deadLetterTopic('poisoned'), DeadLetter);
      test.same(
        dead.map(({ record }) => (record as Row).n).sort((a, b) => a - b),
        [7, 13],
        'each once',
      );
      test.match(
        dead.find(({ message }) => message.includes('thirteen')),
        { operator: 'count', reason: 'MR_OPERATOR_FAILED', recordTime: 13 },
      );
      const seen = new Map<string, number>();
      const want = rows.flatMap(({ key, n }) => {
        if (n === 7 || n === 13) return [];
        seen.set(key, (seen.get(key) ?? 0) + 1);
        return [n * 100 + (seen.get(key) as number)];
      });
      test.same(
        (await bench.read('out', Row)).map(({ n }) => n).sort((a, b) => a - b),
        want,
      );
    },
  );
}

for (const [name, restart, delays] of [
  ['exponential', { first: '1s', max: '3s' }, [1_000, 2_000, 3_000]],
  ['fixed', { strategy: 'fixed', delay: '2s', attempts: 3 }, [2_000, 2_000]],
  ['failure-rate', { strategy: 'failure-rate', failures: 2, per: '1m', delay: '5s' }, [5_000, 5_000]],
  ['none', 'none', []],
] as const) {
  void t.test(
    `E9: the restart strategy ${name} waits as declared before each attempt, then gives up if it declares so`,
    async (test) => {
      const bench = createCoordinatorBench();
      await bench.feed('in', Row, rows, { partitions: 1 });
      const handle = bench.run(graphOf({ restart, checkpointInterval: '1h' }), { random: () => 0.5 });
      for (const [i, delay] of delays.entries()) {
        await bench.passUntil(() => handle.status().state === 'restarting', 'it has failed', 0);
        await bench.pass(delay - 1);
        test.same([handle.status().state, handle.status().generation], ['restarting', i + 1]);
        await bench.pass(1);
        test.equal(handle.status().generation, i + 2);
      }
      if (name === 'exponential') return handle.cancel();
      await bench.passUntil(() => handle.status().state === 'failed', 'it has given up', 0);
      test.equal(handle.status().failures.length, delays.length + 1);
    },
  );
}
