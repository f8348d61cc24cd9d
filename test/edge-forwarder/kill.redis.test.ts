import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import t from 'tap';
import { FleetReading } from '../../edge-forwarder/fleet.ts';
import {
  createTopic,
  difference,
  expectedFleet,
  readTopic,
  startForwarder,
} from '../support/edge-forwarder.ts';
import { startRedis } from '../support/redis-server.ts';
import { partitionKeys, seededRandom } from '#wire';

const KILLS = 15;
const RATE = 8_000;
const PARTITIONS = 3;
const SEED = 20_260_131;
const FLEET = {
  seed: 7,
  devices: 100,
  tenants: 4,
  sitesPerTenant: 5,
  rate: RATE,
  outOfOrderMs: 500,
  lateShare: 0.01,
  lateMs: 5_000,
  faultShare: 0.05,
} as const;

await t.test(
  `${KILLS} kills of the forwarder and three of Redis: none lost, none twice, order kept (S5.5, FW1, DE2)`,
  async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'mr-edge-kill-'));
    const redis = await startRedis({ appendonly: 'everysec' });
    t.teardown(async () => {
      await redis.stop();
      rmSync(directory, { recursive: true, force: true });
    });
    await createTopic(redis.url, 'telemetry', PARTITIONS, FleetReading);
    const startMs = Date.now();
    const args = fleetArguments(redis.url, directory, startMs);
    const random = seededRandom(SEED);

    const delivering: number[] = [];
    for (let kill = 1; kill <= KILLS; kill++) {
      const before = await frames(redis.url);
      const forwarder = startForwarder(args);
      const deadline = performance.now() + 5_000;
      while ((await frames(redis.url)) === before && performance.now() < deadline) await sleep(5);
      await sleep(random() * 100);
      if (kill % 5 === 0) await redis.kill9();
      forwarder.child.kill('SIGKILL');
      t.equal(await forwarder.exited, null, `kill ${kill} hit it alive: ${forwarder.err()}`);
      if (kill % 5 === 0) await redis.restart();
      delivering.push((await frames(redis.url)) - before);
    }
    t.ok(
      delivering.every((count) => count > 0),
      `each was killed while it delivered: ${delivering.join()} frames`,
    );

    const records = Math.ceil(((Date.now() - startMs) * RATE) / 1_000);
    const last = startForwarder([...args, '--duration', `${(records * 1_000) / RATE}ms`]);
    t.equal(await last.exited, 0, last.err());
    const actual = await readTopic(redis.url, 'telemetry', PARTITIONS, FleetReading);
    t.equal(
      difference(actual, expectedFleet({ ...FLEET, startMs }, records, PARTITIONS, FleetReading)),
      null,
    );
    const summary = JSON.parse(last.out()) as { pending: number; lifetime: { accepted: number } };
    t.equal(summary.pending, 0);
    t.equal(summary.lifetime.accepted, records, 'the counters survived the kills too (OB1)');
  },
);

async function frames(url: string): Promise<number> {
  const redis = new Redis(url, { protocol: 2 });
  const keys = Array.from({ length: PARTITIONS }, (_, p) => partitionKeys('default', 'telemetry', p).stream);
  const lengths = await Promise.all(keys.map((key) => redis.xlen(key)));
  redis.disconnect();
  return lengths.reduce((sum, length) => sum + length, 0);
}

function fleetArguments(url: string, directory: string, startMs: number): string[] {
  const where = `--redis ${url} --topic telemetry --producer gw-1 --outbox ${join(directory, 'outbox')} --profile safe`;
  const fleet = `--devices 100 --rate ${RATE} --seed 7 --start ${startMs}`;
  return `${where} fleet ${fleet} --out-of-order 500ms --late-share 0.01 --late 5s --fault-share 0.05`.split(
    ' ',
  );
}
