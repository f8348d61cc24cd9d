import { closeSync, cpSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import t from 'tap';
import { FleetReading, type FleetOptions } from '../../edge-forwarder/fleet.ts';
import { type FleetInputOptions, fleetInput } from '../../edge-forwarder/fleet-input.ts';
import { Forwarder, type ForwarderOptions } from '../../edge-forwarder/forwarder.ts';
import { openRedisPartitionLog } from '../../engine/log/redis-partition-log.ts';
import { createTopic, difference, expectedFleet, readTopic } from '../support/edge-forwarder.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { keyPartitioner, seededRandom, systemClock } from '#wire';

const MIB = 1024 * 1024;
const PARTITIONS = 2;

function fleetOptions(more: Partial<FleetOptions> = {}): FleetOptions {
  return {
    seed: 3,
    devices: 50,
    tenants: 2,
    sitesPerTenant: 2,
    rate: 5_000,
    startMs: 1_750_000_000_000,
    outOfOrderMs: 200,
    lateShare: 0.02,
    lateMs: 3_000,
    faultShare: 0.05,
    ...more,
  };
}

type Change = Partial<Omit<ForwarderOptions<FleetReading>, 'outbox'>> & {
  readonly outbox?: Partial<ForwarderOptions<FleetReading>['outbox']>;
};

interface Rig {
  readonly alarms: string[];
  readonly forwarder: (url: string, change?: Change) => Forwarder<FleetReading>;
  readonly directory: string;
}

function rig(t: Pick<typeof import('tap').default, 'teardown'>): Rig {
  const directory = mkdtempSync(join(tmpdir(), 'mr-edge-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const alarms: string[] = [];
  return {
    alarms,
    directory,
    forwarder: (url, { outbox, ...change } = {}) =>
      new Forwarder({
        redisUrl: url,
        namespace: 'default',
        topic: 'telemetry',
        producer: 'gw-1',
        schema: FleetReading,
        key: { fields: ['tenant', 'deviceId'], keyGroups: 128 },
        outbox: {
          directory: join(directory, 'outbox'),
          bytesMax: 64 * MIB,
          whenFull: 'block',
          graceMs: 60_000,
          graceBytesMax: 16 * MIB,
          ...outbox,
        },
        profile: 'safe',
        frameRecords: 200,
        frameBytes: 65_536,
        compression: 'zstd',
        rejectsBytesMax: MIB,
        clock: systemClock,
        random: seededRandom(1),
        onAlarm: (text) => alarms.push(text),
        ...change,
      }),
  };
}

function input(recordsMax: number, more: Partial<FleetInputOptions> = {}) {
  return fleetInput({ ...fleetOptions(), pace: 'asFastAsPossible', recordsMax, clock: systemClock, ...more });
}

const forever = () => new AbortController().signal;

async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited 10 s for: ${what}`);
    await sleep(10);
  }
}

async function exactly(redis: RedisServer, records: number): Promise<string | null> {
  const actual = await readTopic(redis.url, 'telemetry', PARTITIONS, FleetReading);
  return difference(actual, expectedFleet(fleetOptions(), records, PARTITIONS, FleetReading));
}

await t.test('a start needs neither Redis nor the topic; all is delivered once they are there', async (t) => {
  const { forwarder, directory } = rig(t);
  const dir = mkdtempSync(join(tmpdir(), 'mr-edge-redis-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const edge = forwarder(join(dir, 'redis.sock'), { partitions: PARTITIONS });
  const running = edge.run(input(5_000), forever(), true);
  await until('all is stored', () => edge.stats.accepted === 5_000 && edge.stats.pending === 5_000);
  const redis = await startRedis({ dir });
  t.teardown(() => redis.stop());
  await until('the topic is missed', () => edge.stats.state.includes("'telemetry' does not exist"));
  await createTopic(redis.url, 'telemetry', PARTITIONS, FleetReading);
  await running;
  t.equal(await exactly(redis, 5_000), null);
  t.equal(edge.stats.delivered, 5_000);
  const frames = await readTopic(redis.url, 'telemetry', PARTITIONS, FleetReading);
  t.ok(
    frames.flat().every(({ envelope }) => envelope.epoch === 1 && envelope.producer === 'gw-1'),
    'restamped with the epoch learnt later',
  );
  t.ok(frames.every((partition) => partition[0]?.envelope.prev === 0 && partition[0].envelope.first === 1));
  t.ok(directory);
});

await t.test('without --partitions and without a log it waits, and remembers them once known', async (t) => {
  const { forwarder } = rig(t);
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const first = forwarder(redis.url);
  const running = first.run(input(1_000), forever(), true);
  await sleep(100);
  t.equal(first.stats.accepted, 0);
  await createTopic(redis.url, 'telemetry', PARTITIONS, FleetReading);
  await running;
  const offline = forwarder(join(redis.dir, 'nothing-here.sock'));
  await offline.run(input(2_000), forever(), false);
  t.equal(offline.stats.pending, 1_000, 'offline it goes on with record 1000');
  await forwarder(redis.url).run(input(2_000), forever(), true);
  t.equal(await exactly(redis, 2_000), null);
});

await t.test('a log that lost its tail gets it again from the grace period, once (DE3, OB4)', async (t) => {
  const { forwarder, alarms } = rig(t);
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  await createTopic(redis.url, 'telemetry', PARTITIONS, FleetReading);
  const edge = forwarder(redis.url);
  const stop = new AbortController();
  // Event time follows the wall clock here, so that records keep coming while the server is away.
  const startMs = Date.now();
  const running = edge.run(input(30_000, { pace: 'realtime', startMs, rate: 10_000 }), stop.signal, true);
  await until('some is delivered', () => edge.stats.delivered > 3_000);
  await command(redis.url, 'SAVE');
  await until('more is delivered', () => edge.stats.delivered > 8_000);
  await redis.kill9();
  await sleep(100);
  await redis.restart();
  await running;
  t.ok(edge.stats.rewinds >= 1, `${edge.stats.rewinds} rewinds`);
  t.ok(
    alarms.some((alarm) => alarm.includes('lost its tail')),
    alarms.join(),
  );
  t.equal(edge.stats.lifetime.lost, 0);
  const actual = await readTopic(redis.url, 'telemetry', PARTITIONS, FleetReading);
  const options = { ...fleetOptions(), startMs, rate: 10_000 };
  t.equal(difference(actual, expectedFleet(options, 30_000, PARTITIONS, FleetReading)), null);
});

await t.test(
  'a tail that is lost beyond the grace period is declared and counted, and delivery goes on',
  async (t) => {
    const { forwarder, alarms } = rig(t);
    const redis = await startRedis();
    t.teardown(() => redis.stop());
    await createTopic(redis.url, 'telemetry', PARTITIONS, FleetReading);
    await forwarder(redis.url).run(input(1_000), forever(), true);
    await command(redis.url, 'SAVE');
    await forwarder(redis.url, { outbox: { graceMs: 0 } }).run(input(3_000), forever(), true);
    await redis.kill9();
    await redis.restart();
    const edge = forwarder(redis.url, { outbox: { graceMs: 0 } });
    await edge.run(input(4_000), forever(), true);
    t.equal(edge.stats.lifetime.lost, 2_000);
    t.ok(
      alarms.some((alarm) => /\d+ records of partition/.test(alarm)),
      alarms.join(),
    );
    const rows = (await readTopic(redis.url, 'telemetry', PARTITIONS, FleetReading))
      .flat()
      .reduce((n, f) => n + f.rows.length, 0);
    t.equal(rows, 2_000, 'the first and the last thousand');
  },
);

await t.test(
  'with a small outbox and no log, block stops the input, then loses nothing (S5.5, IN3)',
  async (t) => {
    const { forwarder } = rig(t);
    const redis = await startRedis();
    t.teardown(() => redis.stop());
    await createTopic(redis.url, 'telemetry', PARTITIONS, FleetReading);
    await redis.kill9();
    const edge = forwarder(redis.url, {
      partitions: PARTITIONS,
      compression: 'none',
      outbox: { bytesMax: MIB },
    });
    const running = edge.run(input(60_000), forever(), true);
    await until('the outbox is full', () => edge.stats.state.startsWith('outbox full'));
    // A batch that is smaller than the last one may still fit.
    let accepted = -1;
    for (let looks = 0; looks < 5 && accepted !== edge.stats.accepted; looks++) {
      ({ accepted } = edge.stats);
      await sleep(200);
    }
    t.equal(edge.stats.accepted, accepted, 'the input stands still');
    t.ok(accepted < 40_000, `${accepted} accepted`);
    await redis.restart();
    await createTopic(redis.url, 'telemetry', PARTITIONS, FleetReading);
    await running;
    t.equal(edge.stats.droppedDeclared, 0);
    t.equal(await exactly(redis, 60_000), null);
  },
);

await t.test('with drop-oldest the log names the hole, and the counts add up', async (t) => {
  const { forwarder } = rig(t);
  const redis = await startRedis({ appendonly: 'everysec' });
  t.teardown(() => redis.stop());
  await createTopic(redis.url, 'telemetry', PARTITIONS, FleetReading);
  await forwarder(redis.url).run(input(1_000), forever(), true);
  await redis.kill9();
  const change = { compression: 'none', outbox: { bytesMax: MIB, whenFull: 'drop-oldest' } } as const;
  const away = forwarder(redis.url, change);
  await away.run(input(60_000), forever(), false);
  t.ok(away.stats.droppedDeclared > 20_000, `${away.stats.droppedDeclared} dropped`);
  await redis.restart();
  const edge = forwarder(redis.url, change);
  await edge.run(input(61_000), forever(), true);
  const frames = await readTopic(redis.url, 'telemetry', PARTITIONS, FleetReading);
  const rows = frames.flat().reduce((n, frame) => n + frame.rows.length, 0);
  t.equal(rows + edge.stats.lifetime.dropped, 61_000, 'delivered + dropped = accepted');
  let declared = 0;
  for (const { envelope } of frames.flat()) declared += envelope.first - envelope.prev - 1;
  t.equal(declared, edge.stats.lifetime.dropped, 'every dropped record is inside a declared hole');
  const expected = expectedFleet(fleetOptions(), 61_000, PARTITIONS, FleetReading);
  for (const [p, partition] of frames.entries()) {
    const sequence = partition.flatMap((f) => f.rows.map((row, i) => [f.envelope.first + i, row] as const));
    t.ok(
      sequence.every(([n, row]) => row.ts === expected[p]?.[n - 1]?.ts),
      `partition ${p}: sequences name the right records`,
    );
  }
});

await t.test('a damaged outbox is set aside with an alarm, and a new epoch begins', async (t) => {
  const { forwarder, alarms, directory } = rig(t);
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  await createTopic(redis.url, 'telemetry', PARTITIONS, FleetReading);
  await forwarder(redis.url).run(input(1_000), forever(), true);
  const file = openSync(join(directory, 'outbox', 'outbox.db'), 'r+');
  writeSync(file, new Uint8Array(8_192).fill(7), 0, 8_192, 0);
  closeSync(file);
  const edge = forwarder(redis.url);
  await edge.run(input(500), forever(), true);
  t.match(alarms, [/damaged/]);
  const frames = await readTopic(redis.url, 'telemetry', PARTITIONS, FleetReading);
  t.same(new Set(frames.flat().map(({ envelope }) => envelope.epoch)), new Set([1, 2]));
  t.equal(
    frames.flat().reduce((n, f) => n + f.rows.length, 0),
    1_500,
  );
});

await t.test('an outbox whose name a newer one took over is fenced', async (t) => {
  const { forwarder, directory } = rig(t);
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  await createTopic(redis.url, 'telemetry', PARTITIONS, FleetReading);
  await forwarder(redis.url).run(input(500), forever(), true);
  await forwarder(redis.url, { outbox: { directory: join(directory, 'other') } }).run(
    input(500),
    forever(),
    true,
  );
  await t.rejects(forwarder(redis.url).run(input(1_000), forever(), true), { code: 'MR_LOG_FENCED' });
});

await t.test(
  'an outbox restored from an old copy is refused instead of having its records swallowed',
  async (t) => {
    const { forwarder, directory } = rig(t);
    const redis = await startRedis();
    t.teardown(() => redis.stop());
    await createTopic(redis.url, 'telemetry', PARTITIONS, FleetReading);
    await forwarder(redis.url).run(input(500), forever(), true);
    cpSync(join(directory, 'outbox'), join(directory, 'copy'), { recursive: true });
    await forwarder(redis.url).run(input(1_000), forever(), true);
    const restored = forwarder(redis.url, { outbox: { directory: join(directory, 'copy') } });
    await t.rejects(restored.run(input(1_000), forever(), true), { code: 'MR_EDGE_OUTBOX' });
  },
);

await t.test(
  'a topic of another shape, or other settings on the same outbox, are refused (FW3, DE4)',
  async (t) => {
    const { forwarder } = rig(t);
    const redis = await startRedis();
    t.teardown(() => redis.stop());
    await createTopic(redis.url, 'telemetry', PARTITIONS, FleetReading);
    const edge = forwarder(redis.url, { partitions: 5 });
    await t.rejects(edge.run(input(100), forever(), true), { code: 'MR_LOG_TOPIC_MISMATCH' });
    t.throws(() => forwarder(redis.url, { topic: 'other' }), { code: 'MR_CONFIG_INVALID' });
    const again = forwarder(redis.url);
    await t.rejects(again.run(input(100, { seed: 99 }), forever(), false), {
      code: /MR_CONFIG_INVALID|MR_LOG_TOPIC_MISMATCH/,
    });
  },
);

await t.test(
  'a topic with another partitioner is refused, one with the same is filled by it (FW3, FW4)',
  async (t) => {
    const redis = await startRedis();
    t.teardown(() => redis.stop());
    const partitionedBy = { fields: ['tenant', 'deviceId'], keyGroups: 64 };
    await createTopic(redis.url, 'telemetry', PARTITIONS, FleetReading, undefined, partitionedBy);
    for (const key of [
      { fields: ['tenant', 'deviceId'], keyGroups: 128 },
      { fields: ['deviceId'], keyGroups: 64 },
    ]) {
      const { forwarder } = rig(t);
      const edge = forwarder(redis.url, { key, partitions: PARTITIONS });
      await t.rejects(edge.run(input(100), forever(), true), {
        code: 'MR_LOG_TOPIC_MISMATCH',
        message: /partitioned by tenant, deviceId in 64 key groups/,
      });
    }
    const { forwarder } = rig(t);
    await forwarder(redis.url, { key: partitionedBy }).run(input(1_000), forever(), true);
    const frames = await readTopic(redis.url, 'telemetry', PARTITIONS, FleetReading);
    const partitionOf = keyPartitioner(
      FleetReading,
      partitionedBy.fields,
      PARTITIONS,
      partitionedBy.keyGroups,
    );
    const rows = frames.map((partition) => partition.flatMap((frame) => frame.rows));
    t.equal(rows.flat().length, 1_000);
    t.ok(rows.every((of, partition) => of.every((row) => partitionOf(row) === partition)));
    t.throws(() => forwarder(redis.url, { key: { ...partitionedBy, keyGroups: 128 } }), {
      code: 'MR_CONFIG_INVALID',
    });
  },
);

await t.test('a full partition makes it wait, and delivery goes on when the log has room', async (t) => {
  const { forwarder } = rig(t);
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  await createTopic(redis.url, 'telemetry', PARTITIONS, FleetReading, 40_000);
  const edge = forwarder(redis.url);
  const running = edge.run(input(10_000), forever(), true);
  await until('it is full', () => edge.stats.state.includes('is full') && edge.stats.accepted === 10_000);
  t.ok(edge.stats.pending > 0);
  const log = await openRedisPartitionLog({
    url: redis.url,
    namespace: 'default',
    durability: 'process',
    clock: systemClock,
  });
  t.teardown(() => log.close());
  let consuming = true;
  const consumer = (async () => {
    while (consuming) {
      const ends = await log.ends('telemetry');
      const positions = ends.map(({ partition, end }) => ({
        topic: 'telemetry',
        partition,
        offset: end,
        chain: '',
      }));
      await log.registerPositions('job', 1, positions);
      for (const { partition } of ends) await log.trim('telemetry', partition);
      await sleep(5);
    }
  })();
  await running;
  consuming = false;
  await consumer;
  // Offsets are dense, so the ends tell what was appended whoever trimmed: an append to a full partition trims too.
  const appended = (await log.ends('telemetry')).reduce((n, { end }) => n + end, 0);
  t.equal(appended, 10_000);
});

async function command(url: string, name: string): Promise<void> {
  const redis = new Redis(url, { protocol: 2 });
  await redis.call(name);
  redis.disconnect();
}
