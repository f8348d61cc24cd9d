import type { KnownKey } from './known-keys.ts';
import { RecordPacker } from './record-packer.ts';
import { recordsOf } from './series-layout.ts';
import type { WindowResult } from './window-result.ts';

/**
 * Points that wait for one page and window start, each key's last, packed as they will be stored: of rows that wait as objects, a garbage
 * collection moves each.
 *
 * PP1 records lie in the order in which their keys were put last, which is the order of `#froms`. Between them lie some that later ones
 *     have replaced, no more than there are keys, until they are taken.
 */
export class PackedPoints {
  #packer: RecordPacker;
  /** Where each key's record begins. */
  readonly #froms: Map<KnownKey, number>;
  /** Records that others have replaced. */
  #replaced = 0;

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
    if (this.#froms.delete(key)) this.#replaced++;
    if (this.#replaced > this.#froms.size) this.#dropReplaced();
    this.#froms.set(key, this.#packer.length);
    this.#packer.add(key.keyText, window.end, value);
  }

  /** Moves the first `count` points out; there are more. */
  takeFirst(count: number): PackedPoints {
    this.#dropReplaced();
    const first = [...this.#froms].slice(0, count + 1);
    const [, end] = first.pop() as [KnownKey, number];
    const moved = new PackedPoints(this.#packer.cut(0, end), new Map(first));
    for (const [key] of first) this.#froms.delete(key);
    for (const [key, from] of this.#froms) this.#froms.set(key, from - end);
    return moved;
  }

  /** The records, for good. */
  take(): Buffer {
    this.#dropReplaced();
    return this.#packer.take();
  }

  #dropReplaced(): void {
    if (this.#replaced === 0) return;
    this.#replaced = 0;
    const froms = new Set(this.#froms.values());
    const bytes = this.#packer.take();
    const kept: Buffer[] = [];
    let from = 0;
    for (const { point } of recordsOf(bytes)) {
      const end = point.byteOffset - bytes.byteOffset + point.length;
      if (froms.has(from)) kept.push(bytes.subarray(from, end));
      from = end;
    }
    this.#packer = new RecordPacker(Buffer.concat(kept));
    let [at, i] = [0, 0];
    for (const key of this.#froms.keys()) {
      this.#froms.set(key, at);
      at += (kept[i++] as Buffer).length;
    }
  }
}
