import { Redis } from 'ioredis';
import t, { type Test } from 'tap';
import { checkpointId, systemClock } from '#engine';
import { placeOf, storedField } from '../../../sinks/timeseries/series-layout.ts';
import { timeSeries } from '../../../sinks/timeseries/time-series.ts';
import { openTimeSeriesReader } from '../../../sinks/timeseries/time-series-reader.ts';
import { startRedis } from '../../support/redis-server.ts';
import { DAY, input, result, seriesContext, WINDOW_MS } from './series-harness.ts';
import { undoBehaviour, type UndoStore } from './undo-behaviour.ts';

const server = await startRedis();
t.teardown(() => server.stop());
const raw = new Redis(server.url);
t.teardown(() => raw.disconnect());

await t.test('the live series (RW3, RW4)', (t) => undoBehaviour(t, series));

await t.test('the newest point and the list of keys are undone too (RW3)', async (t) => {
  const { open } = await series(t, 'newest');
  const reader = await openTimeSeriesReader({ url: server.url, namespace: 'test', clock: systemClock });
  t.teardown(() => reader.close());
  const first = await open(1, { nextSeq: 1 });
  await first.write(input([result('a', 5, { n: 1 })]));
  await first.prepareCommit(checkpointId(1));
  await first.write(input([result('a', 9, { n: 2 }), result('b', 0, { n: 3 })]));
  await first.prepareCommit(checkpointId(2));
  await open(2, { nextSeq: 2 });
  const newest = {
    key: 'a',
    point: { start: DAY + 5 * WINDOW_MS, end: DAY + 6 * WINDOW_MS, values: { n: 1 } },
  };
  t.same(await reader.latest('newest', 10), [newest]);
  const points = await Promise.all(
    (await raw.keys('mr:test:{series:newest:*:page:*')).map((key) => raw.hlen(key)),
  );
  t.same(points, [1], 'no page of b is left');
  const noted = await Promise.all(
    (await raw.keys('mr:test:{series:newest:*:noted')).map((key) => raw.zrange(key, '0', '-1')),
  );
  t.same(noted.flat(), ['a'], 'noted and hours have the same members');
  const lasting = await Promise.all(
    (await raw.keys('mr:test:{series:newest:*')).map(async (key) => [key, await raw.pttl(key)] as const),
  );
  t.same(
    lasting.filter(([key, ttl]) => ttl < 0 && !key.endsWith(':fence')),
    [],
    'everything but the fence expires',
  );
});

await t.test('RW5 subtasks that share a page undo their own points only', async (t) => {
  const { open, read } = await series(t, 'shared');
  const first = await open(1, { nextSeq: 1, subtask: 0 });
  const second = await open(1, { nextSeq: 1, subtask: 1 });
  await second.prepareCommit(checkpointId(1)); // its barrier came first
  await second.write(input([result('b', 0, { n: 2 })]));
  await second.prepareCommit(checkpointId(2));
  await first.write(input([result(pageMate('b'), 0, { n: 1 })]));
  await first.prepareCommit(checkpointId(1));
  await open(2, { nextSeq: 2 });
  t.same(await read(), { [`${pageMate('b')}@0`]: 1 });
});

await t.test(
  'RW5 of a point that two generations have written, the newer one counts until it is undone',
  async (t) => {
    const { open, read } = await series(t, 'moved');
    const before = await open(1, { nextSeq: 1, subtask: 1 });
    await before.write(input([result('a', 0, { n: 1 }), result(pageMate('a'), 0, { n: 10 })]));
    await before.prepareCommit(checkpointId(1));
    const after = await open(2, { nextSeq: 2, subtask: 0 }); // a has moved from subtask 1 to 0, its mate has not
    await after.write(input([result('a', 0, { n: 2 })]));
    await after.prepareCommit(checkpointId(2));
    const mate = await open(2, { nextSeq: 2, subtask: 1 });
    await mate.write(input([result(pageMate('a'), 0, { n: 20 })]));
    await mate.prepareCommit(checkpointId(2));
    t.same(await read(), { 'a@0': 2, [`${pageMate('a')}@0`]: 20 });
    await open(3, { nextSeq: 2 });
    t.same(await read(), { 'a@0': 1, [`${pageMate('a')}@0`]: 10 });
  },
);

/** Another key of the same page. */
function pageMate(key: string): string {
  const { shard, page } = placeOf(key);
  for (let i = 0; ; i++) {
    const place = placeOf(`m${i}`);
    if (place.shard === shard && place.page === page) return `m${i}`;
  }
}

async function series(t: Test, name: string): Promise<UndoStore> {
  const reader = await openTimeSeriesReader({ url: server.url, namespace: 'test', clock: systemClock });
  t.teardown(() => reader.close());
  return {
    async open(attempt, context) {
      const writer = await timeSeries(name, { url: server.url }).openWriter(seriesContext(attempt, context));
      t.teardown(() => writer.close());
      return writer;
    },
    async read() {
      const pages = await raw.keys(`mr:test:{series:${name}:*:page:*`);
      const values = await Promise.all(pages.map((page) => raw.hvalsBuffer(page)));
      const stored = values.flat().flatMap((value) => [...storedField(value).records]);
      const keys = [...new Set(stored.map(({ keyText }) => keyText))].toSorted();
      const found = await Promise.all(
        keys.map(async (key) => {
          const points = await reader.range({
            name,
            key,
            from: DAY,
            to: Number.MAX_SAFE_INTEGER,
            pointsMax: 10_000,
          });
          return points.map(
            (point) => [`${key}@${(point.start - DAY) / WINDOW_MS}`, point.values['n'] as number] as const,
          );
        }),
      );
      return Object.fromEntries(found.flat());
    },
    async kept() {
      const intervals = (await raw.keys(`mr:test:{series:${name}:*:undo:*`)).filter((key) =>
        /:\d+$/.test(key),
      );
      return (await Promise.all(intervals.map((key) => raw.hlen(key)))).reduce(
        (sum, fields) => sum + fields,
        0,
      );
    },
  };
}
