const INDICES_MIN = 1_024;

/** Gathers the indices of the records of one batch that are meant; its room is used again for the next batch. */
export class SelectionBuilder {
  #indices = new Uint16Array(INDICES_MIN);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(index: number): void {
    if (this.#count === this.#indices.length) this.#grow();
    this.#indices[this.#count++] = index;
  }

  /** What has been added since the last call. */
  take(): Uint16Array {
    const taken = this.#indices.slice(0, this.#count);
    this.#count = 0;
    return taken;
  }

  #grow(): void {
    const grown = new Uint16Array(2 * this.#indices.length);
    grown.set(this.#indices);
    this.#indices = grown;
  }
}
