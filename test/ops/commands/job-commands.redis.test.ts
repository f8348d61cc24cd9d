import { randomUUID } from 'node:crypto';
import t, { type Test } from 'tap';
import { BundleStore, openRedisCheckpointStore, RedisConnection, systemClock } from '#engine';
import { CommandWorker } from '../../../ops/commands/command-worker.ts';
import { JobCommands } from '../../../ops/commands/job-commands.ts';
import counting, { Event } from '../../engine/host/counting-job.ts';
import { createJobBench, until } from '../../support/job-bench.ts';
import { startRedisCluster } from '../../support/redis-cluster.ts';
import { startRedisSentinel } from '../../support/redis-sentinel.ts';
import { startRedis } from '../../support/redis-server.ts';
import { openTestCluster } from '../../support/test-cluster.ts';

t.setTimeout(90_000);
const server = await startRedis();
t.teardown(() => server.stop());

/** Commands as a client sends them, and workers that take them; no job runs unless the test has a cluster. */
async function openCommands(test: Test, url: string, namespace: string) {
  const link = await RedisConnection.open({ url, name: 'test', clock: systemClock });
  const store = await openRedisCheckpointStore({ url, namespace, clock: systemClock, durability: 'process' });
  const cluster = { link, namespace, clock: systemClock, uuid: () => randomUUID() };
  const commands = new JobCommands({ redisUrl: url, ...cluster });
  const lines: string[] = [];
  const closing: (() => Promise<void> | void)[] = [() => commands.close()];
  test.teardown(async () => {
    for (const close of closing) await close();
    await store.close();
    link.close();
  });
  return {
    cluster,
    commands,
    lines,
    worker: (waits: { readonly pollMs?: number; readonly silentMsMax?: number } = {}) => {
      const log = (line: string) => void lines.push(line);
      const worker = new CommandWorker({ redisUrl: url, cluster, store, log, ...waits });
      closing.unshift(() => worker.close());
      return worker;
    },
  };
}

void t.test(
  'O5, JM1: a command is carried out once per id, and each sender gets its answer',
  async (test) => {
    const namespace = 'once';
    const { commands, worker, cluster } = await openCommands(test, server.url, namespace);
    const jobs = await openTestCluster({
      url: server.url,
      namespace,
      modules: { counting: new URL('../../engine/host/counting-job.ts', import.meta.url).href },
      graph: (_, parallelism) => counting.graph(parallelism === null ? {} : { parallelism }),
    });
    test.teardown(() => jobs.close());
    await createJobBench({ log: jobs.log }).feed('events', Event, [{ at: 1, key: 'a', n: 1 }], {
      partitions: 4,
    });
    jobs.worker(4);
    jobs.supervisor();
    worker();
    worker();
    const bundle = await new BundleStore(cluster).put(Buffer.from('export default 1;'));
    const deployed = await commands.run({ kind: 'deploy', job: 'counting', bundle, parallelism: 1 });
    test.match(deployed, { job: 'counting', bundle, state: 'running', revision: 1 });

    const twice = await Promise.all(
      [1, 2].map(() => commands.run({ kind: 'savepoint', job: 'counting' }, { id: 'sp-1' })),
    );
    test.same(twice[0], twice[1]);
    const store = await openRedisCheckpointStore({
      url: server.url,
      namespace,
      clock: systemClock,
      durability: 'process',
    });
    test.teardown(() => store.close());
    const savepoints = (await store.list('counting')).filter(({ kind }) => kind === 'savepoint');
    test.same(
      savepoints.map(({ id }) => ({ savepoint: id })),
      [twice[0]],
    );
    test.same(
      await commands.run({ kind: 'savepoint', job: 'counting' }, { id: 'sp-1' }),
      twice[0],
      'also later',
    );
    await test.rejects(commands.add({ kind: 'cancel', job: 'counting' }, 'sp-1'), {
      code: 'MR_API_CONFLICT',
      message: /was 'savepoint' of job 'counting' before/,
    });

    test.match(await commands.run({ kind: 'rescale', job: 'counting', parallelism: 2 }), { from: 1, to: 2 });
    test.match(await commands.run({ kind: 'deploy', job: 'counting', bundle, parallelism: 3 }), {
      state: 'running',
    });
    test.equal((await jobs.status('counting'))?.parallelism, 3, 'deployed again with another parallelism');
    await test.rejects(commands.run({ kind: 'remove', job: 'counting' }), { code: 'MR_API_CONFLICT' });
    await test.rejects(
      commands.run({
        kind: 'deploy',
        job: 'counting',
        bundle,
        restoreFrom: { job: 'counting', checkpoint: 1 },
      }),
      { code: 'MR_API_CONFLICT', message: /stopped first/ },
    );
    await test.rejects(commands.run({ kind: 'fork', job: 'counting', name: 'counting' }), {
      code: 'MR_API_CONFLICT',
    });
    test.match(await commands.run({ kind: 'stop', job: 'counting' }), { state: 'stopped' });
    await test.rejects(commands.run({ kind: 'savepoint', job: 'counting' }), {
      code: 'MR_API_CONFLICT',
      message: /is to be stopped/,
    });
    test.match(await commands.run({ kind: 'restart', job: 'counting' }), { state: 'running' });
    test.match(await commands.run({ kind: 'cancel', job: 'counting' }), { state: 'cancelled' });
    await commands.run({ kind: 'remove', job: 'counting' });
    test.equal(await jobs.jobs.desired('counting'), null);
  },
);

void t.test('CM1: what cannot be done is answered, not tried again', async (test) => {
  const { commands, worker } = await openCommands(test, server.url, 'refused');
  worker();
  await test.rejects(commands.run({ kind: 'stop', job: 'nobody' }), { code: 'MR_API_NOT_FOUND' });
  await test.rejects(commands.run({ kind: 'savepoint', job: 'nobody' }), { code: 'MR_API_NOT_FOUND' });
  await test.rejects(commands.run({ kind: 'deploy', job: 'j', bundle: 'a'.repeat(64) }), {
    code: 'MR_BUNDLE_INVALID',
  });
  await test.rejects(commands.add({ kind: 'stop', job: 'a b' }), { code: 'MR_CONFIG_INVALID' });
  await test.rejects(commands.add({ kind: 'stop', job: 'a' }, '17'), { code: 'MR_API_INVALID' });
});

void t.test('CM2: a command under way is handed on when its process stops', async (test) => {
  const { commands, worker, cluster } = await openCommands(test, server.url, 'handed-on');
  await test.rejects(commands.run({ kind: 'stop', job: 'j' }, { id: 'early', waitMs: 300 }), {
    code: 'MR_CONTROL_FAILED',
    message: /No worker has taken it/,
  });
  const first = worker();
  await until(async () => (await commands.poll('early'))?.kind === 'failed', 'it stays sent');
  const bundle = await new BundleStore(cluster).put(Buffer.from('export default 2;'));
  const id = await commands.add({ kind: 'deploy', job: 'j', bundle }); // nobody coordinates: it waits
  await until(async () => {
    const state = await commands.poll(id);
    return state?.kind === 'active' && state.progress !== null;
  }, 'it waits for its job');
  await first.close();
  test.not((await commands.poll(id))?.kind, 'active');
  worker();
  await until(async () => (await commands.poll(id))?.kind === 'active', 'another goes on');
});

void t.test('CM3: a worker of the queue that does not come back from waiting is replaced', async (test) => {
  const { commands, worker, lines } = await openCommands(test, server.url, 'silent');
  worker({ pollMs: 200, silentMsMax: 1_000 });
  await systemClock.sleep(2_500);
  test.same(lines, [], 'one that waits for nothing again and again is not');
  worker({ pollMs: 5_000, silentMsMax: 400 });
  await until(() => lines.some((line) => line.includes('made anew')), 'replaced');
  await commands.run({ kind: 'remove', job: 'j' });
});

void t.test('O5: commands go through a cluster, and through Sentinel', async (test) => {
  const [cluster, sentinel] = await Promise.all([startRedisCluster(), startRedisSentinel()]);
  test.teardown(() => Promise.all([cluster.stop(), sentinel.stop()]));
  for (const url of [cluster.url, sentinel.url]) {
    const { commands, worker } = await openCommands(test, url, 'far');
    worker();
    test.same(await commands.run({ kind: 'remove', job: 'j' }), { job: 'j' }, url.split('//')[0] as string);
    await test.rejects(commands.run({ kind: 'stop', job: 'nobody' }), { code: 'MR_API_NOT_FOUND' });
  }
});
