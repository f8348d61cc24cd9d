import { Redis } from 'ioredis';
import t, { type Test } from 'tap';
import { checkpointId, hasCode, systemClock, type SinkWriter } from '#engine';
import { placeOf, SERIES_SHARDS } from '../../../sinks/timeseries/series-layout.ts';
import { timeSeries } from '../../../sinks/timeseries/time-series.ts';
import { openTimeSeriesReader, type TimeSeriesReader } from '../../../sinks/timeseries/time-series-reader.ts';
import { seriesKeyText, type WindowResult } from '../../../sinks/timeseries/window-result.ts';
import { heldSocket } from '../../support/held-socket.ts';
import { startRedis } from '../../support/redis-server.ts';
import { DAY, device, input, result, seriesContext, WINDOW_MS, writeThrough } from './series-harness.ts';

const server = await startRedis();
t.teardown(() => server.stop());
const everything = { from: 0, to: Number.MAX_SAFE_INTEGER, pointsMax: 10_000 };

await t.test(
  'points come back by key and range, in order, with every field, null, NaN and infinity',
  async (t) => {
    const { writer, reader } = await open(t, 'range');
    const values = [
      { n: 1, temp: -0.1 },
      { n: 2, temp: null },
      { n: 3, temp: Number.NaN },
      { n: 4, temp: Number.POSITIVE_INFINITY },
    ];
    const rows = values.map((value, i) => result(device(1), i, value));
    await writeThrough(writer, [...rows.toReversed(), result(device(2), 0, { n: 9, temp: 0 })]); // out of order
    const points = rows.map(({ window, value }) => ({ ...window, values: value }));
    const key = 'acme/pump-1';
    t.same(await reader.range({ name: 'range', key, ...everything }), points);
    const range = { from: DAY + WINDOW_MS, to: DAY + 3 * WINDOW_MS, pointsMax: 10 };
    t.same(
      await reader.range({ name: 'range', key, ...range }),
      points.slice(1, 3),
      'from inclusive, to exclusive',
    );
    t.same(
      await reader.range({ name: 'range', key, ...range, pointsMax: 1 }),
      points.slice(2, 3),
      'the newest ones',
    );
    t.same(await reader.range({ name: 'range', key: 'acme/pump-3', ...everything }), []);
    t.same(await reader.range({ name: 'other', key, ...everything }), []);
    t.same(writer.stats?.()['rowsWritten'], 5);
  },
);

await t.test('a replay rewrites the same values, a correction replaces them', async (t) => {
  const { writer, reader } = await open(t, 'replay');
  const rows = Array.from({ length: 2_000 }, (_, i) =>
    result(device(i % 50), Math.floor(i / 50), { n: i, temp: i / 7 }),
  );
  await writeThrough(writer, rows);
  const read = () =>
    Promise.all(
      Array.from({ length: 50 }, (_, d) =>
        reader.range({ name: 'replay', key: `acme/pump-${d}`, ...everything }),
      ),
    );
  const before = await read();
  t.equal(before.flat().length, 2_000);
  await writeThrough(writer, rows.slice(500));
  t.same(await read(), before);
  await writeThrough(writer, [
    result(device(3), 7, { n: 0, temp: 1 }),
    result(device(3), 7, { n: 1, temp: 2 }),
  ]);
  const [corrected] = await reader.range({
    name: 'replay',
    key: 'acme/pump-3',
    from: DAY + 7 * WINDOW_MS,
    to: DAY + 8 * WINDOW_MS,
    pointsMax: 9,
  });
  t.same(corrected?.values, { n: 1, temp: 2 }, 'the last one wins');
});

await t.test('ranges cross hours, and a long one gives the newest points', async (t) => {
  const { writer, reader } = await open(t, 'hours');
  const rows = Array.from({ length: 30 }, (_, i) => result('k', i * 360, { n: i })); // one an hour, 30 hours
  await writeThrough(writer, rows);
  const all = await reader.range({ name: 'hours', key: 'k', ...everything });
  t.same(
    all.map((point) => point.values['n']),
    Array.from({ length: 30 }, (_, i) => i),
  );
  const some = await reader.range({ name: 'hours', key: 'k', ...everything, pointsMax: 7 });
  t.same(
    some.map((point) => point.values['n']),
    [23, 24, 25, 26, 27, 28, 29],
  );
});

await t.test(
  'the newest point is of the latest window, whatever arrives last; keys are listed in order',
  async (t) => {
    const { writer, reader } = await open(t, 'latest');
    await writeThrough(
      writer,
      [3, 1, 2].map((d) => result(device(d), 10, { n: d })),
    );
    await writeThrough(writer, [result(device(1), 4, { n: 0 }), result(device(2), 11, { n: 20 })]);
    const latest = await reader.latest('latest', 2);
    t.same(
      latest.map(({ key, point }) => [key, point.start, point.values['n']]),
      [
        ['acme/pump-1', DAY + 10 * WINDOW_MS, 1],
        ['acme/pump-2', DAY + 11 * WINDOW_MS, 20],
      ],
    );
    t.same(await reader.keys('latest', 9), ['acme/pump-1', 'acme/pump-2', 'acme/pump-3']);
    t.equal(seriesKeyText({ a: 'x/y', b: '1%', c: true }), 'x%2Fy/1%25/true');
  },
);

await t.test('an older generation is refused once a newer one has opened, and writes nothing', async (t) => {
  const zombie = await open(t, 'fence', 1);
  await writeThrough(zombie.writer, [result('k', 0, { n: 1 })]);
  const { writer, reader } = await open(t, 'fence', 2);
  await writeThrough(writer, [result('k', 0, { n: 2 })]);
  await zombie.writer.write(input([result('k', 0, { n: -1 })]));
  await fenced(t, zombie.writer.prepareCommit(checkpointId(2)));
  t.throws(
    () => zombie.writer.write(input([result('k', 1, { n: -1 })])),
    { code: 'MR_SINK_FENCED' },
    'for good',
  );
  await fenced(t, open(t, 'fence', 1));
  t.same(
    (await reader.range({ name: 'fence', key: 'k', ...everything })).map((p) => p.values['n']),
    [2],
  );
  await writeThrough((await open(t, 'fence', 2)).writer, [result('k', 1, { n: 3 })]); // another subtask
  const other = await open(t, 'fence', 1, { operator: 'other-sink' });
  await writeThrough(other.writer, [result('k', 2, { n: 4 })]);
});

await t.test('a write that is under way when a newer generation opens is refused as well', async (t) => {
  const socket = await heldSocket(server.dir, server.url);
  t.teardown(() => socket.close());
  const zombie = await open(t, 'in-flight', 1, {}, socket.path);
  await writeThrough(zombie.writer, [result('k', 0, { n: 1 })]);
  socket.hold();
  await zombie.writer.write(input([result('k', 0, { n: -1 })]));
  const flushed = fenced(t, zombie.writer.prepareCommit(checkpointId(2)));
  await socket.holding();
  const { writer, reader } = await open(t, 'in-flight', 2);
  await writeThrough(writer, [result('k', 0, { n: 2 })]);
  socket.release();
  await flushed;
  t.same(
    (await reader.range({ name: 'in-flight', key: 'k', ...everything })).map((p) => p.values['n']),
    [2],
  );
});

await t.test('points and the list of keys expire, and the list is bounded', async (t) => {
  const { writer, reader } = await open(t, 'ttl', 1, {}, server.url, { ttl: '300ms' });
  await writeThrough(writer, [result('k', 0, { n: 1 })]);
  t.equal((await reader.range({ name: 'ttl', key: 'k', ...everything })).length, 1);
  const raw = new Redis(server.url);
  t.teardown(() => raw.disconnect());
  const left = async () => (await raw.keys('mr:test:{series:ttl:*')).filter((key) => !key.endsWith(':fence'));
  t.equal((await left()).length, 5, 'page, noted, hours, undo log and its interval');
  while ((await left()).length > 0) await systemClock.sleep(50);
  t.same(await reader.range({ name: 'ttl', key: 'k', ...everything }), []);

  const bounded = await open(t, 'bounded', 1, {}, server.url, { keysMax: 2 * SERIES_SHARDS });
  await writeThrough(
    bounded.writer,
    Array.from({ length: 2_000 }, (_, i) => result(device(i), 0, { n: i })),
  );
  const keys = await bounded.reader.keys('bounded', 1_000);
  t.equal(keys.length, 2 * SERIES_SHARDS);
  t.equal(new Set(keys.map((key) => placeOf(key).shard)).size, SERIES_SHARDS);
});

await t.test(
  'keys that are idle leave the list of a busy shard after the ttl and a quarter of it',
  async (t) => {
    let now = systemClock.now();
    const { writer, reader } = await open(t, 'idle', 1, { clock: { ...systemClock, now: () => now } });
    const { shard } = placeOf('a');
    const other = Array.from({ length: 100 }, (_, i) => `b${i}`).find(
      (key) => placeOf(key).shard === shard,
    ) as string;
    await writeThrough(writer, [result('a', 0, { n: 1 })]);
    now += 2 * 3_600_000 + 1;
    await writeThrough(writer, [result(other, 0, { n: 1 })]);
    t.same(
      await reader.keys('idle', 10),
      ['a', other],
      'a may have been written for a quarter of the ttl without a note',
    );
    now += 1_800_000;
    await writeThrough(writer, [result(other, 1, { n: 1 })]);
    const later = await openTimeSeriesReader({ url: server.url, namespace: 'test', clock: systemClock });
    t.teardown(() => later.close());
    t.same(await later.keys('idle', 10), [other]);
  },
);

await t.test(
  'a server that is killed and comes back empty fails the attempt; the next one writes again',
  async (t) => {
    const fragile = await startRedis();
    t.teardown(() => fragile.stop());
    const { writer } = await open(t, 'lost', 4, {}, fragile.url);
    await writeThrough(writer, [result('k', 0, { n: 1 })]);
    await fragile.kill9();
    await writer.write(input([result('k', 1, { n: 2 })]));
    const flushed = writer.prepareCommit(checkpointId(1));
    await fragile.restart();
    await rejectedAs(t, 'MR_SINK_FAILED', flushed);
    const next = await open(t, 'lost', 5, {}, fragile.url);
    await writeThrough(next.writer, [result('k', 0, { n: 1 }), result('k', 1, { n: 2 })]);
    t.equal((await next.reader.range({ name: 'lost', key: 'k', ...everything })).length, 2);
  },
);

await t.test('a server that stays away fails the attempt within the bound', async (t) => {
  const gone = await startRedis();
  t.teardown(() => gone.stop());
  const hurried = { ...systemClock, after: (ms: number, run: () => void) => systemClock.after(ms / 50, run) };
  const { writer } = await open(t, 'gone', 1, { clock: hurried }, gone.url);
  await gone.kill9();
  await writer.write(input([result('k', 0, { n: 1 })]));
  await rejectedAs(t, 'MR_REDIS_UNAVAILABLE', writer.prepareCommit(checkpointId(1)));
  await rejectedAs(t, 'MR_REDIS_UNAVAILABLE', open(t, 'gone', 2, { clock: hurried }, gone.url));
});

await t.test('connections that drop lose nothing', async (t) => {
  const { writer, reader } = await open(t, 'drops');
  const raw = new Redis(server.url).on('error', () => undefined);
  t.teardown(() => raw.disconnect());
  for (let round = 0; round < 20; round++) {
    await writer.write(
      input(Array.from({ length: 500 }, (_, i) => result(device(i), round, { n: round * 1000 + i }))),
    );
    if (round % 4 === 1) await raw.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  }
  await writer.prepareCommit(checkpointId(1));
  let wrong = 0;
  for (const i of [0, 77, 499]) {
    const points = await reader.range({ name: 'drops', key: `acme/pump-${i}`, ...everything });
    for (let round = 0; round < 20; round++) if (points[round]?.values['n'] !== round * 1000 + i) wrong++;
  }
  t.equal(wrong, 0);
});

await t.test('rows that no store could hold go to the dead letters, the others are written', async (t) => {
  const letters: string[] = [];
  const { writer, reader } = await open(t, 'letters', 1, {
    deadLetter: (_row, reason) => letters.push(reason),
  });
  const good = result('k', 0, { n: 1 });
  const bad = [
    { ...good, window: { start: Number.NaN, end: 1 } },
    { ...good, value: { n: 'x' as unknown as number } },
    { ...good, key: { a: {} as unknown as string } },
    { ...good, key: 'x'.repeat(2_000) },
  ];
  await writeThrough(writer, [...bad, good]);
  t.equal(letters.length, 4);
  t.match(letters[0], 'NaN');
  t.equal((await reader.range({ name: 'letters', key: 'k', ...everything })).length, 1);
});

await t.test('a sink uses the Redis of its job, and without any says what to do', async (t) => {
  await rejectedAs(t, 'MR_CONFIG_INVALID', timeSeries('x').openWriter(seriesContext(1)));
  t.throws(() => timeSeries('no spaces'), { code: 'MR_CONFIG_INVALID' });
  t.throws(() => timeSeries('x', { ttl: 0 }), { code: 'MR_CONFIG_INVALID' });
  const context = seriesContext(1, { redisUrl: server.url });
  const writer = await timeSeries('own-redis').openWriter(context);
  await writeThrough(writer, [result('k', 0, { n: 1 })]);
  await writer.close();
});

interface Opened {
  readonly writer: SinkWriter<WindowResult>;
  readonly reader: TimeSeriesReader;
}

async function open(
  t: Test,
  name: string,
  attempt = 1,
  context: Parameters<typeof seriesContext>[1] = {},
  url = server.url,
  options: Parameters<typeof timeSeries>[1] = {},
): Promise<Opened> {
  const writer = await timeSeries(name, { url, ...options }).openWriter(seriesContext(attempt, context));
  const reader = await openTimeSeriesReader({ url, namespace: 'test', clock: systemClock });
  t.teardown(async () => {
    await writer.close();
    await reader.close();
  });
  return { writer, reader };
}

function fenced(t: Test, promise: Promise<unknown>): Promise<void> {
  return rejectedAs(t, 'MR_SINK_FENCED', promise);
}

async function rejectedAs(
  t: Test,
  code: Parameters<typeof hasCode>[1],
  promise: Promise<unknown>,
): Promise<void> {
  const error = await promise.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  t.ok(hasCode(error, code), `${code}: ${String(error)}`);
}
