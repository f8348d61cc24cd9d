import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { type Clock, systemClock } from '../../../engine/base/clock.ts';
import { LIMITS } from '../../../engine/base/limits.ts';
import { seededRandom } from '../../../engine/base/random.ts';
import type { ControlMessage } from '../../../engine/cluster/control-message.ts';
import { ControlReader, type ControlReaderOptions } from '../../../engine/cluster/control-reader.ts';
import { ControlSender } from '../../../engine/cluster/control-sender.ts';
import { coordinatorInbox, type InboxKeys, workerInbox } from '../../../engine/redis/keys.ts';
import type { RedisLink } from '../../../engine/redis/redis-link.ts';
import { propertyRuns } from '../../support/property-runs.ts';
import {
  clusterHarness,
  contextOf,
  type Fault,
  faultyLink,
  lateCopies,
  NAMESPACE,
  repeated,
} from './cluster-harness.ts';

const { server, open } = await clusterHarness(t);
const link = await open();
const readLink = await open();

const freshInbox = (): InboxKeys => workerInbox(NAMESPACE, randomUUID());
const senderTo = (inbox: InboxKeys, generation = 1, through: RedisLink = link, sender = 'job') =>
  new ControlSender(contextOf(through), { inbox, sender, job: 'job', generation });
const readerOf = (inbox: InboxKeys, options: Partial<ControlReaderOptions> = {}) =>
  new ControlReader({ link: readLink, clock: systemClock, inbox, blockMs: 20, ...options });

/** All that is there. */
async function readAll(reader: ControlReader): Promise<ControlMessage[]> {
  const messages: ControlMessage[] = [];
  for (;;) {
    const some = await reader.receive();
    if (some.length === 0) return messages;
    messages.push(...some);
  }
}
const bodies = (messages: readonly ControlMessage[]) => messages.map(({ body }) => body);

void t.test('messages arrive as they were sent, in order, in batches (CT1, CT4)', async (t) => {
  const inbox = coordinatorInbox(NAMESPACE, 'job', 7);
  const worker = new ControlSender(contextOf(link), { inbox, sender: 'w1', job: 'job', generation: 7 });
  const body = {
    kind: 'ack',
    bytes: new Uint8Array([0, 255, 7]),
    list: [1, 1.5, -3, null, true, 'ä'],
    none: undefined,
  };
  await worker.send(body);
  const reader = readerOf(inbox, { generations: new Map([['job', 7]]) });
  const [first, ...more] = await readAll(reader);
  t.same(more, []);
  t.match(first, { job: 'job', generation: 7, sender: 'w1' });
  t.same(first?.body, { ...body, bytes: Buffer.from(body.bytes) });

  await Promise.all(Array.from({ length: 1_000 }, (_, i) => worker.send(i)));
  t.same(
    bodies(await readAll(reader)),
    Array.from({ length: 1_000 }, (_, i) => i),
  );
});

void t.test('CT1 lost answers and late copies make no message twice', async (t) => {
  const inbox = freshInbox();
  const { fault, replay } = lateCopies();
  const sender = senderTo(inbox, 1, faultyLink(faultyLink(link, fault), repeated));
  for (let i = 0; i < 5; i++) await sender.send(i);
  await Promise.all([5, 6, 7].map((i) => sender.send(i)));
  await replay();
  t.same(bodies(await readAll(readerOf(inbox))), [0, 1, 2, 3, 4, 5, 6, 7]);
});

void t.test(
  'CT1 CT4 with many senders, repeats and lost connections each arrives once, in order',
  async () => {
    const plan = fc.record({
      seed: fc.integer(),
      counts: fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 4 }),
      kill: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(plan, async ({ seed, counts, kill }) => {
        const inbox = freshInbox();
        const random = seededRandom(seed);
        const copies: Promise<unknown>[] = [];
        const fault: Fault = async (send) => {
          if (random() < 0.3) await send();
          if (random() < 0.3) copies.push(systemClock.sleep(random() * 5).then(send));
          return send();
        };
        const reader = readerOf(inbox);
        const received: ControlMessage[] = [];
        const total = counts.reduce((sum, n) => sum + n, 0);
        const sending = counts.map(async (count, s) => {
          const sender = senderTo(inbox, 1, faultyLink(link, fault), `s${s}`);
          for (let i = 0; i < count; i++) {
            const sent = sender.send(i);
            if (random() < 0.5) await sent;
            else sent.catch(() => undefined);
          }
          await sender.send('last');
        });
        if (kill) await link.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
        while (received.length < total + counts.length) received.push(...(await reader.receive()));
        await Promise.all([...sending, ...copies]);
        received.push(...(await readAll(reader)));
        for (const [s, count] of counts.entries()) {
          const own = received.filter(({ sender }) => sender === `s${s}`).map(({ body }) => body);
          const expected = [...Array(count).keys(), 'last'];
          if (JSON.stringify(own) !== JSON.stringify(expected)) throw new Error(`s${s}: ${own.join()}`);
        }
      }),
      { numRuns: propertyRuns(25) },
    );
  },
);

void t.test(
  'CT2 a newer generation of a sender fences the older one; so does another of its own',
  async (t) => {
    const inbox = freshInbox();
    const [old, next] = [senderTo(inbox, 4), senderTo(inbox, 5)];
    await old.send('old');
    await next.send('next');
    await t.rejects(old.send('zombie'), { code: 'MR_CONTROL_FAILED', message: /generation 5/ });
    await t.rejects(senderTo(inbox, 5).send('twin'), { code: 'MR_CONTROL_FAILED' });
    const other = new ControlSender(contextOf(link), { inbox, sender: 'j2', job: 'j2', generation: 1 });
    await other.send('of another job');
    t.same(bodies(await readAll(readerOf(inbox))), ['old', 'next', 'of another job']);
  },
);

void t.test('CT6 a reader drops messages of older generations, and counts them', async (t) => {
  const inbox = freshInbox();
  await senderTo(inbox, 4, link, 'a').send('4');
  const [five, late] = [senderTo(inbox, 5, link, 'a'), senderTo(inbox, 4, link, 'b')];
  await five.send('5');
  await late.send('4, late');
  await five.send('5 again');
  const reader = readerOf(inbox);
  t.same(bodies(await readAll(reader)), ['4', '5', '5 again']);
  t.equal(reader.dropped, 1);
  const told = readerOf(inbox, { generations: new Map([['job', 5]]) });
  t.same(bodies(await readAll(told)), ['5', '5 again']);
  t.equal(told.dropped, 2);
  told.raise('job', 6);
  await five.send('too old by now');
  t.same(await readAll(told), []);
  t.equal(told.dropped, 3);
});

void t.test('CT3 a full inbox is waited for while its reader reads, then given up', async (t) => {
  const inbox = freshInbox();
  const large = new Uint8Array(900 * 1024);
  const fits = Math.floor(LIMITS.controlUnreadBytesMax / large.length);
  const sender = senderTo(inbox);
  for (let i = 0; i < fits; i++) await sender.send(large);
  const waiting = Promise.all(Array.from({ length: 5 }, () => sender.send(large)));
  await systemClock.sleep(50);
  t.ok(Number(await link.call('XLEN', inbox.stream)) <= fits);
  const reader = readerOf(inbox);
  let count = 0;
  while (count < fits + 5) count += (await reader.receive()).length;
  await waiting;

  for (let i = 0; i < 5; i++) await sender.send(large);
  const stuck = freshInbox();
  let now = 0;
  const hasty: Clock = {
    ...systemClock,
    monotonic: () => now,
    sleep: async (ms) => {
      now += ms;
    },
  };
  const lost = new ControlSender(contextOf(link, hasty), {
    inbox: stuck,
    sender: 'job',
    job: 'job',
    generation: 1,
  });
  for (let i = 0; i < fits; i++) await lost.send(large);
  const failure = { code: 'MR_CONTROL_FAILED', message: /unread bytes/ };
  await t.rejects(lost.send(large), failure);
  t.ok(now >= LIMITS.controlFullMs);
  await t.rejects(lost.send('small'), failure, 'CT5 it stays failed');
  t.match(lost.failure, failure);
});

void t.test('CT3 CT5 what waits in a sender is bounded', async (t) => {
  const fault: Fault = () => new Promise(() => undefined); // no answer, ever
  const sender = senderTo(freshInbox(), 1, faultyLink(link, fault));
  const large = new Uint8Array(900 * 1024);
  const fits = Math.floor(LIMITS.controlWaitingBytesMax / large.length);
  const failure = { code: 'MR_CONTROL_FAILED' };
  const waiting = Array.from({ length: fits }, () => t.rejects(sender.send(large), failure));
  await t.rejects(sender.send(large), { code: 'MR_CONTROL_FAILED', message: /more slowly/ });
  await Promise.all(waiting);
});

void t.test('CT4 what was read is let go on the server, what was not stays', async (t) => {
  const inbox = freshInbox();
  const sender = senderTo(inbox);
  for (let i = 0; i < 3; i++) {
    await Promise.all(Array.from({ length: LIMITS.controlMessagesPerCall }, () => sender.send(i)));
  }
  const reader = readerOf(inbox);
  t.equal((await reader.receive()).length, LIMITS.controlMessagesPerCall);
  t.equal(await link.call('XLEN', inbox.stream), 3 * LIMITS.controlMessagesPerCall);
  t.equal((await reader.receive()).length, LIMITS.controlMessagesPerCall);
  t.equal(await link.call('XLEN', inbox.stream), 2 * LIMITS.controlMessagesPerCall);
  for (const key of [inbox.stream, inbox.meta]) {
    const ttl = Number(await link.call('PTTL', key));
    t.ok(ttl > 0 && ttl <= LIMITS.controlTtlMs, 'an inbox that nobody reads runs out');
  }
});

void t.test('CT4 a reader keeps its inbox from running out', async (t) => {
  const inbox = freshInbox();
  let now = 0;
  const reader = readerOf(inbox, { clock: { ...systemClock, monotonic: () => now } });
  await senderTo(inbox).send('one');
  await readAll(reader);
  for (const key of [inbox.stream, inbox.meta]) await link.call('PEXPIRE', key, 5_000);
  await reader.receive();
  t.ok(Number(await link.call('PTTL', inbox.meta)) <= 5_000, 'not with every call');
  now += LIMITS.controlTtlMs / 10;
  await reader.receive();
  for (const key of [inbox.stream, inbox.meta]) t.ok(Number(await link.call('PTTL', key)) > 5_000);
});

void t.test('CT1 CT4 an inbox that the server has lost is noticed by both ends', async (t) => {
  const inbox = freshInbox();
  const sender = senderTo(inbox);
  const reader = readerOf(inbox);
  await sender.send('one');
  t.same(bodies(await reader.receive()), ['one']);
  await link.call('DEL', inbox.stream, inbox.meta);
  await t.rejects(sender.send('two'), { code: 'MR_CONTROL_FAILED', message: /expects message 1, not 2/ });

  await senderTo(inbox, 1, link, 'new').send('instead of one');
  await senderTo(inbox, 1, link, 'newer').send('instead of two');
  await t.rejects(reader.receive(), { code: 'MR_CONTROL_FAILED' }, 'number two, after another number one');
});

void t.test('CT4 a reader asks after each lost connection whether the inbox is the same', async (t) => {
  const inbox = freshInbox();
  const sender = senderTo(inbox);
  const reader = readerOf(inbox);
  await sender.send('one');
  await sender.send('two');
  t.equal((await reader.receive()).length, 2);
  await link.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  t.same(await reader.receive(), [], 'it is');

  // As after a fail-over to a replica that had not got message two, and took another one.
  await link.call('DEL', inbox.stream, inbox.meta);
  await senderTo(inbox, 1, link, 'a').send('one');
  await senderTo(inbox, 1, link, 'b').send('another');
  await link.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  await t.rejects(
    (async () => {
      for (let i = 0; i < 3; i++) await reader.receive();
    })(),
    { code: 'MR_CONTROL_FAILED', message: /2 were read/ },
  );
});

void t.test('CT7 a sender asks after a lost connection whether all that it has sent is there', async (t) => {
  const inbox = freshInbox();
  const sender = senderTo(inbox);
  await sender.confirm();
  await sender.send('one');
  const keys = [inbox.stream, inbox.meta];
  const before = await Promise.all(keys.map((key) => link.callBuffer('DUMP', key)));
  await sender.send('two');
  const kill = async () => {
    const { losses } = link;
    await readLink.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    while (link.losses === losses) await systemClock.sleep(1);
  };
  await kill();
  await sender.confirm();

  // As after a fail-over to a replica that had not got message two: whoever has read the first waits for ever.
  for (const [i, key] of keys.entries()) await link.call('RESTORE', key, 0, before[i] as Buffer, 'REPLACE');
  await sender.confirm();
  t.equal(sender.failure, null, 'nobody asks while the connection is the same');
  await kill();
  const lost = { code: 'MR_CONTROL_FAILED', details: { refusal: 'gap' } };
  await t.rejects(sender.confirm(), lost);
  await t.rejects(sender.send('three'), lost, 'CT5');
});

void t.test('what is too large or not plain data is refused, and the sender goes on', async (t) => {
  const inbox = freshInbox();
  const sender = senderTo(inbox);
  const tooLarge = { code: 'MR_CONTROL_TOO_LARGE' };
  await t.rejects(sender.send(new Uint8Array(LIMITS.controlMessageBytesMax + 1)), tooLarge);
  await t.rejects(sender.send({ at: new Map() }), tooLarge);
  await sender.send('fits');
  t.same(bodies(await readAll(readerOf(inbox))), ['fits']);
});

void t.test('a message that cannot be read is an error, not data', async (t) => {
  const inbox = freshInbox();
  await senderTo(inbox).send('good');
  const chain = String(await link.call('HGET', inbox.meta, 'chain'));
  const fields = ['s', 'x', 'j', 'job', 'g', 1, 'p', chain, 'c', 'c', 'b', 1, 'm', Buffer.from([0xc1])];
  await link.call('XADD', inbox.stream, '2-0', ...fields);
  await t.rejects(readerOf(inbox).receive(), { code: 'MR_CONTROL_FAILED' });
});

void t.test('a waiting reader gets a message within milliseconds', async (t) => {
  const inbox = freshInbox();
  const sender = senderTo(inbox);
  const reader = readerOf(inbox, { blockMs: 1_000 });
  const tookMs: number[] = [];
  for (let i = 0; i < 50; i++) {
    const receiving = reader.receive();
    await systemClock.sleep(2);
    const began = systemClock.monotonic();
    await sender.send(i);
    t.same(bodies(await receiving), [i]);
    tookMs.push(systemClock.monotonic() - began);
  }
  const median = tookMs.sort((a, b) => a - b)[25] as number;
  t.comment(`median ${median.toFixed(2)} ms over ${server.url.endsWith('.sock') ? 'a unix socket' : 'TCP'}`);
  t.ok(median < 50);
});
