import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import t from 'tap';
import { systemClock } from '../../../engine/base/clock.ts';
import { FrameWriter } from '../../../engine/log/frame-writer.ts';
import type { LogReader, PartitionLog } from '../../../engine/log/partition-log.ts';
import { openRedisPartitionLog } from '../../../engine/log/redis-partition-log.ts';
import { type RedisServer, startRedis } from '../../support/redis-server.ts';
import { failureOf, START } from './log-harness.ts';
import { frameOf, Sample, valuesOf } from './test-frames.ts';

const PARTITIONS = 4;
const FRAMES_PER_PARTITION = 5_000;
const WINDOW = 64;

const open = (server: RedisServer) =>
  openRedisPartitionLog({ url: server.url, namespace: 'faults', clock: systemClock, durability: 'process' });

/** A server whose AOF survives SIGKILL; in memory where there is such a place, so that a slow disk does not decide the test. */
async function durableServer(): Promise<{ server: RedisServer; end: () => Promise<void> }> {
  const dir = await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'mr-faults-'));
  const server = await startRedis({ appendonly: 'everysec', dir });
  const end = async () => {
    await server.stop();
    await rm(dir, { recursive: true, force: true });
  };
  return { server, end };
}

/** Until stopped: drops every client every `everyMs`. Resolves to how often. */
function dropClients(server: RedisServer, everyMs: number): () => Promise<number> {
  const admin = new Redis(server.url, { maxRetriesPerRequest: null });
  admin.on('error', () => {});
  let stopped = false;
  const dropping = (async () => {
    let drops = 0;
    while (!stopped) {
      await systemClock.sleep(everyMs);
      const killed = Number(
        await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes').catch(() => 0),
      );
      if (killed > 0) drops++;
    }
    admin.disconnect();
    return drops;
  })();
  return () => {
    stopped = true;
    return dropping;
  };
}

interface Tally {
  retries: number;
  duplicates: number;
  stored: number;
}

/** Appends frames 1 … n of one record in windows, sending again from the first that has no good answer. */
async function appendAll(log: PartitionLog, partition: number, tally: Tally): Promise<void> {
  for (let next = 0; next < FRAMES_PER_PARTITION; ) {
    const count = Math.min(WINDOW, FRAMES_PER_PARTITION - next);
    const frames = Array.from({ length: count }, (_, i) =>
      frameOf({ producer: `p${partition}`, prev: next + i }),
    );
    const answers = await Promise.allSettled(frames.map((frame) => log.append('faults', partition, frame)));
    for (const answer of answers) {
      const kind = answer.status === 'fulfilled' ? answer.value.kind : 'no answer';
      if (kind !== 'ok' && kind !== 'duplicate') {
        tally.retries++;
        break;
      }
      if (kind === 'duplicate') tally.duplicates++;
      tally.stored++;
      next++;
    }
  }
}

async function readAll(reader: LogReader, total: number, seen: number[][]): Promise<void> {
  for (let count = 0; count < total; ) {
    const frame = reader.take();
    if (frame === null) {
      if (reader.failure !== null) throw reader.failure;
      await reader.ready();
      continue;
    }
    (seen[frame.partition] as number[]).push(...valuesOf(frame.bytes));
    count++;
  }
}

void t.test(
  'PL1 RL1 20,000 appends with clients dropped and the server killed: no duplicates, no holes, no reordering',
  async (t) => {
    const { server, end } = await durableServer();
    const log = await open(server);
    await log.createTopic('faults', { partitions: PARTITIONS, schema: Sample });
    const numbers = Array.from({ length: PARTITIONS }, (_, p) => p);
    const reader = await log.openReader({
      topic: 'faults',
      positions: new Map(numbers.map((p) => [p, START])),
    });
    const seen: number[][] = numbers.map(() => []);
    const tally: Tally = { retries: 0, duplicates: 0, stored: 0 };

    const stopDropping = dropClients(server, 150);
    let kills = 0;
    const total = PARTITIONS * FRAMES_PER_PARTITION;
    const killing = (async () => {
      for (const share of [0.2, 0.45, 0.7]) {
        while (tally.stored < share * total) await systemClock.sleep(5);
        await server.kill9();
        kills++;
        await systemClock.sleep(100);
        await server.restart();
      }
    })();
    const reading = readAll(reader, total, seen);
    await Promise.all(numbers.map((p) => appendAll(log, p, tally)));
    await killing;
    const drops = await stopDropping();
    await reading;

    let duplicates = 0;
    let reordered = 0;
    let lost = 0;
    for (const values of seen) {
      const distinct = new Set(values);
      duplicates += values.length - distinct.size;
      reordered += values.filter((value, i) => i > 0 && value < (values[i - 1] as number)).length;
      for (let value = 1; value <= FRAMES_PER_PARTITION; value++) if (!distinct.has(value)) lost++;
    }
    t.same({ duplicates, reordered, lost }, { duplicates: 0, reordered: 0, lost: 0 });
    t.same(
      (await log.ends('faults')).map((ends) => ends.end),
      numbers.map(() => FRAMES_PER_PARTITION),
    );
    t.equal(kills, 3);
    t.ok(drops >= 3, 'clients were dropped');
    t.comment(
      `${total} appends, ${drops} drops of all clients, ${kills} SIGKILLs: ${duplicates} duplicates, ${reordered} reordered, ${lost} lost (${tally.duplicates} repeated sends swallowed, ${tally.retries} windows sent again)`,
    );
    await log.close();
    await end();
  },
);

void t.test('PR1 a frame writer rides through drops and a restart of the server', async (t) => {
  const { server, end } = await durableServer();
  const log = await open(server);
  await log.createTopic('writer', { partitions: 2, schema: Sample });
  const settings = { log, topic: 'writer', schema: Sample, producer: 'w', epoch: 1, clock: systemClock };
  const writer = await FrameWriter.open({ ...settings, partitionOf: ({ value }) => value % 2, lingerMs: 1 });
  const stopDropping = dropClients(server, 60);
  const total = 20_000;
  for (let value = 1; value <= total; value++) {
    await writer.write({ ts: value, value, note: null });
    if (value % 100 === 0) await systemClock.sleep(2);
    if (value === total / 2) {
      await server.kill9();
      void server.restart();
    }
  }
  await writer.close();
  const drops = await stopDropping();
  for (const parity of [0, 1]) {
    const reader = await log.openReader({ topic: 'writer', positions: new Map([[parity, START]]) });
    const values: number[] = [];
    while (values.length < total / 2) {
      const frame = reader.take();
      if (frame !== null) values.push(...valuesOf(frame.bytes));
      else await reader.ready();
    }
    t.same(
      values,
      Array.from({ length: total / 2 }, (_, i) => 2 * i + (parity === 0 ? 2 : 1)),
    );
    await reader.close();
  }
  const { framesStored, duplicates, retries } = writer.stats();
  t.comment(
    `${framesStored} frames, ${drops} drops, 1 SIGKILL, ${duplicates} repeated sends swallowed, ${retries} retries`,
  );
  await log.close();
  await end();
});

void t.test('PL3 a server that comes back empty is noticed, not read from the start again', async (t) => {
  const server = await startRedis();
  const log = await open(server);
  await log.createTopic('empty', { partitions: 1, schema: Sample });
  await log.append('empty', 0, frameOf({ records: 5 }));
  const reader = await log.openReader({ topic: 'empty', positions: new Map([[0, START]]) });
  while (reader.take() === null) await reader.ready();
  await server.kill9();
  await server.restart();
  t.match(await failureOf(reader), { code: 'MR_LOG_ROLLED_BACK' });
  await t.rejects(log.append('empty', 0, frameOf({ prev: 5 })), { code: 'MR_LOG_NO_TOPIC' });
  await log.close();
  await server.stop();
});

void t.test(
  'at maxmemory producers see full by quota first, and trimming and registering still work',
  async (t) => {
    const server = await startRedis({ maxmemory: '24mb' });
    const log = await open(server);
    const padding = 60_000;
    await log.createTopic('quota', { partitions: 1, schema: Sample, quotaBytes: 4 * 1024 * 1024 });
    const fill = async (topic: string): Promise<number> => {
      for (let prev = 0; ; prev++) {
        const answer = await log.append(topic, 0, frameOf({ prev, padding, value: prev }));
        if (answer.kind === 'full') return prev;
        if (answer.kind !== 'ok') throw new Error(`answered ${answer.kind}`);
      }
    };
    const byQuota = await fill('quota');
    const admin = new Redis(server.url);
    const used = Number(/used_memory:(\d+)/.exec(await admin.info('memory'))?.[1]);
    t.ok(used < 24 * 1024 * 1024, `full after ${byQuota} frames at ${used} bytes, below maxmemory`);

    await log.createTopic('unbounded', { partitions: 1, schema: Sample, quotaBytes: 1024 * 1024 * 1024 });
    const byMemory = await fill('unbounded');
    t.comment(`full by quota after ${byQuota} frames, by maxmemory after ${byMemory} more`);
    await t.rejects(admin.set('k', 'x'.repeat(1_000_000)), /OOM/);
    const target = { topic: 'quota', partition: 0, sinkId: 's', seq: 1 };
    await t.rejects(log.stage(target, 0, [frameOf({ padding })]), { code: 'MR_LOG_FULL' });
    const at = { topic: 'unbounded', partition: 0, ...(await log.position('unbounded', 0, 'latest')) };
    await log.registerPositions('job', 1, [at]);
    t.equal(await log.trim('unbounded', 0), byMemory);
    t.match(await log.append('unbounded', 0, frameOf({ prev: byMemory, padding })), { kind: 'ok' });
    admin.disconnect();
    await log.close();
    await server.stop();
  },
);
