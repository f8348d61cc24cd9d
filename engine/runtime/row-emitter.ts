import { LIMITS } from '../base/limits.ts';
import type { Output } from './operator.ts';

/** Gathers rows that an operator emits and hands them on in batches of at most LIMITS.emitRecordsMax. */
export class RowEmitter {
  readonly #output: Output;
  /** Made with room for as many rows as were handed on last: growing row by row would copy them several times. */
  #rows: unknown[] = [];
  #gathered = 0;
  #room = 0;
  /** Of the rows that are gathered. */
  readonly #times = new Float64Array(LIMITS.emitRecordsMax);
  /** Records handed on in all. */
  count = 0;

  constructor(output: Output) {
    this.#output = output;
  }

  emit(row: unknown, time: number): void {
    if (this.#gathered === 0) this.#rows = new Array(this.#room);
    this.#rows[this.#gathered] = row;
    this.#times[this.#gathered++] = time;
    if (this.#gathered === this.#times.length) this.flush();
  }

  /** Hands on what is gathered; call at the end of every operator call (OP1). */
  flush(): void {
    const count = this.#gathered;
    if (count === 0) return;
    const rows = this.#rows;
    rows.length = count;
    this.#rows = [];
    this.#gathered = 0;
    this.#room = count;
    this.count += count;
    this.#output.records({ kind: 'rows', rows, times: this.#times.slice(0, count) });
  }
}
