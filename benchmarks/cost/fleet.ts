import { defaultMaxParallelism } from '#engine';
import { manifestBytes } from './manifest-size.ts';
import type { UnitCosts } from './unit-costs.ts';

/** What is asked of a fleet. */
export interface Load {
  /** The highest that must be carried with room to spare. */
  readonly eventsPerSecond: number;
  /** What it carries on average: the events that are paid for. */
  readonly averagePerSecond: number;
  readonly keys: number;
  /** How long the log keeps events that all jobs have read. */
  readonly retentionHours: number;
  readonly checkpointSeconds: number;
}

/** Dollars. */
export interface Prices {
  /** Per virtual CPU and hour, with 4 GiB of memory. */
  readonly cpuHour: number;
  /** Per GiB of memory and hour beyond that. */
  readonly memoryHour: number;
}

export interface Fleet {
  readonly workerCores: number;
  /** Primaries; each has one replica. One core each does the work. */
  readonly shards: number;
  readonly logGiB: number;
  readonly stateGiB: number;
  /** Bytes per second through the busiest shard's network: in, out to the job, and to its replica. */
  readonly shardBytesPerSecond: number;
  readonly manifestBytes: number;
  readonly acknowledgementsPerSecond: number;
  readonly lakeGbPerDay: number;
  readonly dollarsPerHour: number;
  /** At the average load. */
  readonly dollarsPerMillion: number;
}

/** Of its capacity a core is given this much: the rest catches up after a failure and takes what is uneven. */
export const UTILISATION = 0.6;
const GIB = 2 ** 30;
const INCLUDED_GIB_PER_CORE = 4;

/** The smallest fleet that carries a load at {@link UTILISATION}. */
export function planFleet(load: Load, units: UnitCosts, prices: Prices): Fleet {
  const { eventsPerSecond: rate, averagePerSecond, keys } = load;
  const cores = (ns: number) => Math.max(1, Math.ceil((rate * ns) / 1e9 / UTILISATION));
  const workerCores = cores(units.workerNs);
  const shards = cores(units.serverNs);
  const logGiB = (rate * 3_600 * load.retentionHours * units.logBytes) / GIB;
  const stateGiB = (keys * units.keyBytes) / GIB;
  const coreCount = workerCores + 2 * shards;
  const memoryGiB = stateGiB + 2 * logGiB;
  const extraGiB = Math.max(0, memoryGiB - coreCount * INCLUDED_GIB_PER_CORE);
  const dollarsPerHour = coreCount * prices.cpuHour + extraGiB * prices.memoryHour;
  return {
    workerCores,
    shards,
    logGiB,
    stateGiB,
    shardBytesPerSecond: (3 * rate * units.frameBytes) / shards,
    manifestBytes: manifestBytes(workerCores, defaultMaxParallelism(workerCores)),
    acknowledgementsPerSecond: workerCores / load.checkpointSeconds,
    lakeGbPerDay: (averagePerSecond * 86_400 * units.lakeBytes) / 1e9,
    dollarsPerHour,
    dollarsPerMillion: dollarsPerHour / ((averagePerSecond * 3_600) / 1e6),
  };
}
