import { ReusedArrays } from '../state/array-source.ts';
import { LazyGroups } from '../state/lazy-groups.ts';
import type { Steps } from '../state/steps.ts';
import { GroupEncoder } from './group-encoder.ts';
import { compressPart } from './part-compression.ts';
import type { Slices } from './slices.ts';

/** Makes, encodes and compresses a snapshot's key groups, one at a time, in slices and in memory that is used again. */
export class GroupPacking {
  readonly #slices: Slices;
  readonly #arrays = new ReusedArrays();
  readonly #encoder = new GroupEncoder();

  constructor(slices: Slices) {
    this.#slices = slices;
  }

  /** One group as it is stored, in memory of its own. */
  async pack(groups: ReadonlyMap<number, unknown>, number: number): Promise<ReturnType<typeof compressPart>> {
    this.#arrays.reset();
    while (this.#slices.isOver) await this.#slices.next();
    const group =
      groups instanceof LazyGroups
        ? await this.#run(groups.making(number, this.#arrays))
        : groups.get(number);
    while (this.#slices.isOver) await this.#slices.next();
    const bytes = await this.#run(this.#encoder.encode(group));
    while (this.#slices.isOver) await this.#slices.next();
    return compressPart(bytes);
  }

  async #run<Result>(steps: Steps<Result>): Promise<Result> {
    for (;;) {
      const { done, value } = steps.next();
      if (done === true) return value;
      while (this.#slices.isOver) await this.#slices.next();
    }
  }
}
