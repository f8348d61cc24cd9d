/**
 * Numbers of the entries that one state has on disk, from 1 up, small so that they index bits. A marked entry is one that memory
 * knows better: its key has a slot.
 *
 * EN1 a number names one entry as long as that exists, and is used again afterwards.
 */
export class EntryNumbers {
  readonly #free: number[] = [];
  #next = 1;
  #marks = new Uint32Array(32);

  /** Entries in existence. */
  get size(): number {
    return this.#next - 1 - this.#free.length;
  }

  take(): number {
    return this.#free.pop() ?? this.#next++;
  }

  /** The entry is gone. */
  give(number: number): void {
    this.unmark(number);
    this.#free.push(number);
  }

  mark(number: number): void {
    const word = number >>> 5;
    if (word >= this.#marks.length) this.#grow(word);
    this.#marks[word] = (this.#marks[word] as number) | (1 << (number & 31));
  }

  unmark(number: number): void {
    const word = number >>> 5;
    if (word < this.#marks.length) this.#marks[word] = (this.#marks[word] as number) & ~(1 << (number & 31));
  }

  isMarked(number: number): boolean {
    return isSet(this.#marks, number);
  }

  /** The marks as they are now, to be asked later. */
  marked(): (number: number) => boolean {
    const marks = this.#marks.slice();
    return (number) => isSet(marks, number);
  }

  #grow(word: number): void {
    const marks = new Uint32Array(Math.max(this.#marks.length * 2, word + 1));
    marks.set(this.#marks);
    this.#marks = marks;
  }
}

function isSet(marks: Uint32Array, number: number): boolean {
  return (((marks[number >>> 5] ?? 0) >>> (number & 31)) & 1) === 1;
}
