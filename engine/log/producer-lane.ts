import type { Clock } from '../base/clock.ts';
import { hasCode, MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { backoffMs, type Random } from '../base/random.ts';
import { BatchBuilder } from '../wire/batch-builder.ts';
import { type FrameHeader, encodeFrame } from '../wire/frame.ts';
import type { Schema } from '../wire/schema.ts';
import { fencedProducer, producerGap } from './log-error.ts';
import type { AppendResult, PartitionLog } from './partition-log.ts';

export interface ProducerLaneOptions<Row> {
  readonly log: PartitionLog;
  readonly topic: string;
  readonly partition: number;
  readonly schema: Schema<Row>;
  readonly producer: string;
  readonly epoch: number;
  /** Last sequence that the partition has. */
  readonly last: number;
  readonly lingerMs: number;
  readonly compression?: FrameHeader['compression'];
  readonly clock: Clock;
  readonly random: Random;
  readonly signal?: AbortSignal;
}

/*
 * One producer's way into one partition.
 *
 * Owns the rows of the frame being filled and the frames that are not stored yet. Suspends in #send only.
 *
 * PR1 Frames are numbered when they are cut and never cut anew: what is sent again is the same bytes.
 * PR2 A frame leaves `#unstored` only when the log has it, from the front on; so what is sent again starts at the first hole.
 * PR3 At most writerInFlightBytesMax and one frame wait here; beyond it `write` returns a promise.
 *
 * Frames go out in rounds: all that wait are sent at once, in order, and the next round starts when every answer is there. A frame
 * behind a refused one answers `gap` and goes out again with it.
 */
export class ProducerLane<Row> {
  readonly #options: ProducerLaneOptions<Row>;
  readonly #builder: BatchBuilder<Row>;
  #cut: number;
  #unstored: Unstored[] = [];
  #unstoredBytes = 0;
  #sending: Promise<void> | null = null;
  #room: PromiseWithResolvers<void> | null = null;
  #stopLinger: (() => void) | null = null;
  #failure: Error | null = null;
  /** Sequence of the last stored record. */
  stored: number;
  recordsStored = 0;
  framesStored = 0;
  bytesStored = 0;
  duplicates = 0;
  retries = 0;

  constructor(options: ProducerLaneOptions<Row>) {
    this.#options = options;
    this.#builder = new BatchBuilder(options.schema);
    this.#cut = options.last;
    this.stored = options.last;
  }

  write(row: Row): void | Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    this.#builder.append(row);
    if (this.#builder.count >= LIMITS.frameTargetRecords || this.#builder.bytes >= LIMITS.frameTargetBytes)
      this.#cutFrame();
    else this.#stopLinger ??= this.#options.clock.after(this.#options.lingerMs, () => this.#cutFrame());
    if (this.#unstoredBytes < LIMITS.writerInFlightBytesMax) return;
    this.#room ??= Promise.withResolvers();
    return this.#room.promise;
  }

  async flush(): Promise<void> {
    this.#cutFrame();
    while (this.#sending !== null) await this.#sending;
    if (this.#failure !== null) throw this.#failure;
  }

  #cutFrame(): void {
    this.#stopLinger?.();
    this.#stopLinger = null;
    if (this.#builder.count === 0 || this.#failure !== null) return;
    const { producer, epoch, compression = 'none' } = this.#options;
    const batch = this.#builder.finish();
    const first = this.#cut + 1;
    let bytes: Uint8Array;
    try {
      bytes = encodeFrame(batch, { producer, epoch, prev: this.#cut, first, compression });
    } catch (error) {
      this.#failure = error as Error; // perhaps in a timer: the next write or flush tells
      return;
    }
    this.#cut += batch.count;
    this.#unstored.push({ bytes, first, last: this.#cut });
    this.#unstoredBytes += bytes.byteLength;
    this.#sending ??= this.#send();
  }

  async #send(): Promise<void> {
    try {
      for (let failures = 0; this.#unstored.length > 0; ) {
        const before = this.stored;
        const hurdle = await this.#round();
        if (hurdle === null) continue;
        if (this.#options.signal?.aborted) throw hurdle;
        failures = this.stored > before ? 0 : failures + 1;
        this.retries++;
        await this.#options.clock.sleep(
          backoffMs(failures, 20, 1_000, this.#options.random),
          this.#options.signal,
        );
      }
    } catch (error) {
      this.#failure = error as Error;
    } finally {
      this.#sending = null;
      this.#room?.resolve();
      this.#room = null;
    }
  }

  /** Sends everything that waits. Returns what kept a frame out for now, or null. */
  async #round(): Promise<Error | null> {
    const { log, topic, partition } = this.#options;
    const frames = [...this.#unstored];
    const answers = await Promise.allSettled(
      frames.map((frame) => log.append(topic, partition, frame.bytes)),
    );
    for (const [i, answer] of answers.entries()) {
      const frame = frames[i] as Unstored;
      if (answer.status === 'rejected') {
        if (hasCode(answer.reason, 'MR_REDIS_UNAVAILABLE')) return answer.reason;
        throw answer.reason;
      }
      // Refused with a predecessor that made it at its second try; as the first of the next round it is judged itself.
      if (i > 0 && answer.value.kind === 'gap') return null;
      const hurdle = this.#judge(frame, answer.value);
      if (hurdle !== null) return hurdle;
    }
    return null;
  }

  #judge(frame: Unstored, answer: AppendResult): Error | null {
    const { topic, partition, producer, epoch } = this.#options;
    switch (answer.kind) {
      case 'ok':
        this.#store(frame);
        return null;
      case 'duplicate':
        this.duplicates++;
        this.#store(frame);
        return null;
      case 'full':
        return new MillraceError(
          'MR_LOG_FULL',
          `Partition ${partition} of '${topic}' holds ${answer.bytes} of ${answer.quotaBytes} bytes. Let its readers catch up, or raise quotaBytes.`,
        );
      case 'fenced':
        throw fencedProducer(producer, epoch, answer.epoch);
      case 'gap':
        throw producerGap(topic, partition, producer, frame.first, answer.expected);
    }
  }

  #store(frame: Unstored): void {
    this.#unstored.shift();
    this.#unstoredBytes -= frame.bytes.byteLength;
    this.stored = frame.last;
    this.recordsStored += frame.last - frame.first + 1;
    this.framesStored++;
    this.bytesStored += frame.bytes.byteLength;
    if (this.#unstoredBytes >= LIMITS.writerInFlightBytesMax) return;
    this.#room?.resolve();
    this.#room = null;
  }
}

interface Unstored {
  readonly bytes: Uint8Array;
  readonly first: number;
  readonly last: number;
}
