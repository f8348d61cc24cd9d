import type { Scalar } from './aggregates.ts';

/** A value and its event time, as stored. */
export interface TimedValueState {
  readonly time: number;
  readonly value: Scalar;
}

/** The value of the lowest (`first`) or highest (`last`) event time; of equal times the first or last to arrive. */
export class TimedValue {
  readonly #end: 'first' | 'last';
  #time = 0;
  /** Null before any value. */
  #value: Scalar | null = null;

  constructor(end: 'first' | 'last', state: TimedValueState | null = null) {
    this.#end = end;
    if (state === null) return;
    this.#time = state.time;
    this.#value = state.value;
  }

  get value(): Scalar | null {
    return this.#value;
  }

  add(value: Scalar, time: number): void {
    const takes = this.#value === null || (this.#end === 'first' ? time < this.#time : time >= this.#time);
    if (!takes) return;
    this.#time = time;
    this.#value = value;
  }

  /** As if everything `other` has seen came after everything seen here. */
  merge(other: TimedValue): void {
    if (other.#value !== null) this.add(other.#value, other.#time);
  }

  /** Forgets all it has seen. */
  clear(): void {
    this.#value = null;
  }

  state(): TimedValueState | null {
    return this.#value === null ? null : { time: this.#time, value: this.#value };
  }
}
