import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { createFleet, type FleetOptions, type FleetReading } from '../../edge-forwarder/fleet.ts';
import { systemClock } from '../../engine/base/clock.ts';
import { openRedisPartitionLog } from '../../engine/log/redis-partition-log.ts';
import { partitionKeys } from '../../engine/redis/keys.ts';
import {
  decodeFrame,
  type Envelope,
  keyPartitioner,
  type PartitionedBy,
  PARTITIONER_KEY_GROUPS,
  rowReader,
  type Schema,
} from '#wire';

const MAIN = fileURLToPath(new URL('../../edge-forwarder/main.ts', import.meta.url));

export async function createTopic(
  url: string,
  topic: string,
  partitions: number,
  schema: Schema,
  quotaBytes?: number,
  partitionedBy?: PartitionedBy,
): Promise<void> {
  const log = await openRedisPartitionLog({
    url,
    namespace: 'default',
    durability: 'process',
    clock: systemClock,
  });
  await log.createTopic(topic, {
    partitions,
    schema,
    ...(quotaBytes === undefined ? {} : { quotaBytes }),
    ...(partitionedBy === undefined ? {} : { partitionedBy }),
  });
  await log.close();
}

export interface LoggedFrame<Row> {
  readonly envelope: Envelope;
  readonly rows: readonly Row[];
}

/** Everything in a topic, by partition and in order, read straight from the streams. Every frame is checked. */
export async function readTopic<Row>(
  url: string,
  topic: string,
  partitions: number,
  schema: Schema<Row>,
): Promise<LoggedFrame<Row>[][]> {
  const redis = new Redis(url, { protocol: 2 });
  const read = rowReader(schema);
  const all: LoggedFrame<Row>[][] = [];
  for (let p = 0; p < partitions; p++) {
    const entries = await redis.xrangeBuffer(partitionKeys('default', topic, p).stream, '-', '+');
    all.push(
      entries.map(([, fields]) => {
        const { envelope, batch } = decodeFrame(new Uint8Array(fields[1] as Buffer), () => schema);
        return {
          envelope,
          rows: Array.from({ length: batch.count }, (_, i) => read(batch as Parameters<typeof read>[0], i)),
        };
      }),
    );
  }
  redis.disconnect();
  return all;
}

/** What a fleet of `records` must leave in each partition, in order. */
export function expectedFleet(
  options: FleetOptions,
  records: number,
  partitions: number,
  schema: Schema<FleetReading>,
): FleetReading[][] {
  const fleet = createFleet(options);
  const partitionOf = keyPartitioner(schema, ['tenant', 'deviceId'], partitions, PARTITIONER_KEY_GROUPS);
  const all: FleetReading[][] = Array.from({ length: partitions }, () => []);
  for (let i = 0; i < records; i++) {
    const reading = fleet.readingAt(i);
    all[partitionOf(reading)]?.push({ ...reading });
  }
  return all;
}

/** Null when the partitions hold exactly the expected rows in order, else the first difference. */
export function difference<Row>(
  actual: readonly (readonly LoggedFrame<Row>[])[],
  expected: readonly (readonly Row[])[],
): string | null {
  for (const [p, rows] of expected.entries()) {
    const found = (actual[p] ?? []).flatMap((frame) => frame.rows);
    for (let i = 0; i < Math.max(rows.length, found.length); i++) {
      const [a, e] = [JSON.stringify(found[i]), JSON.stringify(rows[i])];
      if (a !== e)
        return `partition ${p}, record ${i} of ${rows.length} (log has ${found.length}): ${a} instead of ${e}`;
    }
  }
  return null;
}

export interface EdgeProcess {
  readonly child: ChildProcess;
  readonly out: () => string;
  readonly err: () => string;
  /** Exit code, or null when it was killed. */
  readonly exited: Promise<number | null>;
}

/** Starts the program; it dies with the test. */
export function startForwarder(args: readonly string[]): EdgeProcess {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  child.stdin.on('error', () => undefined);
  const endWithTest = () => child.kill('SIGKILL');
  process.once('exit', endWithTest);
  const exited = once(child, 'close').then(([code]) => {
    process.off('exit', endWithTest);
    return code as number | null;
  });
  return { child, out: () => out, err: () => err, exited };
}
