import type { TimeWindow } from '../window/assigner.ts';
import type { TwoInputFrame } from './two-input-operator.ts';
import { markGiven, type Part, type WindowContents } from './window-contents.ts';

/** What makes results of a window's records. */
export interface WindowFunction {
  /** Whether a window would give something, without asking the user's code. */
  readonly hasResults: (given: readonly Part[], fresh: Part) => boolean;
  /** Makes all results that have not left with a part of `given`. */
  readonly run: (
    key: unknown,
    window: TimeWindow,
    given: readonly Part[],
    fresh: Part,
    target: ResultTarget,
  ) => void;
}

export interface ResultTarget {
  readonly emit: (row: unknown) => void;
  /** User code has thrown; it returns when the rest is to be made all the same. */
  readonly failed: (error: unknown, what: () => unknown) => void;
}

/**
 * Gives what windows have to give. Results carry the window's last time, `end − 1`.
 *
 * WF1 a closing window reports what user code throws and gives the rest.
 * WF2 a late record of a window that has closed gives all its results or none, and is kept only then (TI3).
 */
export class WindowResults {
  readonly #frame: TwoInputFrame;
  readonly #function: WindowFunction;
  #time = 0;
  readonly #closing: ResultTarget = {
    emit: (row) => this.#frame.emit(row, this.#time),
    failed: (error, what) => this.#frame.failed(error, what, this.#time),
  };
  readonly #late: ResultTarget = {
    emit: (row) => this.#frame.stage(row, this.#time),
    failed(error) {
      throw error;
    },
  };

  constructor(frame: TwoInputFrame, windowFunction: WindowFunction) {
    this.#frame = frame;
    this.#function = windowFunction;
  }

  /** The watermark has reached the window's last time. */
  close(slot: number, contents: WindowContents): void {
    const { start, end, given, fresh } = contents;
    if (fresh === null) return;
    this.#time = end - 1;
    this.#function.run(this.#frame.keys.value(slot), { start, end }, given, fresh, this.#closing);
    markGiven(contents);
  }

  /** Stages what a window that has closed gives because of `late`. */
  stage(slot: number, { start, end }: TimeWindow, given: readonly Part[], late: Part): void {
    this.#time = end - 1;
    this.#function.run(this.#frame.keys.value(slot), { start, end }, given, late, this.#late);
  }

  isWaiting({ given, fresh }: WindowContents): boolean {
    return fresh !== null && this.#function.hasResults(given, fresh);
  }
}
