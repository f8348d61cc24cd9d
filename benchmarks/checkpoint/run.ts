import { writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import type { CheckpointOutcome, CheckpointWorkload } from './outcome.ts';
import { processState } from './process.ts';
import { sessions, sketches, windows } from './windows.ts';

/** By the names that the command line knows them by. */
const CHECKPOINT_WORKLOADS: Readonly<Record<string, CheckpointWorkload>> = {
  windows,
  sketches,
  sessions,
  process: processState,
};

export interface CheckpointOptions {
  readonly keys: number;
  /** Snapshots of each workload, after one that does not count. */
  readonly runs: number;
  readonly workloads: readonly string[];
  readonly json?: string;
}

/** Writes snapshots of operators with many keys while they take records, and says how long the records had to wait. */
export async function runCheckpoint({ keys, runs, workloads, json }: CheckpointOptions): Promise<void> {
  print(`checkpoint: ${keys} keys, batches of 1,000 records of random keys, snapshots to memory`);
  print(
    `Node ${process.version}, ${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, load ${loadavg()[0]?.toFixed(2)}`,
  );
  const outcomes: Record<string, CheckpointOutcome> = {};
  for (const name of workloads) {
    const workload = CHECKPOINT_WORKLOADS[name];
    if (workload === undefined)
      throw new Error(`unknown workload '${name}'; one of ${Object.keys(CHECKPOINT_WORKLOADS).join(', ')}`);
    const outcome = await workload.run(keys, runs + 1);
    outcomes[name] = outcome;
    print('', `${name}: ${workload.title}`, ...tableOf(outcome));
  }
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(outcomes, null, 2)}\n`);
}

function tableOf({
  bytesPerKey,
  turnMs,
  quietStallMs,
  quietStallCpuMs,
  snapshots,
  restoreCpuMs,
  incremental,
}: CheckpointOutcome): string[] {
  return [
    `without a snapshot: a batch every ${turnMs.toFixed(2)} ms, at most ${quietStallMs.toFixed(1)} ms late; longest turn ${quietStallCpuMs.toFixed(1)} ms CPU`,
    '| snapshot | barrier ms | longest stall, wall ms | longest turn, CPU ms | p99 | CPU ms | wall ms | MB | batches meanwhile |',
    '|---|---|---|---|---|---|---|---|---|',
    ...snapshots.map((it, i) => {
      const [barrier, stall] = [it.barrierMs.toFixed(2), it.stallMs.toFixed(1)];
      return `| ${i === 0 ? 'first' : i} | ${barrier} | ${stall} | ${it.stallCpuMs.toFixed(1)} | ${it.stallCpuP99Ms.toFixed(1)} | ${it.cpuMs.toFixed(0)} | ${it.wallMs.toFixed(0)} | ${(it.bytes / 1e6).toFixed(1)} | ${it.batches} |`;
    }),
    `memory: ${bytesPerKey.toFixed(0)} bytes per key`,
    `restore: ${restoreCpuMs.toFixed(0)} ms CPU`,
    ...(incremental === undefined ? [] : [incrementalText(incremental)]),
  ];
}

function incrementalText({
  dirtyShare,
  bytes,
  writtenBytes,
  cpuMs,
}: NonNullable<CheckpointOutcome['incremental']>): string {
  return `incremental, ${(dirtyShare * 100).toFixed(1)} % of the key groups dirty: ${(writtenBytes / 1e6).toFixed(2)} MB of ${(bytes / 1e6).toFixed(1)} MB, ${cpuMs.toFixed(0)} ms CPU`;
}

function print(...lines: readonly string[]): void {
  for (const line of lines) process.stdout.write(`${line}\n`);
}
