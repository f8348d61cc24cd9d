import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { DeadLetter, deadLetterTopic } from '#engine';
import { count, defineJob, partitionLog, tumbling } from '#operators';
import { eventTime, schema, string } from '#wire';
import type { ForwarderStats } from '../../edge-forwarder/forwarder.ts';
import { createTopic, startForwarder } from '../support/edge-forwarder.ts';
import { until } from '../support/job-bench.ts';
import { Count, copyJob, countJob, IN, numbers, QUICK, recordsRead, values } from './outcome-jobs.ts';
import { Reading, reading, readings } from './outcome-reading.ts';
import { type RedisBench, startRedisBench } from './redis-bench.ts';

/* What becomes of single records that go wrong: the rows O1 to O6 of docs/outcomes.md. */

const SCHEMA = `${fileURLToPath(new URL('./outcome-reading.ts', import.meta.url))}#Reading`;

await t.test(
  'O1: an asyncMap that throws fails the attempt; the job says where and tries again until it works',
  async (t) => {
    const bench = await startRedisBench(t);
    let registryDown = true;
    const definition = defineJob('enriching', QUICK, (job) => {
      job
        .source('readings', IN)
        .asyncMap('enrich', async (row) => {
          if (row.value === 13 && registryDown) throw new Error('the registry does not answer');
          return row;
        })
        .to('out', partitionLog('out', Reading));
    });
    await bench.feed('in', Reading, readings(0, 50), { partitions: 1 });
    const handle = bench.run(definition.graph());
    await until(() => handle.status().restarts >= 2, 'it has restarted twice');
    t.match(handle.status().failures[0], {
      code: 'MR_OPERATOR_FAILED',
      operator: 'enrich',
      message: /'enrich'.*event time 13000.*the registry does not answer/,
    });
    t.notOk(['failed', 'stopped'].includes(handle.status().state), handle.status().state);
    registryDown = false;
    await until(async () => (await bench.read('out', Reading)).length >= 50, 'all rows are through');
    await handle.stop();
    t.same(values(await bench.read('out', Reading)), numbers(0, 50), 'each once');
  },
);

await t.test(
  'O2: an asyncMap that throws sets the record aside, when the job declares dead letters',
  async (t) => {
    const bench = await startRedisBench(t);
    const definition = defineJob('enriching', { ...QUICK, onError: 'dead-letter' }, (job) => {
      job
        .source('readings', IN)
        .asyncMap('enrich', async (row) => {
          if (row.value === 13) throw new Error('no such device');
          return row;
        })
        .to('out', partitionLog('out', Reading));
    });
    await bench.feed('in', Reading, readings(0, 50), { partitions: 1 });
    const handle = bench.run(definition.graph());
    await until(async () => (await bench.read('out', Reading)).length >= 49, 'the others are through');
    await handle.stop();
    t.match(handle.status(), { restarts: 0, failures: [] });
    t.equal(handle.status().operators.find(({ id }) => id === 'enrich')?.deadLetters, 1);
    const [letter, ...more] = await bench.read(deadLetterTopic('enriching'), DeadLetter);
    t.match(letter, {
      job: 'enriching',
      operator: 'enrich',
      reason: 'MR_OPERATOR_FAILED',
      message: 'no such device',
      recordTime: 13_000,
    });
    t.same(letter?.record, reading(13));
    t.same(more, []);
    t.same(
      values(await bench.read('out', Reading)),
      numbers(0, 50).filter((n) => n !== 13),
    );
  },
);

await t.test(
  'O3: a line that is no record ends in the rejects file with its reason; the others are delivered',
  async (t) => {
    const bench = await startRedisBench(t);
    const good = readings(0, 20).map((row) => JSON.stringify(row));
    const bad = [
      '{"ts": 1, "device":',
      '{"ts": 1, "device": "a", "value": "warm"}',
      '{"device": "a", "value": 1}',
    ];
    const stats = await forward(t, bench, 'gateway', [...good.slice(0, 10), ...bad, ...good.slice(10)]);
    t.match(stats, { accepted: 20, delivered: 20, rejected: 3 });
    t.same(values(await bench.read('in', Reading)), numbers(0, 20));
    const rejects = readFileSync(join(bench.folder, 'gateway', 'rejects.jsonl'), 'utf8')
      .trim()
      .split('\n');
    t.match(
      rejects.map((line) => JSON.parse(line)),
      [
        { position: 10, reason: /is not JSON/, text: bad[0] as string },
        { position: 11, reason: /'value'/, text: bad[1] as string },
        { position: 12, reason: /'ts'/, text: bad[2] as string },
      ],
    );
  },
);

await t.test(
  'O4: a record without a key goes to dead letters, whatever the job declares; its neighbours count',
  async (t) => {
    const bench = await startRedisBench(t);
    const definition = defineJob('keyed', { ...QUICK, onError: 'fail' }, (job) => {
      job
        .source('readings', IN)
        .keyBy((row) => row.site as string) // the schema allows null: the author was careless
        .window(tumbling('10s'))
        .aggregate('per-site', { n: count() })
        .map(({ key, window, value }) => ({ start: window.start, device: key, n: value.n }))
        .to('counts', partitionLog('counts', Count));
    });
    const rows = readings(0, 11).map((row) => (row.value === 3 ? { ...row, site: null } : row));
    await bench.feed('in', Reading, rows, { partitions: 1 });
    const handle = bench.run(definition.graph());
    await until(async () => (await bench.read('counts', Count)).length > 0, 'the window is closed');
    await handle.stop();
    t.match(handle.status(), { restarts: 0, failures: [] });
    t.same(await bench.read('counts', Count), [{ start: 0, device: 'hall', n: 9 }]);
    const letters = await bench.read(deadLetterTopic('keyed'), DeadLetter);
    t.match(letters, [{ operator: 'per-site', reason: 'MR_KEY_INVALID', recordTime: 3_000 }]);
    t.same(letters[0]?.record, rows[3]);
  },
);

await t.test(
  'O5: a frame of a schema that the job does not know ends the job, or goes to dead letters whole, as declared',
  async (t) => {
    const bench = await startRedisBench(t);
    const Foreign = schema('foreign', { ts: eventTime(1), text: string(2) });
    await bench.feed('in', Reading, readings(0, 10), { partitions: 1 });
    const foreign = [1, 2, 3].map((ts) => ({ ts, text: 'hello' }));
    await bench.feed('in', Foreign, foreign, { partitions: 1, producer: 'stranger' });
    await bench.feed('in', Reading, readings(10, 20), { partitions: 1, producer: 'later' });
    const definition = copyJob('reading');
    const strict = bench.run(definition.graph());
    t.equal(await strict.done, 'failed');
    t.match(strict.status(), {
      restarts: 0,
      failures: [
        {
          code: 'MR_SCHEMA_UNKNOWN',
          operator: 'readings',
          message: /topic 'in', partition 0, offset 10.*'stranger'/,
        },
      ],
    });

    const lenient = bench.run(definition.graph({ onError: 'dead-letter' }));
    await until(async () => (await bench.read('out', Reading)).length >= 20, 'the others are through');
    await lenient.stop();
    t.same(values(await bench.read('out', Reading)), numbers(0, 20), 'each once');
    const letters = await bench.read(deadLetterTopic('reading'), DeadLetter);
    t.match(letters, [
      { operator: 'readings', reason: 'MR_SCHEMA_UNKNOWN', record: { topic: 'in', offset: 10, records: 3 } },
    ]);
  },
);

await t.test(
  'O6: a timestamp in the year 2100 goes to dead letters and closes no window before its time',
  async (t) => {
    const bench = await startRedisBench(t);
    await createTopic(bench.redis.url, 'in', 1, Reading);
    const handle = bench.run(countJob('counting').graph());
    const future = { ...reading(1), ts: Date.UTC(2100, 0, 1) };
    await forward(
      t,
      bench,
      'clock-is-wrong',
      [reading(0), future].map((row) => JSON.stringify(row)),
    );
    await until(() => recordsRead(handle) === 2, 'the future was read');
    await forward(
      t,
      bench,
      'clock-is-right',
      readings(1, 11).map((row) => JSON.stringify(row)),
    );
    await until(async () => (await bench.read('counts', Count)).length >= 10, 'the window is closed');
    await handle.stop();
    const counts = await bench.read('counts', Count);
    t.same(
      counts.map(({ start, n }) => [start, n]),
      numbers(0, 10).map(() => [0, 1]),
      'what came after it counts, in the window of its own time',
    );
    t.same(await bench.read('late', Reading), []);
    const letters = await bench.read(deadLetterTopic('counting'), DeadLetter);
    t.match(letters, [{ operator: 'readings', reason: 'future-timestamp', recordTime: future.ts }]);
    t.same(letters[0]?.record, future);
  },
);

await t.test(
  'docs/outcomes.md has a row for each situation that is shown here, and for no other',
  async (t) => {
    const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');
    const suites = [
      './outcomes.test.ts',
      './outcomes-servers.test.ts',
      './outcomes-topics.test.ts',
      './outcomes-owners.test.ts',
    ].map(read);
    const shown = suites.flatMap((text) => [...text.matchAll(/^ {2}'(O\d+): /gm)].map(([, id]) => id));
    const described = [...read('../../docs/outcomes.md').matchAll(/^\| (O\d+) \|/gm)].map(([, id]) => id);
    t.same(described, shown);
    t.equal(new Set(shown).size, 14);
  },
);

/** Runs a forwarder over the lines until all of them are delivered or rejected. */
async function forward(
  t: Test,
  { redis, folder }: RedisBench,
  producer: string,
  lines: readonly string[],
): Promise<ForwarderStats> {
  await createTopic(redis.url, 'in', 1, Reading);
  const to = [
    '--redis',
    redis.url,
    '--topic',
    'in',
    '--producer',
    producer,
    '--outbox',
    join(folder, producer),
  ];
  const edge = startForwarder([...to, '--schema', SCHEMA, '--key', 'device', 'stdin']);
  edge.child.stdin?.end(`${lines.join('\n')}\n`);
  t.equal(await edge.exited, 0, edge.err());
  return JSON.parse(edge.out()) as ForwarderStats;
}
