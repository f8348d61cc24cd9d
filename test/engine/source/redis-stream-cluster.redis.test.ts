import t from 'tap';
import { systemClock } from '../../../engine/base/clock.ts';
import { RedisConnection } from '../../../engine/redis/connection.ts';
import { RedisStreamReader } from '../../../engine/source/redis-stream-reader.ts';
import { startRedisCluster } from '../../support/redis-cluster.ts';

const cluster = await startRedisCluster();
t.teardown(() => cluster.stop());
const STREAMS = 6;
const ENTRIES = 300;
const names = Array.from({ length: STREAMS }, (_, i) => `plant-${i}`);

await t.test(
  'RR1 RR3 streams in many slots are read side by side, each in order, up to their heads',
  async (t) => {
    const link = await RedisConnection.open({ url: cluster.url, name: 'test', clock: systemClock });
    const add = (name: string, n: number) => link.call('XADD', name, `${n + 1}-0`, 'n', n);
    for (let n = 0; n < ENTRIES / 2; n++) await Promise.all(names.map((name) => add(name, n)));
    const reader = await RedisStreamReader.open({
      url: cluster.url,
      streams: names.map((name) => ({ name, restored: null })),
      startFrom: 'earliest',
      clock: systemClock,
    });
    const seen: number[][] = names.map(() => []);
    const takeAll = async (count: number) => {
      const deadline = performance.now() + 8_000;
      while (seen.some(({ length }) => length < count)) {
        if (reader.failure !== null) throw reader.failure;
        if (performance.now() > deadline)
          throw new Error(`only ${seen.map(({ length }) => length).join()} within 8 s`);
        for (const [i, values] of seen.entries())
          for (let read = reader.take(i); read !== null; read = reader.take(i))
            for (let e = 0; e < read.entries.length; e++)
              values.push(Number(String(read.entries.fields(e)[1])));
        await Promise.race([reader.ready(), systemClock.sleep(50)]);
      }
    };
    await takeAll(ENTRIES / 2);
    await systemClock.sleep(100); // at their heads and idle
    t.ok(names.every((_, i) => reader.atHead(i, 200)));
    const addedAtMs = performance.now();
    for (let n = ENTRIES / 2; n < ENTRIES; n++) await Promise.all(names.map((name) => add(name, n)));
    await takeAll(ENTRIES);
    t.comment(
      `${STREAMS * (ENTRIES / 2)} entries within ${Math.round(performance.now() - addedAtMs)} ms of the first`,
    );
    const inOrder = Array.from({ length: ENTRIES }, (_, n) => n);
    for (const values of seen) t.same(values, inOrder);
    await reader.close();
    link.close();
  },
);
