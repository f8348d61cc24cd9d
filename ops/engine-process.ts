import { parseArgs } from 'node:util';
import { errorCode, errorText, hasCode, MillraceError, systemClock } from '#engine';
import { DEMO_FLEET, demoDevices } from '../jobs/device-telemetry/demo-devices.ts';
import { openDeviceRegistry } from '../jobs/device-telemetry/device-registry.ts';
import { type RunningJob, start } from '../jobs/device-telemetry/run.ts';
import { openHeldForwarders } from './held-forwarders.ts';
import { createAdminServer } from './server/admin-server.ts';
import { listenOnLoopback } from './server/listen.ts';
import type { EngineMessage, EngineProgress } from './supervisor/engine-message.ts';
import { EXIT_NO_RESTART } from './supervisor/restart-decision.ts';
import { type JobFigures, jobFigures } from './telemetry/job-figures.ts';
import { startTelemetry } from './telemetry/telemetry.ts';

const HELP = `Usage: REDIS_URL=… node ops/engine-process.ts --data <dir> [--port <n>] [--port-fixed] [--demo-devices]

Runs the device telemetry job with its admin API on 127.0.0.1. SIGTERM stops it with a last checkpoint.
`;
const PROGRESS_MS = 1_000;

interface EngineSettings {
  readonly redisUrl: string;
  readonly dataDir: string;
  readonly port: number;
  readonly portFixed: boolean;
  readonly demoDevices: boolean;
}

/** The engine's process: coordinator, tasks, admin API and metrics of one job. Resolves with the exit code when it was told to stop. */
async function main(settings: EngineSettings): Promise<number> {
  const stop = stopRequested();
  if (settings.demoDevices) await registerDemoDevices(settings.redisUrl);
  const job = await start({ redisUrl: settings.redisUrl, dataDir: settings.dataDir, variables: process.env });
  const telemetry = startTelemetry(() => [job.handle], systemClock);
  const forwarders = await openHeldForwarders({
    url: settings.redisUrl,
    namespace: process.env['MILLRACE_NAMESPACE'] ?? 'default',
    clock: systemClock,
  });
  const { server } = await createAdminServer({
    jobs: () => [job.handle],
    series: () => job.series,
    lake: job.lake,
    forwarders: forwarders.read,
    metricsText: telemetry.metricsText,
  });
  tell({ kind: 'ready', port: await listenOnLoopback(server, settings.port, settings.portFixed) });
  const endProgress = reportProgress(job);
  await stop;
  await job.handle.stop();
  endProgress();
  await server.close();
  await telemetry.stop();
  await forwarders.close();
  await job.close();
  return 0;
}

/** A signal, or the end of the channel: whoever started us is gone. A job that ended by itself is left to be looked at. */
function stopRequested(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
    process.once('disconnect', () => resolve());
  });
}

async function registerDemoDevices(redisUrl: string): Promise<void> {
  const namespace = process.env['MILLRACE_NAMESPACE'] ?? 'default';
  const registry = await openDeviceRegistry({ url: redisUrl, namespace, clock: systemClock });
  await registry.register(demoDevices(DEMO_FLEET));
  registry.close();
}

function reportProgress(job: RunningJob): () => void {
  let cancel = () => {};
  let ended = false;
  let earlier: JobFigures | null = null;
  const report = async () => {
    const progress = await progressOf(job, earlier);
    if (ended) return;
    earlier = progress.figures;
    tell({ kind: 'progress', progress });
    cancel = systemClock.after(PROGRESS_MS, () => void report());
  };
  void report();
  return () => {
    ended = true;
    cancel();
  };
}

async function progressOf(job: RunningJob, earlier: JobFigures | null): Promise<EngineProgress> {
  const lake = await job.lake().catch(() => null);
  const now = systemClock.now();
  const status = job.handle.status();
  const newest = status.checkpoints.history.find(({ outcome }) => outcome === 'completed');
  return {
    job: status.name,
    state: status.state,
    figures: jobFigures(status, now, earlier),
    checkpointAgeMs: newest === undefined ? null : Math.max(0, now - newest.triggeredAt - newest.durationMs),
    lakeRows: lake?.rows ?? null,
    failure: status.state === 'running' ? null : (status.failures[0]?.message ?? null),
  };
}

function tell(message: EngineMessage): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}

/** @throws MR_CONFIG_INVALID */
function readSettings(): EngineSettings {
  const { values } = parseArgs({
    options: {
      data: { type: 'string' },
      port: { type: 'string', default: '8090' },
      'port-fixed': { type: 'boolean', default: false },
      'demo-devices': { type: 'boolean', default: false },
    },
  });
  const { data = '' } = values;
  const redisUrl = process.env['REDIS_URL'] ?? '';
  if (data === '' || redisUrl === '' || !/^\d{1,5}$/.test(values.port)) {
    throw new MillraceError(
      'MR_CONFIG_INVALID',
      `REDIS_URL, --data and a whole number for --port are needed.\n${HELP}`,
    );
  }
  return {
    redisUrl,
    dataDir: data,
    port: Number(values.port),
    portFixed: values['port-fixed'],
    demoDevices: values['demo-devices'],
  };
}

try {
  process.exit(await main(readSettings()));
} catch (error) {
  const known = errorCode(error) !== null && !hasCode(error, 'MR_INVARIANT');
  process.stderr.write(`${known ? errorText(error) : String((error as Error).stack)}\n`);
  process.exit(
    hasCode(error, 'MR_OPS_START', 'MR_CONFIG_INVALID', 'MR_REDIS_UNSUPPORTED') ? EXIT_NO_RESTART : 1,
  );
}
