import type { WaitingRows } from './upsert-lane.ts';

export interface KeyedRow<Row> {
  readonly key: string;
  readonly row: Row;
}

/** Waiting rows by a text that names what they upsert, in the order in which their keys came. */
export class KeyedRows<Row> implements WaitingRows<KeyedRow<Row>, readonly Row[]> {
  readonly #waiting = new Map<string, { readonly seq: number; readonly row: Row }>();

  get size(): number {
    return this.#waiting.size;
  }

  put(seq: number, { key, row }: KeyedRow<Row>): void {
    this.#waiting.set(`${seq} ${key}`, { seq, row });
  }

  take(max: number): { readonly seq: number; readonly batch: readonly Row[]; readonly rows: number } {
    const batch: Row[] = [];
    let seq = Number.NaN;
    for (const [place, waiting] of this.#waiting) {
      if (batch.length === 0) seq = waiting.seq;
      if (batch.length === max || waiting.seq !== seq) break;
      batch.push(waiting.row);
      this.#waiting.delete(place);
    }
    return { seq, batch, rows: batch.length };
  }

  clear(): void {
    this.#waiting.clear();
  }
}
