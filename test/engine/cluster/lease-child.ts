import { systemClock } from '../../../engine/base/clock.ts';
import { JobLeases } from '../../../engine/cluster/job-lease.ts';
import { keepLease } from '../../../engine/cluster/keep-lease.ts';
import { RedisConnection } from '../../../engine/redis/connection.ts';
import { contextOf } from './cluster-harness.ts';

/** Holds the lease of job `frozen` and says every few ms whether it does: `held <true|false> <CLOCK_MONOTONIC in ns>`. */
const [, , url = '', ttlMs = ''] = process.argv;
const link = await RedisConnection.open({ url, name: 'child', clock: systemClock });
const leases = new JobLeases(contextOf(link));
const lease = await leases.acquire('frozen', 'child', Number(ttlMs));
if (lease === null) throw new Error('The lease was not to be had.');
const keeper = keepLease(leases, lease, {
  clock: systemClock,
  lost: (why) => console.log(`lost ${why}`),
});
for (;;) {
  // The time is read before the question, so that a stop in between cannot make an old answer look new.
  const at = process.hrtime.bigint();
  console.log(`held ${keeper.held()} ${at}`);
  await systemClock.sleep(5);
}
