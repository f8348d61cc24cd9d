import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { FleetReading, type FleetOptions } from '../../edge-forwarder/fleet.ts';
import {
  createTopic,
  difference,
  expectedFleet,
  readTopic,
  startForwarder,
} from '../support/edge-forwarder.ts';
import { startRedis } from '../support/redis-server.ts';
import { seededRandom } from '#wire';

const KILLS = 16;
const RECORDS = 60_000;
const RATE = 10_000;
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
    await createTopic(redis.url, 'telemetry', 3, FleetReading);
    const startMs = Date.now();
    const args = fleetArguments(redis.url, directory, startMs);
    const random = seededRandom(SEED);

    const redisKills = (async () => {
      for (let i = 0; i < 3; i++) {
        await sleep(1_000 + random() * 500);
        await redis.kill9();
        await sleep(150);
        await redis.restart();
      }
    })();
    for (let kill = 0; kill < KILLS; kill++) {
      const forwarder = startForwarder(args);
      await sleep(200 + random() * 300);
      forwarder.child.kill('SIGKILL');
      t.equal(await forwarder.exited, null, `kill ${kill + 1} hit it alive: ${forwarder.err()}`);
    }
    await redisKills;
    const last = startForwarder(args);
    t.equal(await last.exited, 0, last.err());

    const options: FleetOptions = { ...FLEET, startMs };
    const actual = await readTopic(redis.url, 'telemetry', 3, FleetReading);
    t.equal(difference(actual, expectedFleet(options, RECORDS, 3, FleetReading)), null);
    const summary = JSON.parse(last.out()) as { pending: number; lifetime: { accepted: number } };
    t.equal(summary.pending, 0);
    t.equal(summary.lifetime.accepted, RECORDS, 'the counters survived the kills too (OB1)');
    t.ok(
      actual.every((frames) => frames.length > KILLS),
      'the kills fell into the middle of deliveries',
    );
  },
);

function fleetArguments(url: string, directory: string, startMs: number): string[] {
  const where = `--redis ${url} --topic telemetry --producer gw-1 --outbox ${join(directory, 'outbox')} --profile safe`;
  const fleet = `--devices 100 --rate ${RATE} --seed 7 --start ${startMs} --duration ${(RECORDS / RATE) * 1_000}ms`;
  return `${where} fleet ${fleet} --out-of-order 500ms --late-share 0.01 --late 5s --fault-share 0.05`.split(
    ' ',
  );
}
