import type { CheckpointId } from '../base/brand.ts';
import type { Operator, Records } from './operator.ts';
import { recordCount } from './row-loop.ts';
import type { SinkWriter } from './sink.ts';

type Item =
  | { readonly kind: 'records'; readonly records: Records }
  | { readonly kind: 'prepare'; readonly run: () => void };

/** Batches waiting for a slow writer before the task takes no more. One operator call may exceed it (a window firing). */
const WAITING_MAX = 4;

/**
 * Feeds a sink's writer in order: one `write` at a time, barriers between the batches they came between.
 * Suspension points: a write that gave a promise.
 *
 * SO1 `prepare(n)` reaches the writer after every batch before barrier n and before every batch after it.
 */
export class SinkOperator implements Operator {
  readonly #writer: SinkWriter<unknown>;
  #seq: number;
  readonly #wake: () => void;
  readonly #waiting: Item[] = [];
  #writing: Promise<void> | null = null;
  #failure: unknown = null;
  rowsWritten = 0;

  /** @param nextSeq sequence number of the next barrier */
  constructor(writer: SinkWriter<unknown>, nextSeq: number, wake: () => void) {
    this.#writer = writer;
    this.#seq = nextSeq;
    this.#wake = wake;
  }

  get writer(): SinkWriter<unknown> {
    return this.#writer;
  }

  records(records: Records): void {
    this.#throwFailure();
    this.rowsWritten += recordCount(records);
    if (this.#writing !== null) this.#waiting.push({ kind: 'records', records });
    else this.#write(records);
  }

  watermark(time: number): void {
    this.#writer.onWatermark?.(time);
  }

  idle(): void {}

  blocked(): Promise<void> | null {
    this.#throwFailure();
    return this.#waiting.length >= WAITING_MAX ? this.#writing : null;
  }

  pending(): boolean {
    return this.#writing !== null;
  }

  poll(): void {
    this.#throwFailure();
  }

  /** Stages everything received so far; resolves to the writer's committable. */
  prepare(checkpoint: CheckpointId): Promise<unknown> {
    const seq = this.#seq++;
    if (this.#writing === null) return this.#writer.prepareCommit(checkpoint, seq);
    return new Promise((resolve, reject) => {
      this.#waiting.push({
        kind: 'prepare',
        run: () => {
          if (this.#failure !== null) reject(this.#failure as Error);
          else this.#writer.prepareCommit(checkpoint, seq).then(resolve, reject);
        },
      });
    });
  }

  async close(): Promise<void> {
    await this.#writer.close();
  }

  #write(records: Records): void {
    const result = this.#writer.write(records);
    if (result === undefined) return;
    this.#writing = result.then(
      () => this.#next(),
      (error: unknown) => this.#fail(error),
    );
  }

  /** Goes on with what has waited, up to the next write that takes time. */
  #next(): void {
    this.#writing = null;
    try {
      while (this.#writing === null) {
        const item = this.#waiting.shift();
        if (item === undefined) break;
        if (item.kind === 'records') this.#write(item.records);
        else item.run();
      }
    } catch (error) {
      this.#fail(error);
    }
    this.#wake();
  }

  #fail(error: unknown): void {
    this.#failure = error;
    this.#writing = null;
    for (const item of this.#waiting.splice(0)) if (item.kind === 'prepare') item.run();
    this.#wake();
  }

  #throwFailure(): void {
    if (this.#failure !== null) throw this.#failure;
  }
}
