import t from 'tap';
import { type Clock, systemClock } from '../../../engine/base/clock.ts';
import { LIMITS } from '../../../engine/base/limits.ts';
import { JobLeases } from '../../../engine/cluster/job-lease.ts';
import { jobKeys } from '../../../engine/redis/keys.ts';
import { clusterHarness, contextOf, faultyLink, lateCopies, NAMESPACE, repeated } from './cluster-harness.ts';

const { open } = await clusterHarness(t);
const link = await open();
const leases = new JobLeases(contextOf(link));

void t.test('JL1 of many who ask at once one gets the lease, and the numbers of tokens rise', async (t) => {
  const contenders = await Promise.all(
    Array.from({ length: 4 }, async () => new JobLeases(contextOf(await open()))),
  );
  let before = 0;
  for (let round = 0; round < 20; round++) {
    const answers = await Promise.all(contenders.map((one, i) => one.acquire('many', `c${i}`, 10_000)));
    const [lease, ...more] = answers.filter((answer) => answer !== null);
    if (lease === undefined) throw new Error('nobody got it');
    t.equal(more.length, 0);
    const number = Number.parseInt(lease.leaseToken, 10);
    t.ok(number > before);
    before = number;
    t.same(await leases.holder('many'), { leaseToken: lease.leaseToken, owner: lease.owner });
    await leases.release(lease);
    t.equal(await leases.holder('many'), null);
  }
});

void t.test('JL1 a lease that ran out is not revived, nor ended by who had it', async (t) => {
  const old = await leases.acquire('out', 'old', 400);
  if (old === null) throw new Error('the lease was not to be had');
  t.equal(await leases.acquire('out', 'new'), null);
  await systemClock.sleep(420);
  const next = await leases.acquire('out', 'new');
  if (next === null) throw new Error('the lease was not to be had');
  t.equal(await leases.renew(old), null);
  await leases.release(old);
  t.same((await leases.holder('out'))?.leaseToken, next.leaseToken);
});

void t.test(
  'JL3 the lease of a process that has ended is taken, that of one that is silent is not',
  async (t) => {
    const [frozen, starting, killed] = [await open(), await open(), await open()];
    t.ok(await new JobLeases(contextOf(frozen)).acquire('frozen', 'frozen', 10_000));
    const first = await new JobLeases(contextOf(starting)).acquire('killed', 'killed', 10_000);
    if (first === null) throw new Error('the lease was not to be had');
    t.ok(await new JobLeases(contextOf(killed)).renew(first), 'it was handed on');
    killed.close();
    t.equal(await leases.acquire('killed', 'next', 10_000), null, 'not silent for long');
    await systemClock.sleep(LIMITS.linkAbsentMs);
    t.equal(await leases.acquire('frozen', 'next', 10_000), null);
    const next = await leases.acquire('killed', 'next', 10_000);
    t.same((await leases.holder('killed'))?.leaseToken, next?.leaseToken);
    t.equal(await leases.renew(first), null);
  },
);

void t.test('JL1 a repeated call changes nothing, a late copy gives nobody a lease for long', async (t) => {
  const twice = new JobLeases(contextOf(faultyLink(link, repeated)));
  const lease = await twice.acquire('twice', 'a', 2_000);
  if (lease === null) throw new Error('the lease was not to be had');
  t.equal(lease.leaseToken.split(':')[0], '1');
  const renewed = await twice.renew(lease);
  t.equal(renewed?.leaseToken, lease.leaseToken);
  await twice.release(lease);
  t.equal(await leases.holder('twice'), null);

  const { fault, replay } = lateCopies();
  const late = new JobLeases(contextOf(faultyLink(link, fault)));
  const gone = await late.acquire('twice', 'a', 2_000);
  if (gone === null) throw new Error('the lease was not to be had');
  await late.renew(gone);
  await late.release(gone);
  const next = await leases.acquire('twice', 'b', 2_000);
  await replay();
  t.equal((await leases.holder('twice'))?.leaseToken, next?.leaseToken, 'copies do not touch a new holder');
});

void t.test('JL2 the server keeps a lease at least as long as its holder counts', async (t) => {
  const keys = jobKeys(NAMESPACE, 'counted');
  let lease = await leases.acquire('counted', 'a', 2_000);
  for (let i = 0; i < 20; i++) {
    if (lease === null) throw new Error('the lease was lost');
    const left = Number(await link.call('PTTL', keys.lease));
    const counted = lease.sentAtMs + lease.ttlMs - systemClock.monotonic();
    t.ok(left + 1 >= counted, `${left} ms are left where ${counted} are counted`);
    await systemClock.sleep(10);
    lease = await leases.renew(lease);
  }
});

void t.test('a lease that comes too late is given back', async (t) => {
  let now = 0;
  const slow: Clock = { ...systemClock, monotonic: () => (now += 200) };
  t.equal(await new JobLeases(contextOf(link, slow)).acquire('slow', 'a', 200), null);
  t.not(await leases.acquire('slow', 'b'), null);
});

void t.test('only usable terms are taken', async (t) => {
  for (const ttlMs of [0, 99, 1.5, Number.NaN, 600_001]) {
    await t.rejects(leases.acquire('job', 'a', ttlMs), { code: 'MR_CONFIG_INVALID' });
  }
  await t.rejects(leases.acquire('no}job', 'a'), { code: 'MR_CONFIG_INVALID' });
});
