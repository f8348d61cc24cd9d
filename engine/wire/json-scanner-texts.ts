/** Longer strings are made anew each time. */
const TEXT_BYTES_MAX = 48;
const SLOTS_MIN = 1_024;
const SLOTS_MAX = 65_536;
/** Look-ups after which it is judged whether remembering pays. */
const JUDGE_EVERY = 4_096;
/** Judgements that a column whose strings do not repeat is left alone for. */
const REST_JUDGEMENTS = 16;

/**
 * Makes the JS string of recurring ASCII bytes once: finding the one that was made before costs less than making it anew and
 * hashing it in every Map that it meets. One string per slot, the last one wins; grows while strings of one slot displace each other,
 * and rests where they do not repeat at all (ids of single records).
 */
export class JsonTexts {
  #mask = SLOTS_MIN - 1;
  #hashes = new Int32Array(SLOTS_MIN);
  /** Length + 1; 0: the slot is empty. */
  #lengths = new Uint8Array(SLOTS_MIN);
  #bytes = new Uint8Array(SLOTS_MIN * TEXT_BYTES_MAX);
  #texts: string[] = new Array<string>(SLOTS_MIN).fill('');
  #lookups = 0;
  #misses = 0;
  #rest = 0;

  /** The string of ASCII bytes `start` … `end`. @param hash any 32 bits that follow from those bytes alone */
  text(bytes: Buffer, start: number, end: number, hash: number): string {
    const length = end - start;
    if (++this.#lookups === JUDGE_EVERY) this.#judge();
    if (length > TEXT_BYTES_MAX || this.#rest > 0) return bytes.toString('latin1', start, end);
    const slot = (hash ^ (hash >>> 15)) & this.#mask;
    if (this.#hashes[slot] === hash && this.#lengths[slot] === length + 1) {
      const stored = this.#bytes;
      let at = slot * TEXT_BYTES_MAX;
      let p = start;
      while (p < end && stored[at] === bytes[p]) {
        at++;
        p++;
      }
      if (p === end) return this.#texts[slot] as string;
    }
    return this.#remember(bytes, start, end, hash, slot);
  }

  #remember(bytes: Buffer, start: number, end: number, hash: number, slot: number): string {
    const text = bytes.toString('latin1', start, end);
    this.#misses++;
    this.#hashes[slot] = hash;
    this.#lengths[slot] = end - start + 1;
    bytes.copy(this.#bytes, slot * TEXT_BYTES_MAX, start, end);
    this.#texts[slot] = text;
    return text;
  }

  #judge(): void {
    const misses = this.#misses;
    this.#lookups = 0;
    this.#misses = 0;
    if (this.#rest > 0) this.#rest--;
    else if (misses * 8 > JUDGE_EVERY) {
      if (this.#texts.length < SLOTS_MAX) this.#grow();
      else if (misses * 2 > JUDGE_EVERY) this.#rest = REST_JUDGEMENTS;
    }
  }

  #grow(): void {
    const slots = this.#texts.length * 4;
    this.#mask = Math.min(slots, SLOTS_MAX) - 1;
    this.#hashes = new Int32Array(this.#mask + 1);
    this.#lengths = new Uint8Array(this.#mask + 1);
    this.#bytes = new Uint8Array((this.#mask + 1) * TEXT_BYTES_MAX);
    this.#texts = new Array<string>(this.#mask + 1).fill('');
  }
}
