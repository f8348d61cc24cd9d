import { randomUUID } from 'node:crypto';
import t, { type Test } from 'tap';
import { RedisConnection, systemClock } from '#engine';
import { ClusterWorker } from '../../../engine/cluster/cluster-worker.ts';
import { ControlReader } from '../../../engine/cluster/control-reader.ts';
import { ControlSender } from '../../../engine/cluster/control-sender.ts';
import type { HostsStart, WorkerReport } from '../../../engine/cluster/worker-messages.ts';
import { WorkerRegistry } from '../../../engine/cluster/worker-registry.ts';
import { coordinatorInbox, workerInbox, workerKeys } from '../../../engine/redis/keys.ts';
import { until } from '../../support/job-bench.ts';
import { startRedis } from '../../support/redis-server.ts';

const server = await startRedis();
t.teardown(() => server.stop());

/** A worker whose hosts are threads that only note that they were started and ended. */
async function open(test: Test, namespace: string, slots: number) {
  const connect = (name: string) => RedisConnection.open({ url: server.url, name, clock: systemClock });
  const link = await connect('cluster');
  const cluster = { link, namespace, clock: systemClock, uuid: () => randomUUID() };
  const log: string[] = [];
  const worker = new ClusterWorker({
    cluster,
    openLink: () => connect('inbox'),
    description: { host: 'here', pid: 1, slots, startedAt: 0, version: 'test' },
    startHosts: async ({ job, generation, hosts }: HostsStart) =>
      new Map(
        hosts.map((host) => {
          const name = `${job}.${generation}.${host}`;
          log.push(`start ${name}`);
          return [
            host,
            {
              port: { post: () => {}, listen: () => {} },
              exited: new Promise<null>(() => {}),
              end: async () => void log.push(`end ${name}`),
            },
          ] as const;
        }),
      ),
  });
  test.teardown(async () => {
    await worker.stop();
    link.close();
  });
  await until(() => worker.id !== null, 'registered');
  const tell = (job: string, generation: number) =>
    new ControlSender(cluster, {
      inbox: workerInbox(namespace, worker.id as string),
      sender: job,
      job,
      generation,
    });
  const start = (job: string, generation: number, hosts: number[]) =>
    tell(job, generation).send({ kind: 'start', start: { job, generation, bundle: null, hosts } });
  const reports = async (job: string, generation: number) => {
    const inbox = coordinatorInbox(namespace, job, generation);
    const reports = await connect('reports');
    const reader = new ControlReader({ link: reports, clock: systemClock, inbox });
    const received = (await reader.receive()).map(({ body }) => body as WorkerReport);
    reports.close();
    return received;
  };
  return { worker, cluster, log, start, reports };
}

void t.test(
  'CW1: a newer generation of a job ends the older one before it starts, and says so',
  async (test) => {
    const { worker, log, start, reports } = await open(test, 'newer', 2);
    await start('a', 1, [0, 1]);
    await until(() => worker.used === 2, 'started');
    await start('a', 2, [0]);
    await until(() => log.includes('start a.2.0'), 'started again');
    test.same(log, ['start a.1.0', 'start a.1.1', 'end a.1.0', 'end a.1.1', 'start a.2.0']);
    test.equal(worker.used, 1);
    test.match(await reports('a', 1), [
      { kind: 'lost', host: 0, error: { code: 'MR_HOST_LOST', message: /generation 2 of job 'a'/ } },
      { kind: 'lost', host: 1, error: { code: 'MR_HOST_LOST' } },
    ]);
  },
);

void t.test('CW4: what does not fit is refused, and said', async (test) => {
  const { worker, log, start, reports } = await open(test, 'full', 2);
  await start('a', 1, [0]);
  await start('b', 1, [0, 1]);
  test.match(await reports('b', 1), [
    { kind: 'lost', host: 0, error: { code: 'MR_SLOTS_SHORT' } },
    { kind: 'lost', host: 1, error: { code: 'MR_SLOTS_SHORT' } },
  ]);
  test.same(log, ['start a.1.0']);
  test.equal(worker.used, 1);
});

void t.test('CW2: a worker that was given up ends everything and comes back under a new id', async (test) => {
  const { worker, cluster, log, start } = await open(test, 'given-up', 1);
  const first = worker.id as string;
  await start('a', 1, [0]);
  await until(() => worker.used === 1, 'started');
  await cluster.link.call('ZREM', workerKeys(cluster.namespace).alive, first);
  await until(() => worker.id !== null && worker.id !== first, 'registered again');
  test.same(log, ['start a.1.0', 'end a.1.0']);
  const living = await new WorkerRegistry(cluster).list();
  test.same(
    living.map(({ id }) => id),
    [worker.id],
  );
});

void t.test('CW2: a worker whose reports were lost comes back under a new id', async (test) => {
  const { worker, start, reports } = await open(test, 'unheard', 1);
  const id = worker.id;
  await start('a', 1, [0, 1]);
  test.equal((await reports('a', 1)).length, 2, 'it has said that it has no room');
  const { stream, meta } = coordinatorInbox('unheard', 'a', 1);
  const admin = await RedisConnection.open({ url: server.url, name: 'admin', clock: systemClock });
  const kill = () => admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  await kill();
  await systemClock.sleep(1_000);
  test.equal(worker.id, id, 'nothing was lost');
  await admin.call('DEL', stream, meta);
  await kill();
  await until(() => worker.id !== null && worker.id !== id, 'registered anew');
  admin.close();
});
