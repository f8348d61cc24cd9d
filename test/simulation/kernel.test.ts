import t from 'tap';
import { SimKernel } from './kernel.ts';
import { EPOCH_MS, SimProcess } from './process.ts';

const BOUNDS = { deadlineMs: 60_000, eventsMax: 100_000 };

/** Processes that ping each other at random; what they did, and the trace. */
async function chatter(seed: number): Promise<{ trace: string; log: string[] }> {
  const kernel = new SimKernel(seed);
  const log: string[] = [];
  const members = ['a', 'b', 'c'].map((name) => new SimProcess(kernel, name, { slowTurnShare: 0.1 }));
  for (const member of members) {
    member.start('main', async () => {
      for (let i = 0; i < 50; i++) {
        await member.clock.sleep(member.random() * 10);
        log.push(`${member.name} ${i} ${member.clock.now()} ${member.uuid()}`);
      }
    });
  }
  t.equal(await kernel.run(BOUNDS), 'idle');
  return { trace: kernel.trace, log };
}

void t.test('SK1 one seed gives one trace, another seed another', async (t) => {
  const [one, again, other] = [await chatter(1), await chatter(1), await chatter(2)];
  t.same(again, one);
  t.not(other.trace, one.trace);
});

void t.test('SK1 events of one time run in an order that the seed draws', async (t) => {
  const orders = new Set<string>();
  for (let seed = 0; seed < 20; seed++) {
    const kernel = new SimKernel(seed);
    let order = '';
    for (const name of 'abc') kernel.schedule(5, null, name, () => (order += name));
    await kernel.run(BOUNDS);
    orders.add(order);
  }
  t.ok(orders.size > 3, `orders seen: ${[...orders].join(' ')}`);
});

void t.test('SK2 a chain of promises of any length ends before the next event', async (t) => {
  const kernel = new SimKernel(1);
  const seen: string[] = [];
  kernel.schedule(1, null, 'chain', () => {
    void (async () => {
      for (let i = 0; i < 5_000; i++) await Promise.resolve();
      process.nextTick(() => void Promise.resolve().then(() => seen.push('chain')));
    })();
  });
  for (let i = 0; i < 100; i++) kernel.schedule(2, null, 'later', () => seen.push('later'));
  await kernel.run(BOUNDS);
  t.equal(seen.indexOf('chain'), 0);
  t.equal(seen.length, 101);
});

void t.test('SK3 a run ends at its condition, deadline and budget, and goes on from there', async (t) => {
  const kernel = new SimKernel(1);
  const seen: number[] = [];
  for (const ms of [30, 10, 20, 40]) kernel.schedule(ms, null, 'e', () => seen.push(kernel.nowMs));
  kernel.schedule(15, null, 'taken back', () => t.fail('was taken back'))();
  t.equal(await kernel.run({ ...BOUNDS, until: () => seen.length === 1 }), 'reached');
  t.equal(await kernel.run({ ...BOUNDS, deadlineMs: 25 }), 'deadline');
  t.equal(kernel.nowMs, 25);
  t.equal(await kernel.run({ ...BOUNDS, eventsMax: 3 }), 'budget');
  t.equal(await kernel.run(BOUNDS), 'idle');
  t.same(seen, [10, 20, 30, 40]);
});

void t.test('an error thrown by an event ends the run', async (t) => {
  const kernel = new SimKernel(1);
  kernel.schedule(1, null, 'bad', () => {
    throw new Error('planted');
  });
  await t.rejects(kernel.run(BOUNDS), /planted/);
});

void t.test('SP1 nothing of a killed process runs again', async (t) => {
  const kernel = new SimKernel(1);
  const victim = new SimProcess(kernel, 'victim');
  let steps = 0;
  victim.start('main', async () => {
    for (;;) {
      await victim.clock.sleep(1);
      steps++;
    }
  });
  kernel.schedule(100, null, 'kill', () => victim.kill());
  t.equal(await kernel.run(BOUNDS), 'idle');
  t.ok(steps > 20 && steps <= 100, `${steps} steps`);
});

void t.test('SP2 a thawed process finds its clock ahead and its timers due, in order', async (t) => {
  const kernel = new SimKernel(3);
  const sleeper = new SimProcess(kernel, 'sleeper', { skewMs: 500 });
  const fired: string[] = [];
  sleeper.start('main', async () => {
    for (const ms of [300, 100, 200, 2_000]) sleeper.clock.after(ms, () => fired.push(`${ms}`));
    await sleeper.clock.sleep(50);
    fired.push(`slept until ${sleeper.clock.now() - EPOCH_MS >= 1_500}`);
  });
  kernel.schedule(10, null, 'freeze', () => sleeper.freeze());
  kernel.schedule(1_000, null, 'thaw', () => {
    t.same(fired, []);
    sleeper.thaw();
  });
  await kernel.run(BOUNDS);
  t.same(fired, ['slept until true', '100', '200', '300', '2000']);
});

void t.test('SP3 work takes virtual time and holds up what is due meanwhile', async (t) => {
  const kernel = new SimKernel(1);
  const worker = new SimProcess(kernel, 'worker');
  let endedMs = 0;
  let timerMs = 0;
  worker.start('main', async () => {
    worker.clock.after(1, () => (timerMs = kernel.nowMs));
    const startedMs = worker.clock.monotonic();
    while (worker.clock.monotonic() - startedMs < 20);
    endedMs = worker.clock.monotonic();
  });
  await kernel.run(BOUNDS);
  t.ok(endedMs >= 20);
  t.ok(timerMs >= endedMs, `the timer ran at ${timerMs} ms, the turn ended at ${endedMs} ms`);
});
