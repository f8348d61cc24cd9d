import { ReusedArrays } from '../state/array-source.ts';
import { LazyGroups } from '../state/lazy-groups.ts';
import { compressPart } from './part-compression.ts';
import type { Slices } from './slices.ts';
import { GroupEncoder } from './snapshot-codec.ts';

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
    if (this.#slices.isOver) await this.#slices.pause();
    const group = groups instanceof LazyGroups ? await this.#made(groups, number) : groups.get(number);
    if (this.#slices.isOver) await this.#slices.pause();
    const bytes = this.#encoder.encode(group);
    if (this.#slices.isOver) await this.#slices.pause();
    return compressPart(bytes);
  }

  async #made(groups: LazyGroups<unknown>, number: number): Promise<unknown> {
    const steps = groups.making(number, this.#arrays);
    for (;;) {
      const { done, value } = steps.next();
      if (done === true) return value;
      if (this.#slices.isOver) await this.#slices.pause();
    }
  }
}
