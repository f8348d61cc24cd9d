import { WatermarkMerger } from '../time/watermark-merger.ts';
import { MIN_WATERMARK } from '../time/watermark.ts';
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
 * IM2 after a restore every input is waited for: one that goes on early does not take event time past one that has not begun.
 */
export class InputMerger {
  readonly inputs: readonly Output[];
  readonly #merger: WatermarkMerger;
  #isIdle = false;
  /** Handed on before a restore, and not again. */
  #restored = MIN_WATERMARK;

  constructor(count: number, target: MergedInputs) {
    this.#merger = new WatermarkMerger(count);
    this.inputs = Array.from({ length: count }, (_, input) => this.#input(input, target));
  }

  /** Puts back the merged watermark of a snapshot. */
  restore(watermark: number): void {
    this.#restored = watermark;
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
        if (this.#merger.watermark(input, time)) this.#raised(target);
      },
      idle: () => {
        if (this.#merger.idle(input)) this.#raised(target);
        if (this.#isIdle || !this.#merger.allIdle) return;
        this.#isIdle = true;
        target.idle();
      },
    };
  }

  #raised(target: MergedInputs): void {
    if (this.#merger.merged > this.#restored) target.watermark(this.#merger.merged);
  }
}
