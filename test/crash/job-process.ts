/**
 * The device telemetry job as a process that can be told to die. Argument: a {@link JobProcessSetup} as JSON. Tells its life as
 * {@link JobReport} lines on stdout; takes traps over the IPC channel; SIGTERM stops the job in good order. Exit code 0 when it stopped
 * so, 3 when the job gave up.
 */
import { randomUUID } from 'node:crypto';
import { writeSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import {
  type JobHandle,
  openRedisCheckpointStore,
  openRedisPartitionLog,
  runJob,
  type Sink,
  systemClock,
  systemRandom,
} from '#engine';
import { postgresTimeSeries } from '#sinks';
import { openDeviceRegistry } from '../../jobs/device-telemetry/device-registry.ts';
import { deviceTelemetry } from '../../jobs/device-telemetry/job.ts';
import { BEFORE_ROWS, type Trap } from './incident.ts';
import { plant, type PlantedBug, withSinks } from './planted-bug.ts';
import { NAMESPACE } from './workload.ts';

export interface JobProcessSetup {
  readonly redisUrl: string;
  readonly postgresUrl: string;
  readonly warehouse: string;
  readonly windowMs: number;
  readonly checkpointIntervalMs: number;
  readonly parallelism: number;
  readonly trap: Trap | null;
}

/** One line of stdout. */
export type JobReport =
  | {
      readonly kind: 'status';
      readonly state: string;
      readonly generation: number;
      readonly checkpoints: number;
      /** Offsets of all partitions together; null before the sources are open. */
      readonly consumed: number | null;
      /** Event time of the windows; null before any. */
      readonly watermark: number | null;
      readonly restarts: number;
      readonly failure: string | null;
    }
  | { readonly kind: 'trapped'; readonly trap: Trap }
  | {
      readonly kind: 'ended';
      readonly state: string;
      /** The last checkpoint of a job that was stopped in good order, else null. */
      readonly checkpoint: number | null;
      readonly code: string | null;
      readonly message: string;
    };

/** The table and the name of the series in PostgreSQL and Redis. */
export const SERIES = 'device_10s';
const REPORT_EVERY_MS = 50;
/** Results of one burst that are worth trapping: a window that closes, not a single late record's. */
const BURST_ROWS_MIN = 10;

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href)
  await main(JSON.parse(process.argv[2] as string) as JobProcessSetup);

async function main(setup: JobProcessSetup): Promise<void> {
  const killPoint = trapped(setup.trap);
  const shared = { url: setup.redisUrl, namespace: NAMESPACE, clock: systemClock } as const;
  const [log, store, registry] = await Promise.all([
    openRedisPartitionLog({ ...shared, durability: 'process' }),
    openRedisCheckpointStore({ ...shared, durability: 'process' }),
    openDeviceRegistry(shared),
  ]);
  const job = deviceTelemetry({
    registry,
    warehouse: setup.warehouse,
    windowSize: setup.windowMs,
    checkpointInterval: setup.checkpointIntervalMs,
    parallelism: setup.parallelism,
    moreSeries: { history: postgresTimeSeries(SERIES, { url: setup.postgresUrl }) },
  });
  const planted = (process.env['MILLRACE_PLANTED_BUG'] ?? null) as PlantedBug | null;
  const graph = withSinks(plant(planted, job.graph(), store), (sink) => announcingRows(sink, killPoint));
  const handle = runJob(graph, {
    namespace: NAMESPACE,
    redisUrl: setup.redisUrl,
    log,
    store,
    clock: systemClock,
    random: systemRandom,
    uuid: () => randomUUID(),
    owner: `crash:${process.pid}`,
    killPoint,
  });
  let stopping: Promise<number | null> = Promise.resolve(null);
  process.once('SIGTERM', () => {
    stopping = handle.stop();
  });
  const reporting = setInterval(() => report(statusOf(handle)), REPORT_EVERY_MS);
  const state = await handle.done;
  clearInterval(reporting);
  report(statusOf(handle));
  const [failure] = handle.status().failures;
  const checkpoint = await stopping;
  report({ kind: 'ended', state, checkpoint, code: failure?.code ?? null, message: failure?.message ?? '' });
  process.exit(state === 'stopped' ? 0 : 3);
}

/** Springs the trap at its point; a trap that comes over IPC replaces the one that was set. */
function trapped(first: Trap | null): (name: string) => void {
  let trap = first;
  let hits = 0;
  process.on('message', (next: Trap) => {
    trap = next;
    hits = 0;
  });
  process.on('disconnect', () => process.exit(1));
  return (name) => {
    if (trap === null || name !== trap.point || ++hits < trap.hit) return;
    const sprung = trap;
    trap = null;
    report({ kind: 'trapped', trap: sprung });
    process.kill(process.pid, sprung.action === 'kill' ? 'SIGKILL' : 'SIGSTOP');
  };
}

/** Series sinks whose writers name a point before each burst, with its rows in hand. */
function announcingRows(sink: Sink<unknown>, killPoint: (name: string) => void): Sink<unknown> {
  if (sink.guarantee !== 'idempotent') return sink;
  return {
    ...sink,
    async openWriter(context) {
      const writer = await sink.openWriter(context);
      return {
        write(input) {
          if (input.kind === 'rows' && input.rows.length >= BURST_ROWS_MIN) killPoint(BEFORE_ROWS);
          return writer.write(input);
        },
        prepareCommit: (checkpoint) => writer.prepareCommit(checkpoint),
        onWatermark: (watermark) => writer.onWatermark?.(watermark),
        stats: () => writer.stats?.() ?? {},
        close: () => writer.close(),
      };
    },
  };
}

function statusOf(handle: JobHandle): JobReport {
  const status = handle.status();
  const [failure] = status.failures;
  return {
    kind: 'status',
    state: status.state,
    generation: status.generation,
    checkpoints: status.checkpoints.completed,
    consumed:
      status.sources.length === 0 ? null : status.sources.reduce((sum, { offset }) => sum + offset, 0),
    watermark: status.operators.find(({ id }) => id === 'per-device')?.watermark ?? null,
    restarts: status.restarts,
    failure: failure === undefined ? null : `${failure.code}: ${failure.message}`,
  };
}

/** Written at once: a process that is about to be killed has no later. */
function report(line: JobReport): void {
  writeSync(1, `${JSON.stringify(line)}\n`);
}
