import type { KnownKey } from './known-keys.ts';
import { RecordPacker } from './record-packer.ts';
import type { WindowResult } from './window-result.ts';

/**
 * Points that wait for one page and window start, each key's last, packed as they will be stored: of rows that wait as objects, a garbage
 * collection moves each.
 *
 * PP1 records lie in the order in which their keys were put last, which is the order of `#froms`.
 */
export class PackedPoints {
  readonly #packer: RecordPacker;
  /** Where each key's record begins. */
  readonly #froms: Map<KnownKey, number>;

  constructor(packer = new RecordPacker(), froms: Map<KnownKey, number> = new Map()) {
    this.#packer = packer;
    this.#froms = froms;
  }

  get size(): number {
    return this.#froms.size;
  }

  get keys(): Iterable<KnownKey> {
    return this.#froms.keys();
  }

  put(key: KnownKey, { window, value }: WindowResult): void {
    if (this.#froms.has(key)) this.#remove(key);
    this.#froms.set(key, this.#packer.length);
    this.#packer.add(key.keyText, window.end, value);
  }

  /** Moves the first `count` points out; there are more. */
  takeFirst(count: number): PackedPoints {
    const first = [...this.#froms].slice(0, count + 1);
    const [, end] = first.pop() as [KnownKey, number];
    const moved = new PackedPoints(this.#packer.cut(0, end), new Map(first));
    for (const [key] of first) this.#froms.delete(key);
    for (const [key, from] of this.#froms) this.#froms.set(key, from - end);
    return moved;
  }

  /** The records, for good. */
  take(): Buffer {
    return this.#packer.take();
  }

  #remove(key: KnownKey): void {
    const from = this.#froms.get(key) as number;
    this.#froms.delete(key);
    let bytes = 0;
    for (const [behind, at] of this.#froms) {
      if (at < from) continue;
      if (bytes === 0) bytes = at - from;
      this.#froms.set(behind, at - bytes);
    }
    this.#packer.cut(from, bytes === 0 ? this.#packer.length : from + bytes);
  }
}
