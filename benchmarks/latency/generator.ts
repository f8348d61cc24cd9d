import { FrameWriter, openRedisPartitionLog, type PartitionLog, systemClock } from '#engine';
import { keyPartitioner, PARTITIONER_KEY_GROUPS, readEnvelope } from '#wire';
import { createFleet, type Fleet } from '../../edge-forwarder/fleet.ts';
import { Reading } from '../../jobs/device-telemetry/reading.ts';
import { type Crossing, Crossings } from './crossings.ts';
import { Delays, type Percentiles } from './delays.ts';
import { machineClock } from './machine-clock.ts';
import {
  FLEET,
  KEY,
  type LatencySettings,
  NAMESPACE,
  OUT_OF_ORDERNESS_MS,
  PARTITIONS,
  PRODUCERS,
  TOPIC,
} from './settings.ts';

/** What the generator tells its parent, which answers `ready` with the epoch ms of record 0. */
export type GeneratorMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'done'; readonly report: GeneratorReport };

export interface GeneratorReport {
  readonly records: number;
  /** Send − due of the records due while the run was measured. */
  readonly lag: Percentiles;
  readonly frames: number;
  readonly bytes: number;
  /** Window start → records that count in it. */
  readonly windows: readonly (readonly [start: number, records: number])[];
  /** The last lane's frame was cut, and was acknowledged by the log. */
  readonly cut: readonly Crossing[];
  readonly acknowledged: readonly Crossing[];
}

/**
 * Open loop, in a process of its own: record i is due at `startMs + i × 1000 / rate` and is sent then, or as soon after it as this process gets
 * to it; none is left out, and none waits for an answer unless the writer's own bound on memory makes it. Event time is due time.
 */
class Generator {
  readonly #settings: LatencySettings;
  readonly #startMs: number;
  readonly #now: () => number;
  readonly #fleet: Fleet;
  readonly #cut: Crossings;
  readonly #acknowledged: Crossings;
  readonly #lag: Delays;
  readonly #windows = new Map<number, number>();

  constructor(settings: LatencySettings, startMs: number) {
    const { rate, devices, windowMs, warmUpSeconds, clockOffsetMs } = settings;
    this.#settings = settings;
    this.#startMs = startMs;
    this.#now = machineClock(clockOffsetMs).now;
    const inOrder = { outOfOrderMs: 0, lateShare: 0, lateMs: 0 };
    this.#fleet = createFleet({ seed: 42, rate, devices, startMs, faultShare: 0.02, ...FLEET, ...inOrder });
    this.#cut = new Crossings(windowMs, OUT_OF_ORDERNESS_MS);
    this.#acknowledged = new Crossings(windowMs, OUT_OF_ORDERNESS_MS);
    this.#lag = new Delays(startMs + warmUpSeconds * 1_000);
  }

  async run(log: PartitionLog): Promise<GeneratorReport> {
    const { rate, warmUpSeconds, seconds } = this.#settings;
    const writers = await this.#writers({ ...log, append: (...frame) => this.#append(log, ...frame) });
    const records = rate * (warmUpSeconds + seconds + AFTER_SECONDS);
    for (let next = 0; next < records; ) {
      const dueRecords = Math.floor(((this.#now() - this.#startMs) * rate) / 1_000) + 1;
      const end = Math.min(records, dueRecords, next + BURST_RECORDS_MAX);
      for (; next < end; next++) {
        const room = this.#send(writers, next);
        if (room !== undefined) await room;
      }
      if (next >= dueRecords) await systemClock.sleep(1);
      else await systemClock.yieldTurn();
    }
    for (const writer of writers) await writer.close();
    const stats = writers.map((writer) => writer.stats());
    return {
      records,
      lag: this.#lag.percentiles(),
      frames: stats.reduce((sum, { framesStored }) => sum + framesStored, 0),
      bytes: stats.reduce((sum, { bytesStored }) => sum + bytesStored, 0),
      windows: [...this.#windows],
      cut: this.#cut.all(),
      acknowledged: this.#acknowledged.all(),
    };
  }

  #writers(log: PartitionLog): Promise<FrameWriter<Reading>[]> {
    const partitionOf = keyPartitioner(Reading, KEY, PARTITIONS, PARTITIONER_KEY_GROUPS);
    const { lingerMs } = this.#settings;
    const common = {
      log,
      topic: TOPIC,
      schema: Reading,
      epoch: 1,
      partitionOf,
      lingerMs,
      clock: systemClock,
    };
    const open = (_: unknown, producer: number) =>
      FrameWriter.open({ ...common, producer: `gateway-${producer}` });
    return Promise.all(Array.from({ length: PRODUCERS }, open));
  }

  /** Each device has its gateway. */
  #send(writers: readonly FrameWriter<Reading>[], index: number): void | Promise<void> {
    const { rate, windowMs, seconds, warmUpSeconds } = this.#settings;
    const reading = this.#fleet.readingAt(index);
    const sinceStartMs = (index * 1_000) / rate;
    const measuredMs = sinceStartMs - warmUpSeconds * 1_000;
    if (measuredMs >= 0 && measuredMs < seconds * 1_000) {
      const dueMs = this.#startMs + sinceStartMs;
      this.#lag.record(this.#now() - dueMs, dueMs);
    }
    if (reading.status !== 'maintenance') {
      const window = Math.floor(reading.ts / windowMs) * windowMs;
      this.#windows.set(window, (this.#windows.get(window) ?? 0) + 1);
    }
    const lastDigit = reading.deviceId.charCodeAt(reading.deviceId.length - 1);
    return writers[lastDigit % PRODUCERS]?.write(reading);
  }

  async #append(
    log: PartitionLog,
    topic: string,
    partition: number,
    frame: Uint8Array,
  ): ReturnType<PartitionLog['append']> {
    const { producer, maxTime } = readEnvelope(frame);
    const lane = `${producer}/${partition}`;
    this.#cut.passed(lane, maxTime, this.#now());
    const result = await log.append(topic, partition, frame);
    this.#acknowledged.passed(lane, maxTime, this.#now());
    return result;
  }
}

/** Records go on for so long after the last window that counts, so that it closes as every other one. */
const AFTER_SECONDS = 1;
/** What is late is sent at once, but with a look at timers and answers now and then. */
const BURST_RECORDS_MAX = 1_000;

const settings = JSON.parse(process.argv[2] as string) as LatencySettings;
const log = await openRedisPartitionLog({
  url: settings.url,
  namespace: NAMESPACE,
  clock: systemClock,
  durability: 'process',
});
const begun = new Promise<number>((resolve) => process.once('message', resolve));
tell({ kind: 'ready' });
const report = await new Generator(settings, await begun).run(log);
await log.close();
tell({ kind: 'done', report });
process.disconnect();

function tell(message: GeneratorMessage): void {
  process.send?.(message);
}
