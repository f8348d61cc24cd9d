import { type Batch, BatchBuilder, type Schema } from '#wire';

/** A batch for one of an operator's inputs, and the watermark that all inputs have reached after it; NaN for none. */
export interface FeedStep {
  readonly input: number;
  readonly batch: Batch;
  readonly watermark: number;
}

/** What a variant is fed; made before the clock starts. */
export interface Feed {
  readonly steps: readonly FeedStep[];
  /** Of all inputs together. */
  readonly events: number;
  readonly keys: number;
}

/** How much a feed holds, and what its random numbers begin with. */
export interface FeedSize {
  readonly events: number;
  readonly keys: number;
  readonly seed: number;
}

/** 1 % of the records come up to this much late; watermarks stay behind by more, so that none is too late. */
export const BOUND_MS = 200;

const BATCH_RECORDS = 1_000;
const WATERMARK_BATCHES = 4;
/** From the last record to the last watermark: the end of every window and timer. */
const AFTERMATH_MS = 20_000;

/**
 * Makes batches of rows, dealt to the inputs in turn, so that all inputs' batches fill at once. A watermark follows every fourth
 * batch, behind everything that any input has still to give.
 */
export class FeedWriter<Row extends { readonly ts: number }> {
  readonly #builders: readonly BatchBuilder<Row>[];
  readonly #steps: FeedStep[] = [];
  #events = 0;
  #latest = Number.NEGATIVE_INFINITY;

  constructor(schema: Schema<Row>, inputs: number) {
    this.#builders = Array.from({ length: inputs }, () => new BatchBuilder(schema));
  }

  add(row: Row): void {
    const input = this.#events++ % this.#builders.length;
    const builder = this.#builders[input] as BatchBuilder<Row>;
    builder.append(row);
    this.#latest = Math.max(this.#latest, row.ts);
    if (builder.count === BATCH_RECORDS) this.#give(input, this.#watermarkAfter(input));
  }

  finish(keys: number): Feed {
    for (const [input, builder] of this.#builders.entries())
      if (builder.count > 0) this.#give(input, Number.NaN);
    const last = this.#steps.pop() as FeedStep;
    this.#steps.push({ ...last, watermark: this.#latest + AFTERMATH_MS });
    return { steps: this.#steps, events: this.#events, keys };
  }

  #give(input: number, watermark: number): void {
    this.#steps.push({ input, batch: (this.#builders[input] as BatchBuilder<Row>).finish(), watermark });
  }

  /** A watermark only after the last input's batch: the others have given theirs of the same events then. */
  #watermarkAfter(input: number): number {
    const isDue = input === this.#builders.length - 1 && (this.#steps.length + 1) % WATERMARK_BATCHES === 0;
    return isDue ? this.#latest - BOUND_MS - 1 : Number.NaN;
  }
}
