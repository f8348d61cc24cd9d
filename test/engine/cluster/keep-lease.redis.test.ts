import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t from 'tap';
import { type Clock, systemClock } from '../../../engine/base/clock.ts';
import { type Random, seededRandom } from '../../../engine/base/random.ts';
import { type JobLease, JobLeases } from '../../../engine/cluster/job-lease.ts';
import { keepLease, type LeaseKeeper, type LeaseLoss } from '../../../engine/cluster/keep-lease.ts';
import { jobKeys } from '../../../engine/redis/keys.ts';
import type { RedisLink } from '../../../engine/redis/redis-link.ts';
import { clusterHarness, contextOf, type Fault, faultyLink, NAMESPACE } from './cluster-harness.ts';

const { server, open } = await clusterHarness(t);
const link = await open();
const leases = new JobLeases(contextOf(link));
const leaseKey = (job: string) => jobKeys(NAMESPACE, job).lease;

async function acquired(job: string, ttlMs: number, from: JobLeases = leases): Promise<JobLease> {
  const lease = await from.acquire(job, 'test', ttlMs);
  if (lease === null) throw new Error('the lease was not to be had');
  return lease;
}

/** Keeps a lease and resolves `loss` when it is over. */
function watched(lease: JobLease, from: JobLeases = leases) {
  let told: (why: LeaseLoss) => void = () => undefined;
  const loss = new Promise<LeaseLoss>((resolve) => {
    told = resolve;
  });
  return { keeper: keepLease(from, lease, { clock: systemClock, lost: told }), loss };
}

void t.test('a lease that is kept outlives its ttl, and goes when it is released', async (t) => {
  const { keeper, loss } = watched(await acquired('kept', 600));
  for (let i = 0; i < 10; i++) {
    await systemClock.sleep(120);
    t.ok(keeper.held());
  }
  await keeper.release();
  t.notOk(keeper.held());
  t.equal(await link.call('EXISTS', leaseKey('kept')), 0);
  t.equal(await Promise.race([loss, systemClock.sleep(200).then(() => 'quiet')]), 'quiet');
});

void t.test('KL1 KL3 unanswered renewals end it, before the server does', async (t) => {
  let failing = false;
  const fault: Fault = async (send) => {
    if (failing) throw new Error('no answer');
    return send();
  };
  const shaky = new JobLeases(contextOf(faultyLink(link, fault)));
  const { keeper, loss } = watched(await acquired('shaky', 900, shaky), shaky);
  failing = true;
  await systemClock.sleep(500);
  failing = false;
  await systemClock.sleep(500);
  t.ok(keeper.held(), 'a gap shorter than the ttl does no harm');
  failing = true;
  t.equal(await loss, 'expired');
  t.notOk(keeper.held());
  t.ok(Number(await link.call('PTTL', leaseKey('shaky'))) > 0, 'the server still keeps it');
});

void t.test('KL2 a renewal that is confirmed too late brings nothing back', async (t) => {
  let slow = false;
  const fault: Fault = async (send) => {
    const answer = await send();
    if (slow) await systemClock.sleep(400);
    return answer;
  };
  const late = new JobLeases(contextOf(faultyLink(link, fault)));
  const { keeper, loss } = watched(await acquired('late', 300, late), late);
  slow = true;
  t.equal(await loss, 'expired');
  await systemClock.sleep(300);
  t.notOk(keeper.held());
});

void t.test('KL1 KL2 after a stop the order in which timers and answers come does not matter', async (t) => {
  for (const when of ['before the renewal', 'during the renewal'] as const) {
    let now = 1_000;
    const timers: { readonly ms: number; readonly run: () => void }[] = [];
    const clock: Clock = {
      ...systemClock,
      monotonic: () => now,
      after: (ms, run) => {
        timers.push({ ms, run });
        return () => undefined;
      },
    };
    const stopped = new JobLeases(contextOf(link, clock));
    const losses: LeaseLoss[] = [];
    const lease = await acquired(`stopped-${when.split(' ')[0]}`, 10_000, stopped);
    const keeper = keepLease(stopped, lease, { clock, lost: (why) => losses.push(why) });
    const renewal = timers.find(({ ms }) => ms < 5_000);
    if (when === 'before the renewal') now += 9_500;
    renewal?.run(); // the deadline's timer is late
    if (when === 'during the renewal') now += 9_500;
    await systemClock.sleep(50);
    t.same(losses, ['expired'], when);
    t.notOk(keeper.held());
  }
});

void t.test('a lease that the server does not know any more is taken', async (t) => {
  const { keeper, loss } = watched(await acquired('taken', 300));
  await link.call('DEL', leaseKey('taken'));
  const other = await acquired('taken', 300);
  t.equal(await loss, 'taken');
  t.notOk(keeper.held());
  await keeper.release();
  t.equal((await leases.holder('taken'))?.leaseToken, other.leaseToken);
});

void t.test('KL1 a process that was stopped and goes on knows at once that it is over', async (t) => {
  const ttlMs = 600;
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, 'lease-child.ts'), server.url, String(ttlMs)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, NODE_OPTIONS: '' },
    },
  );
  t.teardown(() => child.kill('SIGKILL'));
  const lines: string[] = [];
  const output = createInterface({ input: child.stdout });
  output.on('line', (line) => lines.push(line));
  await once(output, 'line');
  await systemClock.sleep(2 * ttlMs);
  t.notMatch(lines.join('\n'), /false|lost/, 'it keeps the lease while it runs');
  t.equal(await leases.acquire('frozen', 'parent', ttlMs), null);

  child.kill('SIGSTOP');
  let mine: JobLease | null = null;
  while (mine === null) {
    await systemClock.sleep(5);
    mine = await leases.acquire('frozen', 'parent', 10_000);
  }
  const since = process.hrtime.bigint();
  const before = lines.length;
  child.kill('SIGCONT');
  while (!lines.some((line) => line.startsWith('lost')) || lines.length < before + 10) {
    await systemClock.sleep(5);
  }
  child.kill('SIGKILL');
  const looks = lines.map((line) => line.split(' ')).filter(([kind]) => kind === 'held');
  t.same(
    looks.filter(([, held, at]) => held === 'true' && BigInt(at as string) >= since),
    [],
    'it never believes to hold it when another does',
  );
  t.ok(looks.filter(([, , at]) => BigInt(at as string) >= since).length >= 5, 'it was asked after that');
  t.equal(lines.filter((line) => line.startsWith('lost')).length, 1);
});

void t.test('JL1 KL1 whatever delays and stops there are, two never hold one lease', async (t) => {
  const random = seededRandom(20_261_121);
  const contenders = await Promise.all(
    Array.from({ length: 4 }, async (_, i) => contender(await open(), `c${i}`, random)),
  );
  const terms = () => contenders.map((one) => one.terms).sort((a, b) => b - a);
  const losses = () => contenders.reduce((sum, one) => sum + one.losses, 0);
  const eventful = () => (terms()[1] as number) >= 3 && losses() >= 2;
  const end = systemClock.monotonic() + 10_000;
  let most = 0;
  while (!eventful() && systemClock.monotonic() < end) {
    most = Math.max(most, contenders.filter((one) => one.keeper?.held()).length);
    await systemClock.sleep(1);
  }
  await Promise.all(contenders.map((one) => one.stop()));
  t.equal(most, 1);
  t.ok(eventful(), `it changed hands (${terms().join(', ')} terms) and was lost ${losses()} times`);
});

interface Contender {
  keeper: LeaseKeeper | null;
  terms: number;
  losses: number;
  readonly stop: () => Promise<void>;
}

/** Takes the lease, keeps it for a while, lets go or loses it, again and again; now and then all that it does stands still. */
function contender(own: RedisLink, name: string, random: Random): Contender {
  const ttlMs = 150;
  let thawed = Promise.resolve();
  const fault: Fault = async (send) => {
    await systemClock.sleep(random() * 10);
    await thawed;
    const answer = send();
    if (random() < 0.05) await send(); // and once more
    const result = await answer;
    if (random() < 0.1) await systemClock.sleep(random() * 80);
    await thawed;
    return result;
  };
  // Frozen, timers do not fire while time goes on.
  const clock: Clock = {
    ...systemClock,
    after: (ms, run) => {
      let cancelled = false;
      const cancel = systemClock.after(ms, () => void thawed.then(() => cancelled || run()));
      return () => {
        cancelled = true;
        cancel();
      };
    },
  };
  const mine = new JobLeases(contextOf(faultyLink(own, fault), clock));
  let stopping = false;
  const self = { keeper: null as LeaseKeeper | null, terms: 0, losses: 0 };
  const live = async () => {
    while (!stopping) {
      const lease = await mine.acquire('contended', name, ttlMs);
      if (lease === null) {
        await systemClock.sleep(5 + random() * 20);
        continue;
      }
      self.terms++;
      self.keeper = keepLease(mine, lease, { clock, lost: () => self.losses++ });
      await systemClock.sleep(random() * 300);
      if (random() < 0.5) thawed = systemClock.sleep(random() * 3 * ttlMs);
      await thawed;
      await systemClock.sleep(random() * 200);
      await self.keeper.release();
      self.keeper = null;
    }
  };
  const life = live();
  return Object.assign(self, {
    stop: async () => {
      stopping = true;
      await life;
    },
  });
}
