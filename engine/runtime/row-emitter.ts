import { LIMITS } from '../base/limits.ts';
import type { Output } from './operator.ts';

/** Gathers rows that an operator emits and hands them on in batches of at most LIMITS.emitRecordsMax. */
export class RowEmitter {
  readonly #output: Output;
  #rows: unknown[] = [];
  /** Of the rows that are gathered. */
  readonly #times = new Float64Array(LIMITS.emitRecordsMax);
  /** Records handed on in all. */
  count = 0;

  constructor(output: Output) {
    this.#output = output;
  }

  emit(row: unknown, time: number): void {
    const count = this.#rows.push(row);
    this.#times[count - 1] = time;
    if (count === this.#times.length) this.flush();
  }

  /** Hands on what is gathered; call at the end of every operator call (OP1). */
  flush(): void {
    if (this.#rows.length === 0) return;
    const rows = this.#rows;
    const times = this.#times.slice(0, rows.length);
    this.#rows = [];
    this.count += rows.length;
    this.#output.records({ kind: 'rows', rows, times });
  }
}
