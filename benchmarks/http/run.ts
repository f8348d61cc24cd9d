import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openRedisPartitionLog, RedisConnection, systemClock } from '#engine';
import { partitionKeys, readEnvelope } from '#wire';
import { createFleet, FleetReading } from '../../edge-forwarder/fleet.ts';
import { type BenchRedis, startBenchRedis } from '../bench-redis.ts';
import { median } from '../median.ts';
import { machineText } from '../versus/finish-report.ts';
import { CONNECTIONS, load, type LoadResult } from './autocannon.ts';
import { type ServerProcess, startServer } from './look.ts';
import { NAMESPACE, PARTITIONED_BY, PARTITIONS, TOPIC } from './topic.ts';

export interface HttpOptions {
  /** Of each measurement. */
  readonly seconds: number;
  readonly runs: number;
  /** Default: all. */
  readonly workloads?: readonly string[];
  /** File for all runs. */
  readonly json?: string;
  /** Default: standard output. */
  readonly print?: (line: string) => void;
}

export interface HttpOutcome extends LoadResult {
  readonly workload: string;
  /** Of the server while it was asked and until it was done, and of Redis. */
  readonly cpuMs: number;
  readonly redisCpuMs: number;
  /** Rows that the server took; null where requests carry none. */
  readonly rows: number | null;
}

export const HTTP_HELP = `  http                  the forwarder's way from JSON lines in requests to Redis, and the admin API, asked by autocannon
    --seconds <n>       of each measurement, default 10, at most 600; ${CONNECTIONS} connections on loopback
    --runs <n>          default 3
`;

const SECONDS_MAX = 600;
const WARM_UP_SECONDS_MAX = 2;
const FLEET = {
  seed: 1,
  devices: 1_000,
  tenants: 4,
  sitesPerTenant: 5,
  rate: 1_000,
  startMs: 1_700_000_000_000,
  outOfOrderMs: 1_000,
  lateShare: 0,
  lateMs: 0,
  faultShare: 0,
} as const;

/** A server, what it is asked, and rows in a request. */
interface Workload {
  readonly server: 'ingest-process.ts' | 'admin-process.ts';
  readonly path: string;
  readonly rows: number | null;
}

const WORKLOADS: Readonly<Record<string, Workload>> = {
  'ingest, 1 row': { server: 'ingest-process.ts', path: '/', rows: 1 },
  'ingest, 100 rows': { server: 'ingest-process.ts', path: '/', rows: 100 },
  'GET /api/v1/jobs': { server: 'admin-process.ts', path: '/api/v1/jobs', rows: null },
  'GET /api/v1/jobs/:name': { server: 'admin-process.ts', path: '/api/v1/jobs/device-telemetry', rows: null },
};

/** Asks every server in turn, round after round, each in a process and on a Redis of its own. @throws when a request is not answered with 2xx, or rows are not where they should be */
export async function runHttp(options: HttpOptions): Promise<readonly HttpOutcome[]> {
  const { seconds, runs, workloads = Object.keys(WORKLOADS), json } = options;
  if (seconds > SECONDS_MAX) throw new Error(`A measurement lasts ${SECONDS_MAX} s at most.`);
  const print = options.print ?? ((line: string) => process.stdout.write(`${line}\n`));
  print(`HTTP: ${CONNECTIONS} connections for ${seconds} s each. Node ${process.version}, ${machineText()}`);
  print(
    'ingest: the forwarder with its defaults, outbox and delivery, behind an HTTP server of the bench (it has no such input); 202 = taken, not yet stored',
  );
  print('admin API: the device telemetry job without input; its bound on requests is lifted');
  const outcomes: HttpOutcome[] = [];
  for (let round = 1; round <= runs; round++) {
    for (const name of workloads) {
      const workload = WORKLOADS[name];
      if (workload === undefined) throw new Error(`There is no workload '${name}'.`);
      const outcome = {
        ...(await withRedis((redis, dir) => ask(workload, seconds, redis, dir))),
        workload: name,
      };
      outcomes.push(outcome);
      print(`round ${round}  ${name}: ${(outcome.requests / outcome.seconds).toFixed(0)} requests/s`);
    }
  }
  for (const line of httpTable(outcomes)) print(line);
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(outcomes, null, 2)}\n`);
  return outcomes;
}

async function ask(
  { server: file, path, rows }: Workload,
  seconds: number,
  redis: BenchRedis,
  dir: string,
): Promise<Omit<HttpOutcome, 'workload'>> {
  if (rows !== null) await createTopic(redis.url);
  const server = await startServer(file, { url: redis.url, dir });
  try {
    const url = `http://127.0.0.1:${server.port}${path}`;
    const request = rows === null ? { url } : { url, body: bodyFile(dir, rows) };
    await load(request, Math.min(seconds, WARM_UP_SECONDS_MAX));
    const [before, redisBefore] = [await server.look(), redis.cpuMs()];
    const result = await load(request, seconds);
    const [after, redisAfter] = [await server.look(), redis.cpuMs()];
    if (result.requests === 0) throw new Error(`${url} gave no answer in ${seconds} s.`);
    const taken = after.accepted - before.accepted;
    if (rows !== null) await checkRows(server, redis.url, result.requests * rows, taken, rows);
    const cpu = { cpuMs: after.cpuMs - before.cpuMs, redisCpuMs: redisAfter - redisBefore };
    return { ...result, ...cpu, rows: rows === null ? null : taken };
  } finally {
    await server.stop();
  }
}

/** What was answered was taken, and what was taken is in Redis, once. The last requests may have been taken without their answers being waited for. */
async function checkRows(
  server: ServerProcess,
  url: string,
  answered: number,
  taken: number,
  rows: number,
): Promise<void> {
  const { accepted, rejected } = await server.look();
  const stored = await storedRows(url);
  if (stored !== accepted) throw new Error(`${accepted} rows were accepted, ${stored} are in Redis.`);
  if (rejected > 0 || taken < answered || taken > answered + CONNECTIONS * rows)
    throw new Error(`${answered} rows were answered with 2xx, ${taken} accepted, ${rejected} rejected.`);
}

/** Rows in all frames of the topic. */
async function storedRows(url: string): Promise<number> {
  const link = await RedisConnection.open({ url, name: 'bench', clock: systemClock });
  let rows = 0;
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const { stream } = partitionKeys(NAMESPACE, TOPIC, partition);
    for (let from = '-'; ; ) {
      const page = (await link.callBuffer('XRANGE', stream, from, '+', 'COUNT', 200)) as readonly Entry[];
      for (const [, fields] of page) rows += readEnvelope(new Uint8Array(fields[1])).records;
      const last = page.at(-1)?.[0];
      if (last === undefined) break;
      from = `(${last.toString()}`;
    }
  }
  link.close();
  return rows;
}

type Entry = readonly [id: Buffer, fields: readonly [name: Buffer, frame: Buffer]];

async function createTopic(url: string): Promise<void> {
  const log = await openRedisPartitionLog({
    url,
    namespace: NAMESPACE,
    clock: systemClock,
    durability: 'process',
  });
  await log.createTopic(TOPIC, {
    partitions: PARTITIONS,
    schema: FleetReading,
    partitionedBy: PARTITIONED_BY,
    quotaBytes: 8 * 1024 ** 3,
  });
  await log.close();
}

/** Readings of the simulated fleet as JSON lines. */
function bodyFile(dir: string, rows: number): string {
  const fleet = createFleet(FLEET);
  const path = join(dir, 'body.ndjson');
  const lines = Array.from({ length: rows }, (_, i) => `${JSON.stringify(fleet.readingAt(i))}\n`);
  writeFileSync(path, lines.join(''));
  return path;
}

async function withRedis<T>(work: (redis: BenchRedis, dir: string) => Promise<T>): Promise<T> {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-http-'));
  const redis = await startBenchRedis(dir);
  try {
    return await work(redis, dir);
  } finally {
    await redis.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Medians of all runs. */
export function httpTable(outcomes: readonly HttpOutcome[]): readonly string[] {
  const rows = [...Map.groupBy(outcomes, ({ workload }) => workload)].map(([workload, runs]) => {
    const middle = (of: (run: HttpOutcome) => number) => median(runs.map(of));
    const ofRows = (of: (run: HttpOutcome, rows: number) => number) =>
      runs[0]?.rows === null ? null : middle((run) => of(run, run.rows as number));
    const cells = [
      workload,
      middle((run) => run.requests / run.seconds).toFixed(0),
      ofRows((run, rows) => rows / run.seconds)?.toFixed(0),
      middle((run) => run.p50Ms),
      middle((run) => run.p99Ms),
      // Milliseconds of one are seconds of a thousand.
      middle((run) => (run.cpuMs * 1_000) / run.requests).toFixed(1),
      ofRows((run, rows) => (run.cpuMs * 1_000) / rows)?.toFixed(1),
      ofRows((run, rows) => (run.redisCpuMs * 1_000) / rows)?.toFixed(1),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return [
    '',
    '| workload | requests/s | rows/s | p50, whole ms | p99 | server CPU s per million requests | … per million rows | Redis CPU s per million rows |',
    '|---|---|---|---|---|---|---|---|',
    ...rows,
  ];
}
