/**
 * A reply as the server wrote it, and where its values lie: two numbers for each, a value before those inside it. A string, number or error
 * has its offset and its length in bytes; a list {@link LIST} and how many values it has; nil {@link NIL} and 0.
 */
export interface RespReply {
  readonly bytes: Buffer;
  readonly values: Int32Array;
}

export const LIST = -1;
export const NIL = -2;

/** Lists in lists of one reply at most. */
const DEPTH_MAX = 32;
const VALUES_AT_FIRST = 1_024;
const LENGTH_MAX = 2 ** 31 - 1;
const LF = 10;
const CR = 13;
const MINUS = 45;

/** What the first byte of a value says. */
const LINE = 1;
const STRING = 2;
const ITEMS = 3;
const PAIRS = 4;
const NOTHING = 5;
const KINDS = new Uint8Array(256);
for (const [types, kind] of [
  ['+-:#,(', LINE],
  ['$=!', STRING],
  ['*~>', ITEMS],
  ['%', PAIRS],
  ['_', NOTHING],
] as const)
  for (const type of Buffer.from(types)) KINDS[type] = kind;

/**
 * Finds where a reply of the Redis protocol, version 2 or 3, ends and where its values lie, in bytes that come in pieces cut anywhere.
 *
 * RS1 Memory is taken for what has come, never for what a length announces.
 */
export class RespScanner {
  #values = new Int32Array(VALUES_AT_FIRST);
  #used = 0;
  #noting = false;
  /** Values that are missing, per list that is open. */
  readonly #missing = new Float64Array(DEPTH_MAX);
  #depth = 0;
  /** Bytes of the reply in the pieces before. */
  #seen = 0;
  /** Bytes of a string, with its end of line, that are still to come. */
  #skip = 0;
  /** Of the value whose first line is being read; 0: of none. */
  #kind = 0;
  #lineStart = 0;
  #number = 0;
  #negative = false;

  /** Begins a reply. @param noting whether {@link values} will be asked for */
  start(noting: boolean): void {
    this.#noting = noting;
    this.#used = 0;
    this.#depth = 0;
    this.#seen = 0;
    this.#skip = 0;
    this.#kind = 0;
  }

  /** Where the values of the reply lie; see {@link RespReply}. */
  values(): Int32Array {
    return this.#values.slice(0, this.#used);
  }

  /**
   * Goes on with the reply at `from`: where it ends in this piece, or -1.
   * @throws Error when it is none
   */
  scan(piece: Uint8Array, from: number): number {
    const base = this.#seen - from;
    let at = from;
    while (at < piece.length) {
      if (this.#skip > 0) {
        const step = Math.min(this.#skip, piece.length - at);
        at += step;
        this.#skip -= step;
        if (this.#skip === 0 && this.#valueEnded()) return at;
        continue;
      }
      if (this.#kind === 0) this.#beginValue(piece[at++] as number, base + at);
      at = this.#kind === LINE ? lineEnd(piece, at) : this.#readNumber(piece, at);
      if (piece[at - 1] === LF && this.#lineEnded(base + at)) return at;
    }
    this.#seen = base + at;
    return -1;
  }

  #beginValue(type: number, lineStart: number): void {
    this.#kind = KINDS[type] as number;
    if (this.#kind === 0) throw new Error(`Redis sent a value of unknown type ${type}.`);
    this.#lineStart = lineStart;
    this.#number = 0;
    this.#negative = false;
  }

  /** Reads a length or nothing, up to behind its line or to the end of the piece. */
  #readNumber(piece: Uint8Array, from: number): number {
    let number = this.#number;
    let at = from;
    while (at < piece.length) {
      const c = piece[at++] as number;
      if (c >= 48 && c <= 57) number = number * 10 + (c - 48);
      else if (c === LF) break;
      else if (c === MINUS) this.#negative = true;
      else if (c !== CR) throw new Error(`Redis sent a length with the byte ${c} in it.`);
    }
    if (number > LENGTH_MAX) throw new Error(`Redis sent a length of ${number}.`);
    this.#number = number;
    return at;
  }

  /** A value's first line is read, up to `end`; true when the reply ends there. */
  #lineEnded(end: number): boolean {
    const kind = this.#kind;
    const number = this.#number;
    this.#kind = 0;
    if (kind === LINE) this.#note(this.#lineStart, end - 2 - this.#lineStart);
    else if (this.#negative || kind === NOTHING) this.#note(NIL, 0);
    else if (kind === STRING) {
      this.#note(end, number);
      this.#skip = number + 2;
      return false;
    } else {
      const count = kind === PAIRS ? 2 * number : number;
      this.#note(LIST, count);
      if (count > 0) {
        if (this.#depth === DEPTH_MAX) throw new Error(`Redis sent lists nested deeper than ${DEPTH_MAX}.`);
        this.#missing[this.#depth++] = count;
        return false;
      }
    }
    return this.#valueEnded();
  }

  #valueEnded(): boolean {
    while (this.#depth > 0) {
      const missing = (this.#missing[this.#depth - 1] as number) - 1;
      this.#missing[this.#depth - 1] = missing;
      if (missing > 0) return false;
      this.#depth--;
    }
    return true;
  }

  #note(start: number, size: number): void {
    if (!this.#noting) return;
    if (this.#used === this.#values.length) {
      const grown = new Int32Array(2 * this.#used);
      grown.set(this.#values);
      this.#values = grown;
    }
    this.#values[this.#used++] = start;
    this.#values[this.#used++] = size;
  }
}

/** Behind the end of the line, or the end of the piece. */
function lineEnd(piece: Uint8Array, from: number): number {
  const end = piece.indexOf(LF, from);
  return end < 0 ? piece.length : end + 1;
}
