import t from 'tap';
import { systemClock } from '../../../engine/base/clock.ts';
import { openRedisPartitionLog } from '../../../engine/log/redis-partition-log.ts';
import type { DurabilityOptions } from '../../../engine/redis/durability.ts';
import { startRedis } from '../../support/redis-server.ts';
import { frameOf, Sample } from '../log/test-frames.ts';

const open = (url: string, durability: DurabilityOptions) =>
  openRedisPartitionLog({ url, namespace: 'durable', clock: systemClock, ...durability });

void t.test('process: nothing more is waited for', async (t) => {
  const server = await startRedis();
  const log = await open(server.url, { durability: 'process' });
  await log.confirmDurable();
  await log.close();
  await server.stop();
  t.pass('confirmed');
});

void t.test('disk: refused where the server writes no file, confirmed where it does', async (t) => {
  const none = await startRedis();
  await t.rejects(open(none.url, { durability: 'disk' }), {
    code: 'MR_REDIS_UNSUPPORTED',
    message: /appendonly no/,
  });
  await none.stop();
  const always = await startRedis({ appendonly: 'always' });
  const log = await open(always.url, { durability: 'disk' });
  await log.createTopic('d', { partitions: 1, schema: Sample });
  await log.append('d', 0, frameOf({ records: 4 }));
  await log.confirmDurable();
  await always.kill9();
  await always.restart();
  t.match(await log.ends('d'), [{ end: 4 }]);
  await log.close();
  await always.stop();
});

void t.test('replicated: confirmed when a replica has it, refused when none answers', async (t) => {
  const primary = await startRedis({ tcp: true, args: ['--repl-diskless-sync-delay', '0'] });
  const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(primary.port)] });
  const log = await open(primary.url, { durability: 'replicated', replicas: 1 });
  await log.createTopic('r', { partitions: 1, schema: Sample });
  await log.append('r', 0, frameOf({ records: 4 }));
  await log.confirmDurable();
  const copy = await open(replica.url, { durability: 'process' });
  t.match(await copy.ends('r'), [{ end: 4 }], 'what is confirmed is on the replica');
  await copy.close();
  await replica.kill9();
  await log.append('r', 0, frameOf({ prev: 4 }));
  await t.rejects(log.confirmDurable(), { code: 'MR_CHECKPOINT_NOT_DURABLE', message: /0 of 1/ });
  await log.close();
  await replica.stop();
  await primary.stop();
});

void t.test(
  'replicated: a server that was replaced in between is not trusted with what came before',
  async (t) => {
    const primary = await startRedis({
      tcp: true,
      appendonly: 'always',
      args: ['--repl-diskless-sync-delay', '0'],
    });
    const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(primary.port)] });
    const log = await open(primary.url, { durability: 'replicated' });
    await log.confirmDurable();
    await primary.kill9();
    await primary.restart();
    await t.rejects(log.confirmDurable(), { code: 'MR_CHECKPOINT_NOT_DURABLE' });
    let confirmed = false;
    for (let i = 0; !confirmed && i < 3; i++)
      confirmed = await log.confirmDurable().then(
        () => true,
        () => false,
      );
    t.ok(confirmed, 'what is written from here on is confirmed again');
    await log.close();
    await replica.stop();
    await primary.stop();
  },
);
