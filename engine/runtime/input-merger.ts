import { WatermarkMerger } from '../time/watermark-merger.ts';
import type { Output, Records } from './operator.ts';

/** What an operator with several inputs does with them once their time is merged. */
export interface MergedInputs {
  readonly records: (input: number, records: Records) => void;
  /** Minimum over the inputs that are waited for; rises. */
  readonly watermark: (time: number) => void;
  /** All inputs are idle. */
  readonly idle: () => void;
}

/**
 * The inputs of an operator that has several, with one watermark: the minimum over them, by the idle rules of WatermarkMerger.
 *
 * IM1 idleness of all is said once, after the watermark that it raised; the next record or watermark ends it.
 */
export class InputMerger {
  readonly inputs: readonly Output[];
  readonly #merger: WatermarkMerger;
  #isIdle = false;

  constructor(count: number, target: MergedInputs) {
    this.#merger = new WatermarkMerger(count);
    this.inputs = Array.from({ length: count }, (_, input) => this.#input(input, target));
  }

  /** Puts back the merged watermark of a snapshot. */
  restore(watermark: number): void {
    this.#merger.restore(watermark);
  }

  #input(input: number, target: MergedInputs): Output {
    return {
      records: (records) => {
        this.#isIdle = false;
        this.#merger.active(input);
        target.records(input, records);
      },
      watermark: (time) => {
        this.#isIdle = false;
        if (this.#merger.watermark(input, time)) target.watermark(this.#merger.merged);
      },
      idle: () => {
        if (this.#merger.idle(input)) target.watermark(this.#merger.merged);
        if (this.#isIdle || !this.#merger.allIdle) return;
        this.#isIdle = true;
        target.idle();
      },
    };
  }
}
