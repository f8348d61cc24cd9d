import { randomUUID } from 'node:crypto';
import t from 'tap';
import { systemClock } from '../../../engine/base/clock.ts';
import { ControlReader } from '../../../engine/cluster/control-reader.ts';
import { ControlSender } from '../../../engine/cluster/control-sender.ts';
import { ExchangeStreams } from '../../../engine/cluster/exchange-streams.ts';
import { JobLeases } from '../../../engine/cluster/job-lease.ts';
import { JobRegistry } from '../../../engine/cluster/job-registry.ts';
import { WorkerRegistry } from '../../../engine/cluster/worker-registry.ts';
import { workerInbox } from '../../../engine/redis/keys.ts';
import { clusterHarness, contextOf, NAMESPACE } from './cluster-harness.ts';

void t.test('jobs are coordinated while the log has filled the server, or it would stay full', async (t) => {
  const { open } = await clusterHarness(t, { maxmemory: '8mb' });
  const link = await open();
  const context = contextOf(link);
  const filled = async () => {
    for (let i = 0; ; i++) await link.call('SET', `filler:${i}`, Buffer.alloc(64 * 1024));
  };
  await t.rejects(filled(), /OOM/);

  const jobs = new JobRegistry(context);
  const leases = new JobLeases(context);
  const workers = new WorkerRegistry(context);
  t.match(await jobs.change('job', 'c1', { desired: 'running' }), { revision: 1 });
  const lease = await leases.acquire('job', 'a');
  if (lease === null) throw new Error('the lease was not to be had');
  t.not(await leases.renew(lease), null);
  t.equal(await jobs.publishStatus(lease, 1, new Uint8Array(100)), 'published');
  await jobs.request('job', 'r1', 'savepoint');
  t.match(await jobs.settle(lease, 'r1', { state: 'done', result: {} }), { answer: { state: 'done' } });

  const description = { host: 'host', pid: 1, slots: 1, startedAt: 1, version: '0.1.0' };
  t.equal(await workers.register({ id: 'w', ...description }), 'registered');
  t.equal(await workers.heartbeat('w', { used: 1, draining: false }), true);
  t.equal((await workers.list()).length, 1);

  await new ExchangeStreams(context).create({ job: 'job', generation: 1, hosts: ['a', 'b'] });
  t.equal(await new ExchangeStreams(context).drop('job', 1), 2);

  const inbox = workerInbox(NAMESPACE, randomUUID());
  await new ControlSender(context, { inbox, sender: 'job', job: 'job', generation: 1 }).send('deploy');
  const reader = new ControlReader({ link: await open(), clock: systemClock, inbox });
  t.match(await reader.receive(), [{ body: 'deploy' }]);
  await workers.deregister('w');
  await leases.release(lease);
  await jobs.remove('job');
  await t.rejects(link.call('SET', 'filler', Buffer.alloc(64 * 1024)), /OOM/, 'it was full all the time');
});
