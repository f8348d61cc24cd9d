import t from 'tap';
import { systemClock } from '#engine';
import { timeSeries } from '../../../sinks/timeseries/time-series.ts';
import { openTimeSeriesReader } from '../../../sinks/timeseries/time-series-reader.ts';
import { startRedisCluster } from '../../support/redis-cluster.ts';
import { DAY, device, result, seriesContext, WINDOW_MS, writeThrough } from './series-harness.ts';

const cluster = await startRedisCluster();
t.teardown(() => cluster.stop());
const DEVICES = 40;
const WINDOWS = 500; // of ten seconds: two buckets of an hour

await t.test('RW1 RW3 a series spread over a cluster is written, read, fenced and undone', async (t) => {
  const sink = timeSeries('spread', { url: cluster.url });
  const reader = await openTimeSeriesReader({ url: cluster.url, namespace: 'test', clock: systemClock });
  const first = await sink.openWriter(seriesContext(1));
  const rows = Array.from({ length: DEVICES * WINDOWS }, (_, i) =>
    result(device(i % DEVICES), Math.floor(i / DEVICES), { n: i }),
  );
  await writeThrough(first, rows);
  const keys = await reader.keys('spread', 1_000);
  t.equal(keys.length, DEVICES);
  const whole = { name: 'spread', from: DAY, to: DAY + WINDOWS * WINDOW_MS, pointsMax: 10_000 };
  const points = await Promise.all(keys.map((key) => reader.range({ ...whole, key })));
  t.same(
    points.map(({ length }) => length),
    keys.map(() => WINDOWS),
  );
  t.equal((await reader.latest('spread', 1_000)).length, DEVICES);

  const second = await sink.openWriter(seriesContext(2));
  await t.rejects(writeThrough(first, [result(device(1), 0, { n: -1 })]), { code: 'MR_SINK_FENCED' });
  await writeThrough(second, [result(device(1), WINDOWS, { n: 7 })]);
  const [newest] = (await reader.range({ ...whole, to: Number.MAX_SAFE_INTEGER, key: 'acme/pump-1' })).slice(
    -1,
  );
  t.match(newest, { start: DAY + WINDOWS * WINDOW_MS, values: { n: 7 } });
  await Promise.all([first.close(), second.close(), reader.close()]);
});
