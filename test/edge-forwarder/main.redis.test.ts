import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { ForwarderStats } from '../../edge-forwarder/forwarder.ts';
import { Reading } from '../../jobs/device-telemetry/reading.ts';
import { createTopic, readTopic, startForwarder } from '../support/edge-forwarder.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';

const SCHEMA = `${fileURLToPath(new URL('../../jobs/device-telemetry/reading.ts', import.meta.url))}#Reading`;
const FIRMWARE = '1.0';

interface Rig {
  readonly redis: RedisServer;
  readonly directory: string;
  readonly args: (...more: string[]) => string[];
}

async function rig(t: Pick<typeof import('tap').default, 'teardown'>): Promise<Rig> {
  const directory = mkdtempSync(join(tmpdir(), 'mr-edge-cli-'));
  const redis = await startRedis();
  t.teardown(async () => {
    await redis.stop();
    rmSync(directory, { recursive: true, force: true });
  });
  await createTopic(redis.url, 'telemetry', 2, Reading);
  const args = (...more: string[]) => [
    '--redis',
    redis.url,
    '--topic',
    'telemetry',
    '--producer',
    'gw-1',
    '--outbox',
    directory,
    ...more,
  ];
  return { redis, directory, args };
}

/** Line `n`: its number is its event time. */
function line(n: number): string {
  const numbers = { temperature: 20 + (n % 50) / 10, vibration: null, rpm: 1_500 + (n % 7), voltage: 230.1 };
  return JSON.stringify({
    ts: n,
    tenant: 'a',
    deviceId: `d${n % 20}`,
    site: 's',
    ...numbers,
    status: 'ok',
    firmware: FIRMWARE,
  });
}

async function times(redis: RedisServer): Promise<number[]> {
  const frames = await readTopic(redis.url, 'telemetry', 2, Reading);
  for (const partition of frames) {
    const found = partition.flatMap((frame) => frame.rows.map((row) => row.ts));
    if (found.some((ts, i) => i > 0 && ts <= (found[i - 1] as number)))
      throw new Error('out of order within a partition');
  }
  return frames
    .flat()
    .flatMap((frame) => frame.rows.map((row) => row.ts))
    .sort((a, b) => a - b);
}

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

await t.test(
  'JSON lines on stdin end up in the log once, bad ones in the rejects file, with a summary (S5.5, S5.6)',
  async (t) => {
    const { redis, directory, args } = await rig(t);
    const edge = startForwarder(args('--schema', SCHEMA, '--key', 'tenant,deviceId', 'stdin'));
    const lines = numbers(1, 3_001).flatMap((n) =>
      n % 1_000 === 0 ? [line(n), '{"ts":"never"}', 'nonsense'] : [line(n)],
    );
    const text = `${lines.join('\n')}\n`;
    edge.child.stdin?.end(text);
    t.equal(await edge.exited, 0, edge.err());
    const stats = JSON.parse(edge.out()) as ForwarderStats;
    t.match(stats, {
      accepted: 3_000,
      rejected: 6,
      delivered: 3_000,
      pending: 0,
      duplicates: 0,
      droppedDeclared: 0,
    });
    t.ok(
      stats.bytesPerRecord < (text.length / 3_000) * 0.3,
      `${stats.bytesPerRecord} of ${text.length / 3_000} bytes per record`,
    );
    t.same(await times(redis), numbers(1, 3_001));
    const rejects = readFileSync(join(directory, 'rejects.jsonl'), 'utf8').trim().split('\n');
    t.equal(rejects.length, 6);
    t.match(JSON.parse(rejects[1] as string), { position: 1_001, text: 'nonsense', reason: /not JSON/ });
  },
);

await t.test('a tail shorter than a frame is delivered without waiting for more (IN2)', async (t) => {
  const { redis, args } = await rig(t);
  const edge = startForwarder(args('--schema', SCHEMA, '--key', 'deviceId', 'stdin'));
  edge.child.stdin?.write(`${line(1)}\n${line(2)}\n`);
  const deadline = performance.now() + 8_000;
  while ((await times(redis)).length < 2 && performance.now() < deadline) await sleep(50);
  t.same(await times(redis), [1, 2], 'while stdin is still open');
  edge.child.stdin?.end();
  t.equal(await edge.exited, 0, edge.err());
});

await t.test('the same file fed again after kill -9 leaves every line once (FW1)', async (t) => {
  const { redis, args } = await rig(t);
  const text = `${numbers(1, 20_001).map(line).join('\n')}\n`;
  const resumed = args(
    '--schema',
    SCHEMA,
    '--key',
    'deviceId',
    '--profile',
    'safe',
    '--frame-records',
    '100',
    'stdin',
    '--resume',
  );
  for (let kill = 0; kill < 4; kill++) {
    const edge = startForwarder(resumed);
    edge.child.stdin?.write(text.slice(0, Math.floor((text.length * (kill + 1)) / 5)));
    await sleep(350 + kill * 60);
    edge.child.kill('SIGKILL');
    await edge.exited;
  }
  const last = startForwarder(resumed);
  last.child.stdin?.end(text);
  t.equal(await last.exited, 0, last.err());
  t.same(await times(redis), numbers(1, 20_001));
});

await t.test(
  'SIGTERM stores what was accepted and ends within two seconds, without Redis too (FW2)',
  async (t) => {
    const { redis, args } = await rig(t);
    await redis.kill9();
    const edge = startForwarder(
      args(
        '--partitions',
        '2',
        'fleet',
        '--progress',
        '--devices',
        '20',
        '--rate',
        '500',
        '--profile',
        'flash',
        '--duration',
        '60s',
      ),
    );
    while (!/[1-9]\d* waiting,/.test(edge.err())) await sleep(20);
    const asked = performance.now();
    edge.child.kill('SIGTERM');
    t.equal(await edge.exited, 0, edge.err());
    t.ok(performance.now() - asked < 2_000);
    const stats = JSON.parse(edge.out()) as ForwarderStats;
    t.ok(stats.accepted > 0);
    t.match(stats, { pending: stats.accepted, delivered: 0, lifetime: { accepted: stats.accepted } });
  },
);

await t.test('wrong settings end it at once with a message and exit code 2', async (t) => {
  const edge = startForwarder(['--schema', './no-such-file.ts#X', 'stdin']);
  t.equal(await edge.exited, 2);
  t.match(edge.err(), /MR_SCHEMA_INVALID/);
});
