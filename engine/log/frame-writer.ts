import type { Clock } from '../base/clock.ts';
import { invariant } from '../base/errors.ts';
import { type Random, systemRandom } from '../base/random.ts';
import type { FrameHeader } from '../wire/envelope.ts';
import type { Schema } from '../wire/schema.ts';
import { fencedProducer, noTopic } from './log-error.ts';
import type { PartitionLog } from './partition-log.ts';
import { ProducerLane } from './producer-lane.ts';

export interface FrameWriterOptions<Row> {
  readonly log: PartitionLog;
  /** Must exist. */
  readonly topic: string;
  readonly schema: Schema<Row>;
  /** Name under which sequences are counted, 1 … 128 bytes; one writer at a time may use it. */
  readonly producer: string;
  /** Fences off writers of lower epochs; in a new epoch sequences start over. */
  readonly epoch: number;
  /** Partition of a row, 0 … partitions − 1. */
  readonly partitionOf: (row: Row) => number;
  /** How long a row waits for company, ms. Default 10. */
  readonly lingerMs?: number;
  readonly compression?: FrameHeader['compression'];
  readonly clock: Clock;
  readonly random?: Random;
  /** When aborted, retrying ends and what is unwritten fails with MR_LOG_FULL or MR_REDIS_UNAVAILABLE. */
  readonly signal?: AbortSignal;
}

export interface FrameWriterStats {
  readonly recordsStored: number;
  readonly framesStored: number;
  readonly bytesStored: number;
  /** Frames that the log already had: answers that were lost. */
  readonly duplicates: number;
  /** Rounds that ended in `full`, or without an answer. */
  readonly retries: number;
}

/**
 * Rows → frames → the partition log, in order and exactly once per (producer, epoch, partition), across lost connections, full
 * partitions and restarts of this writer. Rows of one partition keep their order; frames are cut at LIMITS.frameTargetRecords,
 * frameTargetBytes or after `lingerMs`.
 * @example
 * const writer = await FrameWriter.open({ log, topic: 'telemetry', schema: Reading, producer: 'loader', epoch: 1, partitionOf, clock });
 * for (const row of rows) await writer.write(row);
 * await writer.close();
 */
export class FrameWriter<Row> {
  readonly #lanes: readonly ProducerLane<Row>[];
  readonly #partitionOf: (row: Row) => number;

  private constructor(options: FrameWriterOptions<Row>, lanes: readonly ProducerLane<Row>[]) {
    this.#partitionOf = options.partitionOf;
    this.#lanes = lanes;
  }

  /**
   * Goes on after the last sequence that each partition knows of this producer and epoch.
   * @throws MR_LOG_NO_TOPIC; MR_LOG_FENCED when a newer epoch has written
   */
  static async open<Row>(options: FrameWriterOptions<Row>): Promise<FrameWriter<Row>> {
    const topic = await options.log.topic(options.topic);
    if (topic === null) throw noTopic(options.topic);
    await options.log.registerSchema(options.schema);
    const lanes = Array.from({ length: topic.partitions }, async (_, partition) => {
      const known = await options.log.producerState(topic.name, partition, options.producer);
      if (known !== null && known.epoch > options.epoch)
        throw fencedProducer(options.producer, options.epoch, known.epoch);
      const last = known?.epoch === options.epoch ? known.last : 0;
      return new ProducerLane({ lingerMs: 10, random: systemRandom, ...options, partition, last });
    });
    return new FrameWriter(options, await Promise.all(lanes));
  }

  /**
   * Takes a row. A returned promise is backpressure: wait for it before writing on.
   * @throws MR_RECORD_INVALID for a row that does not fit the schema (nothing is written of it), and whatever has ended this
   * writer before: MR_LOG_FENCED, MR_LOG_GAP, MR_LOG_FRAME_OVER_QUOTA
   */
  write(row: Row): void | Promise<void> {
    const partition = this.#partitionOf(row);
    const lane = this.#lanes[partition];
    invariant(lane !== undefined, `partitionOf gives 0 … ${this.#lanes.length - 1}, not ${partition}`);
    return lane.write(row);
  }

  /** Sequence of the last record stored in a partition: how many of a deterministic input it has. */
  storedSequence(partition: number): number {
    return this.#lanes[partition]?.stored ?? 0;
  }

  /** Resolves when everything written so far is stored. */
  async flush(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.flush()));
  }

  /** Flushes and ends; also after a failure, which it throws. */
  async close(): Promise<void> {
    await this.flush();
  }

  stats(): FrameWriterStats {
    const sum = (of: (lane: ProducerLane<Row>) => number) =>
      this.#lanes.reduce((total, lane) => total + of(lane), 0);
    return {
      recordsStored: sum((lane) => lane.recordsStored),
      framesStored: sum((lane) => lane.framesStored),
      bytesStored: sum((lane) => lane.bytesStored),
      duplicates: sum((lane) => lane.duplicates),
      retries: sum((lane) => lane.retries),
    };
  }
}
