import { BatchBuilder, encodeFrame, type Schema } from '#wire';
import type { Lane } from './lane.ts';
import type { OutboxFrame } from './outbox-change.ts';
import { storedBytes } from './outbox-database.ts';

export interface FrameStageOptions<Row> {
  readonly schema: Schema<Row>;
  readonly producer: string;
  readonly partitions: number;
  /** A frame is closed at this many records or, roughly, bytes before compression. */
  readonly frameRecords: number;
  readonly frameBytes: number;
  readonly compression: 'none' | 'zstd';
  /** When set, each frame says that no event earlier than its partition's newest minus this will follow. */
  readonly outOfOrdernessMs: number | null;
  /** Where a partition's chain stands in the store. */
  readonly lane: (partition: number) => Lane;
}

interface Slot<Row> {
  readonly builder: BatchBuilder<Row>;
  /** Sequence of the next record that gets a frame. */
  next: number;
  newestMs: number;
}

/**
 * Rows on their way into frames: one open batch per partition, and the frames that are closed but not stored yet.
 * Sequences are given when a frame is closed; {@link taken} frames must be stored before any of them is sent.
 */
export class FrameStage<Row> {
  readonly #options: FrameStageOptions<Row>;
  readonly #slots: Slot<Row>[];
  #closed: OutboxFrame[] = [];
  #closedBytes = 0;
  #openRecords = 0;

  constructor(options: FrameStageOptions<Row>) {
    this.#options = options;
    this.#slots = Array.from({ length: options.partitions }, (_, partition) => ({
      builder: new BatchBuilder(options.schema),
      next: options.lane(partition).next,
      newestMs: Number.NEGATIVE_INFINITY,
    }));
  }

  /** What closed frames will take of the store. */
  get closedBytes(): number {
    return this.#closedBytes;
  }

  get empty(): boolean {
    return this.#openRecords === 0 && this.#closed.length === 0;
  }

  /** Adds a row. @throws MR_RECORD_INVALID; then nothing changed. */
  add(row: Row, partition: number): void {
    const slot = this.#slots[partition] as Slot<Row>;
    slot.builder.append(row);
    this.#openRecords++;
    const { count } = slot.builder;
    // The size is looked at now and then only: it walks over all columns.
    if (
      count >= this.#options.frameRecords ||
      ((count & 7) === 0 && slot.builder.bytes >= this.#options.frameBytes)
    ) {
      this.#close(partition, slot);
    }
  }

  /** Closes all open batches; the frames so far, in order per partition. They stay here until {@link taken}. */
  seal(): readonly OutboxFrame[] {
    for (const [partition, slot] of this.#slots.entries())
      if (slot.builder.count > 0) this.#close(partition, slot);
    return this.#closed;
  }

  /** The sealed frames are stored. */
  taken(): void {
    this.#closed = [];
    this.#closedBytes = 0;
  }

  #close(partition: number, slot: Slot<Row>): void {
    const { producer, compression, outOfOrdernessMs, lane } = this.#options;
    const batch = slot.builder.finish();
    const first = slot.next;
    const header = { producer, epoch: lane(partition).epoch, prev: first - 1, first, compression };
    const bytes = encodeFrame(
      batch,
      outOfOrdernessMs === null
        ? header
        : { ...header, watermark: watermark(slot, batch.times, batch.count, outOfOrdernessMs) },
    );
    slot.next = first + batch.count;
    this.#openRecords -= batch.count;
    this.#closed.push({ partition, first, last: slot.next - 1, bytes });
    this.#closedBytes += storedBytes(bytes.length);
  }
}

function watermark(
  slot: { newestMs: number },
  times: Float64Array,
  count: number,
  outOfOrdernessMs: number,
): number {
  for (let i = 0; i < count; i++) slot.newestMs = Math.max(slot.newestMs, times[i] as number);
  return slot.newestMs - outOfOrdernessMs;
}
