import { Redis } from 'ioredis';
import { Packr } from 'msgpackr';
import t from 'tap';
import { DeadLetter, deadLetterTopic, redisStream, type SourceContext, systemClock } from '#engine';
import { defineJob, partitionLog } from '#operators';
import {
  bool,
  bytes,
  eventTime,
  f64,
  i32,
  i64,
  type Infer,
  nullable,
  obj,
  schema,
  string,
  time,
} from '#wire';
import { createJobBench, until } from '../../support/job-bench.ts';
import { startRedis } from '../../support/redis-server.ts';
import { openSource } from './source-bench.ts';

const Reading = schema('reading', { ts: eventTime(1), device: string(2), value: f64(3) });
type Reading = Infer<typeof Reading>;

const server = await startRedis({ appendonly: 'always' });
const redis = new Redis(server.url);
t.teardown(async () => {
  redis.disconnect();
  await server.stop();
});

let streams = 0;
const freshName = () => `plant-${streams++}`;
const reading = (n: number): Reading => ({ ts: 1_000 + n, device: `d${n % 3}`, value: n / 4 });
const addJson = (name: string, row: unknown) => redis.xadd(name, '*', 'data', JSON.stringify(row));
const json = { format: 'json' } as const;
const open = (name: string | readonly string[], changes: Parameters<typeof openSource>[1] = {}) =>
  openSource(redisStream(name, Reading, json), { redisUrl: server.url, ...changes });
const restoredFrom = (bench: { reader: { snapshot: () => { items: readonly unknown[] } } }) =>
  structuredClone(bench.reader.snapshot().items) as SourceContext['restored'];

const Wide = schema('wide', {
  at: eventTime(1),
  text: string(2),
  n: i32(3),
  big: i64(4),
  on: bool(5),
  seen: nullable(time(6)),
  raw: bytes(7),
  tags: obj<unknown>(8),
  none: nullable(f64(9)),
});
const wide = {
  at: 1_700_000_000_000,
  text: 'Zürich 𝄞',
  n: -7,
  big: 9_007_199_254_740_993n,
  on: true,
  seen: 1_500,
  raw: Uint8Array.of(0, 255, 13, 10),
  tags: { a: [1, null, 'x'] },
  none: null,
};

void t.test('fields: one entry field per schema field, bytes as they are', async (test) => {
  const name = freshName();
  const entry = ['at', '1700000000000', 'text', wide.text, 'n', '-7', 'big', '9007199254740993', 'on', '1'];
  await redis.xadd(
    name,
    '*',
    ...entry,
    'seen',
    '1970-01-01T00:00:01.5Z',
    'raw',
    Buffer.from(wide.raw),
    'tags',
    '{"a":[1,null,"x"]}',
    'other',
    'y',
  );
  for (const wrong of [
    ['n', '1.5'],
    ['n', '0x7'],
    ['n', ''],
    ['on', 'yes'],
    ['tags', '{'],
    ['big', '1e3'],
    ['seen', 'soon'],
  ])
    await redis.xadd(name, '*', ...entry, 'raw', 'x', 'tags', '1', ...wrong);
  await redis.xadd(name, '*', 'at', '1');
  await redis.xadd(name, '*', ...entry, 'raw', '', 'tags', 'null', 'tags', '2');
  const bench = await openSource(redisStream(name, Wide, { format: 'fields' }), { redisUrl: server.url });
  await bench.until(() => bench.rows.length + bench.unreadable.length === 10, 'all entries');
  test.same(bench.rows, [wide, { ...wide, seen: null, raw: new Uint8Array(), tags: 2 }]);
  test.equal(bench.unreadable.length, 8);
  await bench.close();
});

void t.test('msgpack: maps of any encoder, 64-bit integers and timestamps included', async (test) => {
  const name = freshName();
  const packed = (value: unknown) => new Packr({ useRecords: false }).pack(value);
  await redis.xadd(
    name,
    '*',
    'm',
    packed({ ...wide, at: 1_700_000_000_000n, n: -7n, seen: new Date(1_500) }),
  );
  await redis.xadd(name, '*', 'm', packed([wide]));
  await redis.xadd(name, '*', 'm', packed({ ...wide, n: 2n ** 40n }));
  await redis.xadd(name, '*', 'm', packed(wide).subarray(0, 20));
  await redis.xadd(name, '*', 'data', packed(wide));
  await redis.xadd(name, '*', 'm', new Packr({ useRecords: true }).pack(wide));
  const bench = await openSource(redisStream(name, Wide, { format: 'msgpack', field: 'm' }), {
    redisUrl: server.url,
  });
  await bench.until(() => bench.rows.length + bench.unreadable.length === 6, 'all entries');
  test.same(bench.rows, [wide]);
  test.equal(bench.unreadable.length, 5);
  await bench.close();
});

void t.test(
  'json: bad entries are handed over with stream, id and what they held; the rest goes on (FS3)',
  async (test) => {
    const name = freshName();
    await addJson(name, reading(1));
    const badId = await redis.xadd(name, '*', 'data', '{"ts":1,"device":7}');
    const binaryId = await redis.xadd(name, '*', 'data', Buffer.of(0xff, 0x00));
    const emptyId = await redis.xadd(name, '*', 'other', 'x');
    await redis.xadd(name, '*', 'more', 'y', 'data', JSON.stringify(reading(2)));
    const bench = await open(name);
    await bench.until(() => bench.rows.length === 2, 'both rows');
    test.same(bench.rows, [reading(1), reading(2)]);
    test.match(bench.unreadable, [
      {
        error: {
          code: 'MR_RECORD_INVALID',
          message: new RegExp(`Entry ${badId} of stream '${name}'.*device`),
        },
        input: { stream: name, id: badId, fields: ['data', '{"ts":1,"device":7}'] },
      },
      { input: { id: binaryId, fields: ['data', Uint8Array.of(0xff, 0x00)] } },
      { error: { message: /no field 'data'/ }, input: { id: emptyId, fields: ['other', 'x'] } },
    ]);
    await bench.close();
  },
);

void t.test(
  'watermarks follow event time, the future goes to dead letters (FS2), quiet makes idle',
  async (test) => {
    const name = freshName();
    for (const ts of [5_000, 4_000, Date.now() + 3_600_000]) await addJson(name, { ...reading(0), ts });
    const bench = await open(name, { options: { outOfOrdernessMs: 2_000, idleAfterMs: 300 } });
    await bench.until(() => bench.elements.includes('idle'), 'idle');
    test.same(bench.watermarks, [2_999], 'newest − bound − 1');
    test.equal(bench.rows.length, 2);
    test.match(bench.deadLetters, [{ reason: 'future-timestamp' }]);
    await addJson(name, { ...reading(0), ts: 9_000 });
    await bench.until(() => bench.rows.length === 3, 'the next');
    bench.drain();
    test.same(bench.watermarks, [2_999, 6_999]);
    test.match(bench.reader.status(), [
      {
        topic: name,
        partition: 0,
        offset: 4,
        lagRecords: 0,
        lagMs: 0,
        watermark: 6_999,
        idle: false,
        paused: false,
        recordsRead: 4,
      },
    ]);
    await bench.close();
  },
);

void t.test(
  'FS1: a snapshot mid-stream restores to exactly what follows, with its event time',
  async (test) => {
    const name = freshName();
    const total = 3_000;
    for (let n = 0; n < total; n += 500)
      await Promise.all(Array.from({ length: 500 }, (_, i) => addJson(name, reading(n + i))));
    const first = await open(name);
    let element = first.reader.poll();
    await until(() => {
      element = first.reader.poll();
      return element?.kind === 'records';
    }, 'a batch');
    const taken =
      element?.kind === 'records' && element.records.kind === 'columns' ? element.records.batch.count : 0;
    test.ok(taken > 0 && taken < total, `${taken} of ${total}`);
    const items = restoredFrom(first);
    await first.close();
    const second = await open(name, { restored: items });
    await second.until(() => second.rows.length === total - taken, 'the rest');
    test.same(
      second.rows.map((row) => row.value * 4).sort((a, b) => a - b),
      Array.from({ length: total - taken }, (_, i) => taken + i),
    );
    test.equal(second.watermarks[0], 1_000 + taken - 2, 'the restored watermark comes first');
    await second.close();
  },
);

for (const parallelism of [1, 2]) {
  void t.test(
    `two streams are two partitions, parallelism ${parallelism}, restored at the other`,
    async (test) => {
      const names = [freshName(), freshName()];
      const add = (from: number) =>
        Promise.all(names.map((name, p) => addJson(name, { ts: from + p, device: name, value: from + p })));
      await add(10);
      const subtasks = (count: number, restored: readonly unknown[]) =>
        Promise.all(
          Array.from({ length: count }, (_, subtask) =>
            open(names, { subtask, parallelism: count, restored }),
          ),
        );
      const before = await subtasks(parallelism, []);
      for (const [subtask, bench] of before.entries()) {
        await bench.until(() => bench.rows.length === 2 / parallelism, 'its share');
        if (parallelism === 2) test.equal((bench.rows[0] as Reading).device, names[subtask]);
      }
      const items = before.flatMap(restoredFrom);
      for (const bench of before) await bench.close();
      await add(20);
      const after = await subtasks(3 - parallelism, items);
      for (const bench of after)
        await bench.until(() => bench.rows.length === 2 / after.length, 'what followed');
      test.same(
        after.flatMap((bench) => bench.rows.map((row) => (row as Reading).value)).sort((a, b) => a - b),
        [20, 21],
      );
      for (const bench of after) await bench.close();
    },
  );
}

void t.test('RR1: a restart of the server loses nothing and gives nothing twice', async (test) => {
  const name = freshName();
  const bench = await open(name);
  for (let n = 0; n < 60; n++) {
    await addJson(name, reading(n));
    if (n === 30) {
      await bench.until(() => bench.rows.length > 20, 'under way');
      await server.restart();
    }
  }
  await bench.until(() => bench.rows.length === 60, 'all');
  test.same(
    bench.rows,
    Array.from({ length: 60 }, (_, n) => reading(n)),
  );
  await bench.close();
});

void t.test(
  'SP1 RR3: entries trimmed before they were read fail the source; trimmed after, they do not',
  async (test) => {
    const name = freshName();
    for (let n = 0; n < 10; n++) await addJson(name, reading(n));
    const bench = await open(name);
    await bench.until(() => bench.rows.length === 10, 'all');
    const items = restoredFrom(bench);
    await redis.xtrim(name, 'MAXLEN', 0);
    for (let n = 10; n < 15; n++) await addJson(name, reading(n));
    await bench.until(() => bench.rows.length === 15, 'what was read may be trimmed');
    await bench.close();

    const same = await open(name, { restored: items });
    await same.until(() => same.rows.length === 5, 'nothing is missing for the older position either');
    await same.close();
    await redis.xtrim(name, 'MAXLEN', 3);
    const gone = await open(name, { restored: items });
    await test.rejects(
      gone.until(() => false, 'a failure'),
      { code: 'MR_LOG_TRIMMED', message: /2 entries were trimmed/ },
    );
    test.equal(gone.rows.length, 0, 'nothing of what follows the gap was given');
    await gone.close();
  },
);

void t.test('SP2: a stream that lost its tail, is gone or was made anew fails the source', async (test) => {
  const name = freshName();
  for (let n = 0; n < 5; n++) await addJson(name, reading(n));
  const bench = await open(name);
  await bench.until(() => bench.rows.length === 5, 'all');
  const items = restoredFrom(bench);
  await redis.del(name);
  await test.rejects(
    bench.until(() => false, 'a failure'),
    { code: 'MR_LOG_ROLLED_BACK', message: /is gone/ },
  );
  await bench.close();
  await redis.xadd(name, '5-5', 'data', JSON.stringify(reading(9)));
  const behind = await open(name, { restored: items });
  await test.rejects(
    behind.until(() => false, 'a failure'),
    { code: 'MR_LOG_ROLLED_BACK', message: /gave out is 5-5/ },
  );
  await behind.close();
  await addJson(name, reading(10));
  const anew = await open(name, { restored: items });
  await test.rejects(
    anew.until(() => false, 'a failure'),
    { code: 'MR_LOG_ROLLED_BACK' },
  );
  await anew.close();
});

void t.test(
  "'latest' begins behind what is there, and stays there over a restore; a stream may come later",
  async (test) => {
    const [old, later] = [freshName(), freshName()];
    await addJson(old, reading(1));
    const bench = await open([old, later], { options: { startFrom: 'latest' } });
    bench.drain();
    const items = restoredFrom(bench);
    await bench.close();
    await addJson(old, reading(2));
    await addJson(later, reading(3));
    const restored = await open([old, later], { restored: items, options: { startFrom: 'latest' } });
    await restored.until(() => restored.rows.length === 2, 'both');
    test.same(
      restored.rows.map((row) => (row as Reading).value * 4).sort((a, b) => a - b),
      [2, 3],
    );
    await restored.close();
  },
);

void t.test('RR2: what is read ahead of a task that takes nothing is bounded', async (test) => {
  const name = freshName();
  const padding = 'x'.repeat(50_000);
  const total = 160;
  await Promise.all(Array.from({ length: total }, (_, n) => addJson(name, { ...reading(n), padding })));
  const bench = await open(name);
  await until(() => bench.wakes() > 4, 'some time');
  const clients = String(await redis.client('LIST'));
  test.match(clients, /name=millrace-stream/);
  const read = Number(
    (/cmdstat_xread:calls=(\d+)/.exec(await redis.info('commandstats')) as RegExpExecArray)[1],
  );
  await systemClock.sleep(300);
  const again = Number(
    (/cmdstat_xread:calls=(\d+)/.exec(await redis.info('commandstats')) as RegExpExecArray)[1],
  );
  test.equal(again, read, 'reading has stopped');
  await bench.until(() => bench.rows.length === total, 'and goes on when taken from');
  await bench.close();
});

void t.test(
  'E1 FS4: a stream is not read beyond the drift, and goes on when the slow one has caught up or is idle',
  async (test) => {
    const [fast, slow] = [freshName(), freshName()];
    const add = (name: string, ts: number) => addJson(name, { ts, device: name, value: ts });
    await add(slow, 1_000);
    const bench = await open([fast, slow], {
      options: { idleAfterMs: 1_000, alignment: { group: 'g', maxDriftMs: 2_000 } },
    });
    await bench.until(() => bench.rows.length === 1, 'the slow one');
    const paused = () => bench.reader.status().map((it) => it.paused);
    for (const ts of [3_000, 4_000]) {
      await add(fast, ts);
      await bench.until(() => bench.rows.length === ts / 1_000 - 1, 'what is within the drift');
    }
    test.same(paused(), [true, false]);
    await add(fast, 5_000);
    await systemClock.sleep(150);
    bench.drain();
    test.equal(bench.rows.length, 3, 'the next is not taken');
    await add(slow, 2_500);
    await bench.until(() => bench.rows.length === 5, 'it has caught up');
    test.same(paused(), [true, false]);
    await add(fast, 60_000);
    await bench.until(() => bench.rows.length === 6, 'it is idle');
    test.same(paused(), [false, false]);
    await bench.close();
  },
);

void t.test('a key that is no stream, and no server to read from, are refused', async (test) => {
  const name = freshName();
  await redis.set(name, 'x');
  await test.rejects(open(name), { code: 'MR_CONFIG_INVALID', message: /holds another type/ });
  await test.rejects(openSource(redisStream(name, Reading, json)), {
    code: 'MR_CONFIG_INVALID',
    message: /knows no Redis/,
  });
  for (const wrong of [[], ['a', 'a']])
    test.throws(() => redisStream(wrong, Reading, json), { code: 'MR_CONFIG_INVALID' });
});

void t.test(
  'in a job: every entry once in what it writes, over a crash of the job, and bad ones in dead letters',
  async (test) => {
    const names = [freshName(), freshName()];
    const bench = createJobBench();
    const environment = { redisUrl: server.url };
    const graph = defineJob(
      'foreign',
      { guarantee: 'exactly-once', parallelism: 2, checkpointInterval: '100ms', onError: 'dead-letter' },
      (job) =>
        job
          .source('plants', redisStream(names, Reading, json))
          .map((row) => row)
          .to('out', partitionLog('out', Reading, { partitions: 1 })),
    ).graph();
    let n = 0;
    const add = async (count: number) => {
      for (let i = 0; i < count; i++, n++) await addJson(names[n % 2] as string, reading(n));
    };
    await add(100);
    const first = bench.run(graph, environment);
    await until(async () => (await bench.read('out', Reading)).length === 100, 'the first hundred');
    await redis.xadd(names[0] as string, '*', 'data', 'nonsense');
    await add(50);
    await first.cancel();
    await add(50);
    const second = bench.run(graph, environment);
    await until(async () => (await bench.read('out', Reading)).length >= 200, 'all');
    await until(
      async () => (await bench.read(deadLetterTopic('foreign'), DeadLetter)).length >= 1,
      'the dead letter',
    );
    await second.stop();
    const out = await bench.read('out', Reading);
    test.same(
      out.map((row) => row.value * 4).sort((a, b) => a - b),
      Array.from({ length: 200 }, (_, i) => i),
    );
    test.match(await bench.read(deadLetterTopic('foreign'), DeadLetter), [
      {
        operator: 'plants',
        reason: 'MR_RECORD_INVALID',
        record: { stream: names[0], fields: ['data', 'nonsense'] },
      },
    ]);
  },
);
