import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import t from 'tap';
import {
  BundleStore,
  JobRegistry,
  openRedisCheckpointStore,
  openRedisPartitionLog,
  RedisConnection,
  systemClock,
} from '#engine';
import { Event } from '../../engine/host/counting-job.ts';
import { createJobBench } from '../../support/job-bench.ts';
import { startRedis } from '../../support/redis-server.ts';
import { startDev } from './dev-program.ts';

t.setTimeout(120_000);
const server = await startRedis();
t.teardown(() => server.stop());

const SCHEMA = `
import { eventTime, f64, schema, string } from 'millrace';
export const Event = schema('event', { at: eventTime(1), key: string(2), n: f64(3) });
`;

/** Sums per key, and gives the sum with a factor that lies in another file. */
const SUMS = `
import { defineJob, partitionLog } from 'millrace';
import { Event } from './event.ts';
import { factor } from './factor.ts';
export default defineJob('sums', { guarantee: 'exactly-once', checkpointInterval: '1h' }, (job) => {
  job.source('events', partitionLog('events', Event))
    .keyBy('key')
    .reduce('sum', (sum, event) => ({ ...event, n: sum.n + event.n }))
    .map((event) => ({ ...event, n: event.n * factor }))
    .to('out', partitionLog('sums', Event));
});
`;

void t.test(
  'O2 DS1 DS2: the job shows its records; changed, it goes on with its state; what is broken is told',
  async (test) => {
    const namespace = 'sums';
    const log = await openRedisPartitionLog({
      url: server.url,
      namespace,
      clock: systemClock,
      durability: 'process',
    });
    test.teardown(() => log.close());
    const { feed } = createJobBench({ log });
    const add = (n: number) =>
      feed('events', Event, [{ at: 1_000 + n, key: 'a', n }], { partitions: 1, producer: `p${n}` });
    const dir = test.testdir({ 'event.ts': SCHEMA, 'factor.ts': 'export const factor = 1;', 'job.ts': SUMS });
    await add(1);
    const dev = startDev(test, [join(dir, 'job.ts'), '--redis', server.url, '--namespace', namespace]);
    await dev.shows(/Job 'sums' runs from nothing\.\n/);
    await dev.shows(/out \{ at: 1001, key: 'a', n: 1 \}\n/);

    await writeFile(join(dir, 'factor.ts'), 'export const factor = 10;');
    await dev.shows(/factor\.ts has changed\.\n/);
    await dev.shows(/runs from checkpoint \d+\.\n/);
    await add(2);
    await dev.shows(/out \{ at: 1002, key: 'a', n: 30 \}\n/);

    await writeFile(join(dir, 'factor.ts'), 'export const factor = = 10;');
    await dev.shows(/factor\.ts:1\n[^]*SyntaxError[^\n]*\nThe version before goes on\.\n/);
    await add(3);
    await dev.shows(/out \{ at: 1003, key: 'a', n: 60 \}\n/);

    await writeFile(join(dir, 'factor.ts'), 'export const factor = 1;');
    await dev.shows(/runs from checkpoint/);
    await writeFile(join(dir, 'job.ts'), SUMS.replace("reduce('sum'", "reduce('total'"));
    await dev.shows(
      /! sum \(reduce\): orphaned[^]*Verdict: refused\nUndo the change, type drop to let go of the state of sum, or type fresh/,
    );
    await writeFile(join(dir, 'job.ts'), SUMS);
    await dev.shows(/runs from checkpoint/);
    await add(4);
    await dev.shows(/out \{ at: 1004, key: 'a', n: 10 \}\n/);

    await writeFile(join(dir, 'job.ts'), SUMS.replace("reduce('sum'", "reduce('total'"));
    await dev.shows(/Verdict: refused/);
    dev.types('drop');
    await dev.shows(/runs from checkpoint/);
    await add(5);
    await dev.shows(/out \{ at: 1005, key: 'a', n: 5 \}\n/);
    dev.types('fresh');
    await dev.shows(/runs from nothing/);
    await dev.shows(/out \{ at: 1005, key: 'a', n: \d+ \}\n/);

    dev.interrupt();
    const [, last = ''] = /(\d+)/.exec(await dev.shows(/Stopped with checkpoint \d+\.\n/)) ?? [];
    test.equal(await dev.exitCode, 0);
    const store = await openRedisCheckpointStore({
      url: server.url,
      namespace,
      clock: systemClock,
      durability: 'process',
    });
    test.teardown(() => store.close());
    test.equal((await store.latest('sums'))?.id, Number(last));
  },
);

const THROWING = `
import { collection, defineJob, partitionLog } from 'millrace';
import { Event } from './event.ts';
const rows = [1, 2, 3].map((n) => ({ at: n, key: 'a', n }));
function checked(event) {
  if (event.n === 2) throw new Error('two is too much');
  return event;
}
export default defineJob('throwing', { guarantee: 'exactly-once', onError: 'fail', restart: { first: '100ms' } }, (job) => {
  job.source('events', collection(rows, Event)).map(checked).to('out', partitionLog('out', Event));
});
`;

void t.test(
  'O2: without a Redis it starts one that is gone at the end; a record that fails is shown with its place in the code',
  async (test) => {
    const dir = test.testdir({ 'event.ts': SCHEMA, 'job.ts': THROWING });
    const dev = startDev(test, [join(dir, 'job.ts')]);
    const [, socket = ''] =
      /at (\S+),/.exec(await dev.shows(/(Redis|Valkey) \d\S* at \S+, until this ends/)) ?? [];
    test.ok(existsSync(socket));
    await dev.shows(/! MR_OPERATOR_FAILED: [^\n]*two is too much[^\n]*\n {4}at [^\n]*job\.ts:6:\d+\n/);
    await writeFile(join(dir, 'job.ts'), THROWING.replace("onError: 'fail'", "onError: 'dead-letter'"));
    await dev.shows(/! dead letter of \S+: \{ at: 2, key: 'a', n: 2 \}: two is too much\n/);
    await dev.shows(/Job 'throwing' is finished\./);
    await writeFile(join(dir, 'job.ts'), `process.exit(3);${THROWING}`);
    await dev.shows(/! The job's module has ended its thread: exit code 3\n/);
    await writeFile(join(dir, 'job.ts'), `for (;;);`);
    await dev.shows(/job\.ts has changed/);
    await writeFile(join(dir, 'job.ts'), THROWING);
    await dev.shows(/runs from checkpoint/);
    dev.interrupt();
    test.equal(await dev.exitCode, 0);
    test.notOk(existsSync(dirname(socket)));
  },
);

void t.test(
  'O2: a job that workers run, a Redis that does not answer and a missing file end it with what to do',
  async (test) => {
    const namespace = 'deployed';
    const dir = test.testdir({ 'event.ts': SCHEMA, 'job.ts': THROWING });
    const link = await RedisConnection.open({ url: server.url, name: 'test', clock: systemClock });
    test.teardown(() => link.close());
    const cluster = { link, namespace, clock: systemClock, uuid: () => 'x' };
    const bundle = await new BundleStore(cluster).put(Buffer.from('nothing'));
    await new JobRegistry(cluster).change('throwing', 'c-1', { desired: 'running', bundle }, 0);
    const deployed = startDev(test, [join(dir, 'job.ts'), '--redis', server.url, '--namespace', namespace]);
    test.equal(await deployed.exitCode, 1);
    test.match(
      deployed.output(),
      /MR_API_CONFLICT: Job 'throwing' is to run on the workers of namespace 'deployed'\. Stop it there/,
    );
    const away = startDev(test, [join(dir, 'job.ts')], { REDIS_URL: join(dir, 'nobody.sock') });
    test.equal(await away.exitCode, 1);
    test.match(away.output(), /MR_REDIS_UNAVAILABLE: /);
    const missing = startDev(test, [join(dir, 'nothing.ts')]);
    test.equal(await missing.exitCode, 2);
    test.match(missing.output(), /MR_CONFIG_INVALID: There is no job module/);
  },
);
