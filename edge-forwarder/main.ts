import { writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import {
  type Clock,
  errorText,
  hasCode,
  MillraceError,
  PARTITIONER_KEY_GROUPS,
  type Schema,
  systemClock,
  systemRandom,
} from '#wire';
import { FleetReading } from './fleet.ts';
import { fleetInput, fleetStartMs } from './fleet-input.ts';
import { Forwarder, type ForwarderOptions, type ForwarderStats } from './forwarder.ts';
import type { Input } from './input.ts';
import { loadSchema } from './load-schema.ts';
import { OUTBOX_BYTES_MIN } from './outbox.ts';
import { metricsText, writeMetrics } from './metrics-file.ts';
import { HELP, parseSettings, type Settings } from './settings.ts';
import { stdinInput } from './stdin-input.ts';

const GIB = 1024 ** 3;
const PROGRESS_MS = 1_000;
/** A graceful stop that takes longer is cut off; the outbox is safe either way. */
const STOP_MS = 2_000;

/** The program: runs until its input ends or a signal comes. Returns the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    const settings = parseSettings(args);
    if (settings.flag('help') || settings.input === null) {
      process.stdout.write(HELP);
      return settings.flag('help') ? 0 : 2;
    }
    return settings.input === 'fleet' ? await runFleet(settings) : await runStdin(settings);
  } catch (error) {
    say(
      hasCode(error, 'MR_INVARIANT') || !(error instanceof MillraceError)
        ? String((error as Error).stack)
        : `${error.code}: ${error.message}`,
    );
    return hasCode(error, 'MR_CONFIG_INVALID', 'MR_SCHEMA_INVALID') ? 2 : 1;
  }
}

async function runFleet(settings: Settings): Promise<number> {
  const forwarder = new Forwarder(forwarderOptions(settings, FleetReading, ['tenant', 'deviceId']));
  return await run(forwarder, () => fleet(settings, systemClock, forwarder), settings);
}

async function runStdin(settings: Settings): Promise<number> {
  const schema = await loadSchema(settings.required('schema'));
  const forwarder = new Forwarder(forwarderOptions(settings, schema, []));
  const lineBytesMax = settings.number('line-bytes', 262_144, 64, 1_048_576);
  const input = () =>
    stdinInput({ stream: process.stdin, schema, lineBytesMax, resume: settings.flag('resume') });
  return await run(forwarder, input, settings);
}

function fleet(settings: Settings, clock: Clock, forwarder: Forwarder<FleetReading>): Input<FleetReading> {
  const { number, duration } = settings;
  const stored = forwarder.outbox.input('fleet');
  const rate = number('rate', 1_000, 1, 100_000_000);
  const startMs = stored === null ? clock.now() : (fleetStartMs(stored.origin) ?? clock.now());
  const options = {
    seed: number('seed', 1, 0, 0xffff_ffff),
    devices: number('devices', 1_000, 1, 10_000_000),
    tenants: number('tenants', 4, 1, 100_000),
    sitesPerTenant: number('sites', 5, 1, 100_000),
    rate,
    startMs: number('start', startMs, 0, 8.64e15),
    outOfOrderMs: duration('out-of-order', '1s'),
    lateShare: number('late-share', 0, 0, 1),
    ...(settings.text('late-from') === undefined ? {} : { lateFromMs: duration('late-from', 0) }),
    lateMs: duration('late', '60s'),
    faultShare: number('fault-share', 0.02, 0, 1),
    pace: settings.choice('pace', ['realtime', 'asFastAsPossible']),
    clock,
  };
  if (settings.text('duration') === undefined) return fleetInput(options);
  return fleetInput({ ...options, recordsMax: Math.round((rate * duration('duration', 0)) / 1_000) });
}

function forwarderOptions<Row>(
  settings: Settings,
  schema: Schema<Row>,
  keyDefault: readonly string[],
): ForwarderOptions<Row> {
  const { number, duration, choice, text, required } = settings;
  const bytesMax = number('outbox-bytes', GIB, OUTBOX_BYTES_MIN, 2 ** 43);
  const partitions =
    text('partitions') === undefined ? {} : { partitions: number('partitions', 1, 1, 1_024) };
  const watermark =
    text('watermark') === undefined ? {} : { watermark: { outOfOrdernessMs: duration('watermark', 0) } };
  return {
    redisUrl: required('redis'),
    namespace: text('namespace') ?? 'default',
    topic: required('topic'),
    producer: required('producer'),
    schema,
    key: {
      fields: (text('key') ?? (keyDefault.length > 0 ? keyDefault.join(',') : required('key'))).split(','),
      keyGroups: number('key-groups', PARTITIONER_KEY_GROUPS, 1, 32_768),
    },
    ...partitions,
    outbox: {
      directory: text('outbox') ?? './.millrace/edge',
      bytesMax,
      whenFull: choice('when-full', ['block', 'drop-oldest']),
      graceMs: duration('grace', '5m'),
      graceBytesMax: number('grace-bytes', Math.floor(bytesMax / 4), 0, bytesMax),
    },
    profile: choice('profile', ['balanced', 'safe', 'flash']),
    frameRecords: number('frame-records', 1_000, 1, 65_536),
    frameBytes: number('frame-bytes', 65_536, 1_024, 1_048_576),
    compression: choice('compression', ['zstd', 'none']),
    ...watermark,
    rejectsBytesMax: number('rejects-bytes', 16 * 1_048_576, 0, 2 ** 40),
    clock: systemClock,
    random: systemRandom,
    onAlarm: (alarm) => say(`alarm: ${alarm}`),
  };
}

async function run<Row>(
  forwarder: Forwarder<Row>,
  input: () => Input<Row>,
  settings: Settings,
): Promise<number> {
  const stop = new AbortController();
  const onSignal = () => {
    stop.abort();
    systemClock.after(STOP_MS, () => process.exit(1));
  };
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  const show = settings.flag('progress') || process.stderr.isTTY;
  const endProgress = show ? progress(forwarder) : () => undefined;
  const endMetrics = exportMetrics(forwarder, settings);
  const started = systemClock.monotonic();
  try {
    await forwarder.run(input(), stop.signal, !settings.flag('no-wait'));
    return 0;
  } finally {
    endProgress();
    endMetrics();
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    summarise(forwarder.stats, systemClock.monotonic() - started, settings.text('stats-file'));
  }
}

function summarise(stats: ForwarderStats, elapsedMs: number, file: string | undefined): void {
  const text = `${JSON.stringify({ ...stats, elapsedMs: Math.round(elapsedMs) })}\n`;
  if (file === undefined) process.stdout.write(text);
  else writeFileSync(file, text);
}

/** Writes the metrics' file once a second, and a last time when it is ended. */
function exportMetrics<Row>(forwarder: Forwarder<Row>, settings: Settings): () => void {
  const file = settings.text('metrics-file');
  if (file === undefined) return () => undefined;
  const [topic, producer] = [settings.required('topic'), settings.required('producer')];
  let failed = false;
  const write = () => {
    try {
      writeMetrics(file, metricsText(forwarder.stats, topic, producer));
      failed = false;
    } catch (error) {
      if (!failed) say(`alarm: metrics cannot be written: ${errorText(error)}`);
      failed = true;
    }
  };
  let cancel = () => {};
  const again = () => {
    write();
    cancel = systemClock.after(PROGRESS_MS, again);
  };
  again();
  return () => {
    cancel();
    write();
  };
}

function progress<Row>(forwarder: Forwarder<Row>): () => void {
  let cancel = () => {};
  let before = forwarder.stats;
  const again = () => {
    cancel = systemClock.after(PROGRESS_MS, () => {
      const now = forwarder.stats;
      const waiting = now.oldestPendingMs === null ? '' : ` for ${Math.round(now.oldestPendingMs / 1_000)} s`;
      say(
        `${now.accepted - before.accepted}/s in, ${now.delivered - before.delivered}/s out, ${now.pending} waiting${waiting}, ` +
          `${now.rejected} rejected, ${now.droppedDeclared} dropped, ${now.bytesPerRecord.toFixed(1)} B/record, ${now.state}`,
      );
      before = now;
      again();
    });
  };
  again();
  return () => cancel();
}

function say(text: string): void {
  process.stderr.write(`edge-forwarder: ${text}\n`);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
    say(errorText(error));
    return 1;
  });
}
