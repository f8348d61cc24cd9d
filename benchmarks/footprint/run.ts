import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { startBenchRedis } from '../bench-redis.ts';
import { edgeFrames, type EventBytes, measureEventBytes } from './event-bytes.ts';
import { type Form, FORMS } from './forms.ts';
import { type IdleOutcome, measureIdle } from './idle.ts';
import { measureStartUp, type StartUpOutcome } from './start-up.ts';

export interface FootprintOptions {
  /** Starts of each form with each cache. Default 7. */
  readonly runs?: number;
  /** Default 30. */
  readonly idleSeconds?: number;
  /** Default 1,000,000. */
  readonly events?: number;
  /** Of running a job. Default: all. */
  readonly forms?: readonly Form['id'][];
  readonly json?: string;
  /** Default: standard output. */
  readonly print?: (line: string) => void;
}

export interface FootprintOutcome {
  readonly startUp: readonly StartUpOutcome[];
  readonly idle: readonly IdleOutcome[];
  readonly bytes: EventBytes;
}

export const FOOTPRINT_HELP = `  footprint             what a job costs before it does anything: time to its first output, memory when idle, bytes per event
    --runs <n>          starts of each kind, default 7
    --events <n>        default 1000000
`;

/** Bytes per event of T1. */
const GOALS = { frame: 12, redis: 30, lake: 25 } as const;
/** Frames of a thousand records in the topic that a starting job finds. */
const START_FRAMES = 10;

/** Measures one after another, each on a Redis of its own. */
export async function runFootprint(options: FootprintOptions = {}): Promise<FootprintOutcome> {
  const { runs = 7, idleSeconds = 30, events = 1_000_000, json } = options;
  const forms = FORMS.filter(({ id }) => options.forms?.includes(id) ?? true);
  const print = options.print ?? ((line: string) => process.stdout.write(`${line}\n`));
  print(
    `Node ${process.version}, ${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, load ${loadavg()[0]?.toFixed(2)}`,
  );
  const startUp = await withRedis((place) =>
    measureStartUp({ ...place, forms, runs, frames: edgeFrames(START_FRAMES * 1_000, place.dir) }),
  );
  for (const line of startUpText(startUp, runs)) print(line);
  const idle = await withRedis((place) => measureIdle({ ...place, forms, idleSeconds }));
  for (const line of idleText(idle, idleSeconds)) print(line);
  const bytes = await withRedis((place) => measureEventBytes({ ...place, events }));
  for (const line of bytesText(bytes)) print(line);
  const outcome = { startUp, idle, bytes };
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(outcome, null, 2)}\n`);
  return outcome;
}

async function withRedis<T>(
  measure: (place: { readonly url: string; readonly dir: string }) => Promise<T>,
): Promise<T> {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-footprint-'));
  const redis = await startBenchRedis(dir);
  try {
    return await measure({ url: redis.url, dir });
  } finally {
    await redis.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

function startUpText(outcomes: readonly StartUpOutcome[], runs: number): string[] {
  return [
    '',
    `From spawn to the first output record in the log, ms, median of ${runs} (minimum – maximum); the topic is filled, checkpoints every ${outcomes[0]?.checkpointIntervalMs} ms:`,
    '| form | compile cache | ms | CPU ms |',
    '|---|---|---|---|',
    ...outcomes.map(
      ({ form, compileCache, medianMs, runsMs, medianCpuMs }) =>
        `| ${form} | ${compileCache} | ${medianMs.toFixed(0)} (${Math.min(...runsMs).toFixed(0)} – ${Math.max(...runsMs).toFixed(0)}) | ${medianCpuMs} |`,
    ),
  ];
}

function idleText(outcomes: readonly IdleOutcome[], idleSeconds: number): string[] {
  return [
    '',
    `Resident memory after ${idleSeconds} s without input, MiB:`,
    '| form | with an idle job | bare Node | beyond it | threads (bare) | CPU |',
    '|---|---|---|---|---|---|',
    ...outcomes.map(
      ({ form, rssMiB, bareRssMiB, beyondBareMiB, threads, bareThreads, cpuShare }) =>
        `| ${form} | ${rssMiB.toFixed(1)} | ${bareRssMiB.toFixed(1)} | ${beyondBareMiB.toFixed(1)} | ${threads} (${bareThreads}) | ${(cpuShare * 100).toFixed(1)} % |`,
    ),
  ];
}

function bytesText({ events, frame, redis, lake }: EventBytes): string[] {
  const verdict = (bytes: number, goal: number) =>
    `${bytes.toFixed(2)}, goal ≤ ${goal}: ${bytes <= goal ? 'met' : 'missed'}`;
  return [
    '',
    `Bytes per event of T1, ${events} events:`,
    `edge frame of ${frame.recordsPerFrame.toFixed(0)} records   ${verdict(frame.perEvent, GOALS.frame)}; ${frame.bodyPerEvent.toFixed(2)} before compression, envelope ${frame.envelopePerEvent.toFixed(2)}`,
    ...frame.columns.map(
      ({ name, encoding, perEvent, compressedPerEvent }) =>
        `  ${name.padEnd(14)} ${encoding.padEnd(10)} ${perEvent.toFixed(2)}, compressed by itself ${compressedPerEvent.toFixed(2)}`,
    ),
    `Redis   ${verdict(redis.usedMemoryPerEvent, GOALS.redis)}; by the stream's own account ${redis.streamPerEvent.toFixed(2)}`,
    `lake, ${lake.rows} rows in ${lake.files} files, ${lake.rowGroups} row groups   ${verdict(lake.perEvent, GOALS.lake)}`,
    ...lake.columns.map(
      ({ name, encodings, perEvent, uncompressedPerEvent }) =>
        `  ${name.padEnd(14)} ${perEvent.toFixed(2)}, before compression ${uncompressedPerEvent.toFixed(2)}; ${encodings}`,
    ),
  ];
}
