import type { Bytes } from './bytes.ts';

/** Items from left to right. */
export class ListValue {
  readonly kind = 'list';
  #items: Bytes[];
  #bytes: number;

  constructor(from?: ListValue) {
    this.#items = from === undefined ? [] : [...from.#items];
    this.#bytes = from?.bytes ?? 0;
  }

  get size(): number {
    return this.#items.length;
  }

  /** Bytes that it is charged with. */
  get bytes(): number {
    return this.#bytes;
  }

  pushLeft(item: Bytes): void {
    this.#items.unshift(item);
    this.#bytes += item.length + ITEM_BYTES;
  }

  pushRight(item: Bytes): void {
    this.#items.push(item);
    this.#bytes += item.length + ITEM_BYTES;
  }

  /** Takes at most `count`, the outermost first. */
  pop(side: 'left' | 'right', count: number): Bytes[] {
    const taken =
      side === 'left'
        ? this.#items.splice(0, count)
        : this.#items.splice(Math.max(0, this.#items.length - count)).reverse();
    for (const item of taken) this.#bytes -= item.length + ITEM_BYTES;
    return taken;
  }

  /** Items from `start` to before `end`, both already within bounds. */
  slice(start: number, end: number): Bytes[] {
    return this.#items.slice(start, end);
  }

  /** Keeps what {@link slice} would give. */
  keep(start: number, end: number): void {
    this.#items = this.#items.slice(start, end);
    this.#bytes = this.#items.reduce((sum, item) => sum + item.length + ITEM_BYTES, 0);
  }

  clone(): ListValue {
    return new ListValue(this);
  }
}

const ITEM_BYTES = 8;
