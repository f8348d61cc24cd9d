import type { CheckpointId } from '../base/brand.ts';
import { failureOf } from '../base/errors.ts';
import type { Operator, Records } from './operator.ts';
import { recordCount } from './record-at.ts';
import type { SinkWriter } from './sink.ts';

type Item =
  | { readonly kind: 'records'; readonly records: Records }
  | { readonly kind: 'watermark'; readonly time: number }
  | { readonly kind: 'prepare'; readonly run: () => void };

/** Batches waiting for a slow writer before the task takes no more. One operator call may exceed it (a window firing). */
const WAITING_MAX = 4;

/**
 * Feeds a sink's writer in order: one `write` at a time, barriers between the batches they came between.
 * Suspension points: a write that gave a promise.
 *
 * KO1 `prepare(n)` reaches the writer after every batch before barrier n and before every batch after it; a watermark likewise.
 * KO2 a failure, once seen, is thrown by every later call: no checkpoint can pass rows that were lost.
 */
export class SinkOperator implements Operator {
  readonly #operator: string;
  readonly #writer: SinkWriter<unknown>;
  readonly #wake: () => void;
  readonly #waiting: Item[] = [];
  #batchesWaiting = 0;
  #writing: Promise<void> | null = null;
  #failure: unknown = null;
  rowsWritten = 0;

  constructor(operator: string, writer: SinkWriter<unknown>, wake: () => void) {
    this.#operator = operator;
    this.#writer = writer;
    this.#wake = wake;
  }

  get writer(): SinkWriter<unknown> {
    return this.#writer;
  }

  records(records: Records): void {
    this.#throwFailure();
    this.rowsWritten += recordCount(records);
    if (this.#writing === null) return this.#write(records);
    this.#waiting.push({ kind: 'records', records });
    this.#batchesWaiting++;
  }

  watermark(time: number): void {
    if (this.#writer.onWatermark === undefined) return;
    if (this.#writing === null) return this.#writer.onWatermark(time);
    if (this.#waiting.at(-1)?.kind === 'watermark') this.#waiting.pop();
    this.#waiting.push({ kind: 'watermark', time });
  }

  idle(): void {}

  blocked(): Promise<void> | null {
    this.#throwFailure();
    return this.#batchesWaiting >= WAITING_MAX ? this.#writing : null;
  }

  pending(): boolean {
    return this.#writing !== null;
  }

  poll(): void {
    this.#throwFailure();
  }

  /** Stages everything received so far; resolves to the writer's committable. */
  prepare(checkpoint: CheckpointId): Promise<unknown> {
    if (this.#failure !== null) return Promise.reject(this.#failure as Error);
    if (this.#writing === null) return this.#writer.prepareCommit(checkpoint);
    return new Promise((resolve, reject) => {
      this.#waiting.push({
        kind: 'prepare',
        run: () => {
          if (this.#failure !== null) reject(this.#failure as Error);
          else this.#writer.prepareCommit(checkpoint).then(resolve, reject);
        },
      });
    });
  }

  async close(): Promise<void> {
    await this.#writer.close();
  }

  #write(records: Records): void {
    let result: void | Promise<void>;
    try {
      result = this.#writer.write(records);
    } catch (error) {
      this.#fail(error);
      throw this.#failure;
    }
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
        this.#go(item);
      }
    } catch (error) {
      this.#fail(error);
    }
    this.#wake();
  }

  #go(item: Item): void {
    switch (item.kind) {
      case 'records':
        this.#batchesWaiting--;
        return this.#write(item.records);
      case 'watermark':
        return this.#writer.onWatermark?.(item.time);
      case 'prepare':
        return item.run();
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= failureOf(error, this.#operator, 'MR_SINK_FAILED');
    this.#writing = null;
    this.#batchesWaiting = 0;
    for (const item of this.#waiting.splice(0)) if (item.kind === 'prepare') item.run();
    this.#wake();
  }

  #throwFailure(): void {
    if (this.#failure !== null) throw this.#failure;
  }
}
