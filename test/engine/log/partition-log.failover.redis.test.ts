import t, { type Test } from 'tap';
import { systemClock } from '../../../engine/base/clock.ts';
import { ask, startRedisCluster } from '../../support/redis-cluster.ts';
import { startRedisSentinel } from '../../support/redis-sentinel.ts';
import type { RedisServer } from '../../support/redis-server.ts';
import { type FailoverOutcome, failoverRun } from './failover-run.ts';

const FRAMES = 600;
const PARTITIONS = 6;

/** Cuts a primary off from its replicas; what is returned kills it, after it has taken writes that they lack. */
async function cutOff(primary: RedisServer, replicas: readonly RedisServer[]): Promise<() => Promise<void>> {
  for (const { pid } of replicas) process.kill(pid, 'SIGSTOP');
  await ask(primary, 'CLIENT', 'KILL', 'TYPE', 'replica');
  return async () => {
    await systemClock.sleep(150);
    await primary.kill9();
    for (const { pid } of replicas) process.kill(pid, 'SIGCONT');
  };
}

async function untilPrimary(server: RedisServer): Promise<void> {
  const beganMs = performance.now();
  while (!String(await ask(server, 'INFO', 'replication')).includes('role:master')) {
    if (performance.now() - beganMs > 15_000) throw new Error('no replica was promoted within 15 s');
    await systemClock.sleep(20);
  }
  t.comment(`promoted ${Math.round(performance.now() - beganMs)} ms after SIGKILL`);
}

function assertWhole(t: Test, { read, stored, ...counts }: FailoverOutcome): void {
  const whole = Array.from({ length: FRAMES }, (_, i) => i + 1);
  for (let p = 0; p < PARTITIONS; p++) {
    t.same(stored[p], whole, 'the log has every frame once, in order');
    t.same(read[p], whole, 'and so has its reader');
  }
  t.ok(counts.lostUnconfirmed > 0, 'the servers did lose a tail');
  t.ok(counts.refusedConfirmations > 0, 'which did not go unnoticed');
  t.comment(JSON.stringify(counts));
}

await t.test('PL1 PL4 RL1 a Sentinel fail-over loses and doubles nothing that was confirmed', async (t) => {
  const sentinel = await startRedisSentinel({ replicas: 2 });
  t.teardown(() => sentinel.stop());
  const outcome = await failoverRun({
    url: sentinel.url,
    partitions: PARTITIONS,
    frames: FRAMES,
    step: 40,
    disturb: () => cutOff(sentinel.primary, sentinel.replicas),
  });
  assertWhole(t, outcome);
});

await t.test(
  'PL1 PL4 RL1 the death of a primary of a cluster loses and doubles nothing that was confirmed',
  async (t) => {
    const cluster = await startRedisCluster({ replicas: 1 });
    t.teardown(() => cluster.stop());
    const first = cluster.primaries[0] as RedisServer;
    const copies = cluster.replicas[0] as readonly RedisServer[];
    const outcome = await failoverRun({
      url: cluster.url,
      partitions: PARTITIONS,
      frames: FRAMES,
      step: 40,
      async disturb() {
        const kill = await cutOff(first, copies);
        return async () => {
          await kill();
          await untilPrimary(copies[0] as RedisServer);
          await first.restart(); // as the replica of its own replica, without which nothing could be confirmed there
        };
      },
    });
    assertWhole(t, outcome);
  },
);
