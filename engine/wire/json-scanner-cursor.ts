import { LIMITS } from '../base/limits.ts';
import type { JsonText, JsonTexts } from './json-scanner-texts.ts';

export const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const ZERO = 0x30;
const NINE = 0x39;
const POWERS_OF_TEN = Array.from({ length: 23 }, (_, k) => 10 ** k);
/** A string of more bytes than this might not fit a cell; the slow path looks at it closely. */
const PLAIN_BYTES_MAX = Math.floor(LIMITS.cellBytesMax / 3);

/**
 * Reads the values of one JSON text where they are plain, and lets JSON.parse read those that are not. Each method leaves `at` behind what it
 * has read, or where it was when it says no.
 *
 * JC1 what a method accepts has exactly the value that JSON.parse gives it; what it cannot vouch for it leaves to JSON.parse.
 * JC2 bytes behind the text's end may be looked at but end up in no accepted text: `at` only grows, and must end at the end.
 */
export class JsonCursor {
  bytes: Buffer = Buffer.alloc(0);
  at = 0;
  /** Where the text ends; `bytes` may go on. */
  end = 0;

  /** Skips white space; the byte after it. */
  space(): number {
    const { bytes } = this;
    let c = bytes[this.at] as number;
    while (c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09) c = bytes[++this.at] as number;
    return c;
  }

  /** True when only white space is left. */
  ended(): boolean {
    while (this.at < this.end) {
      const c = this.bytes[this.at];
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return false;
      this.at++;
    }
    return this.at === this.end;
  }

  /**
   * A number of up to 53 bits and 22 decimals without an exponent, else NaN. Both halves of the division are exact, so that its one
   * rounding is the right one (Clinger, How to Read Floating Point Numbers Accurately, 1990).
   */
  number(): number {
    const { bytes } = this;
    let p = this.at;
    let c = bytes[p] as number;
    const negative = c === 0x2d;
    if (negative) c = bytes[++p] as number;
    let digits = c - ZERO;
    if (!(digits >= 0 && digits <= 9)) return Number.NaN;
    c = bytes[++p] as number;
    if (digits !== 0) {
      for (; c >= ZERO && c <= NINE; c = bytes[++p] as number) digits = digits * 10 + (c - ZERO);
    } else if (c >= ZERO && c <= NINE) return Number.NaN;
    let decimals = 0;
    if (c === 0x2e) {
      const point = p;
      for (c = bytes[++p] as number; c >= ZERO && c <= NINE; c = bytes[++p] as number)
        digits = digits * 10 + (c - ZERO);
      decimals = p - point - 1;
      if (decimals === 0 || decimals > 22) return Number.NaN;
    }
    if (c === 0x65 || c === 0x45 || digits > Number.MAX_SAFE_INTEGER) return Number.NaN;
    this.at = p;
    const value = decimals === 0 ? digits : digits / (POWERS_OF_TEN[decimals] as number);
    return negative ? -value : value;
  }

  /** A string without escapes, or null. */
  text(texts: JsonTexts): JsonText | null {
    const { bytes } = this;
    if (bytes[this.at] !== QUOTE) return null;
    const start = this.at + 1;
    let p = start;
    let hash = 0;
    let seen = 0;
    for (let c = bytes[p] as number; c !== QUOTE; c = bytes[++p] as number) {
      if (!(c >= 0x20) || c === BACKSLASH) return null;
      seen |= c;
      hash = (Math.imul(hash, 31) + c) | 0;
    }
    if (p - start > PLAIN_BYTES_MAX) return null;
    this.at = p + 1;
    return seen < 0x80 ? texts.find(bytes, start, p, hash) : bytes.toString('utf8', start, p);
  }

  /** The rest of a literal, such as `true`. */
  literal(text: readonly number[]): boolean {
    for (let i = 0; i < text.length; i++) if (this.bytes[this.at + i] !== text[i]) return false;
    this.at += text.length;
    return true;
  }

  /** Any value, by JSON.parse; undefined when it is none. */
  unusual(): unknown {
    const start = this.at;
    const end = this.#valueEnd();
    try {
      const value: unknown = JSON.parse(this.bytes.toString('utf8', start, end));
      this.at = end;
      return value;
    } catch {
      return undefined;
    }
  }

  /** Passes over a value of no interest, which must be JSON all the same. */
  skip(): boolean {
    const c = this.bytes[this.at];
    if (c === QUOTE && this.#skipPlainText()) return true;
    if (c !== QUOTE && !Number.isNaN(this.number())) return true;
    return this.unusual() !== undefined;
  }

  #skipPlainText(): boolean {
    const { bytes } = this;
    let p = this.at + 1;
    for (let c = bytes[p] as number; c !== QUOTE; c = bytes[++p] as number)
      if (!(c >= 0x20) || c === BACKSLASH) return false;
    this.at = p + 1;
    return true;
  }

  /** Where the value at `at` ends if it is one; JSON.parse decides. */
  #valueEnd(): number {
    const { bytes, end } = this;
    let depth = 0;
    for (let p = this.at; p < end; p++) {
      switch (bytes[p] as number) {
        case QUOTE:
          p = textEnd(bytes, p, end);
          if (depth === 0) return Math.min(p + 1, end);
          break;
        case 0x5b:
        case 0x7b:
          depth++;
          break;
        case 0x5d:
        case 0x7d:
          if (depth === 0) return p;
          if (--depth === 0) return p + 1;
          break;
        case 0x2c:
        case 0x20:
        case 0x0a:
        case 0x0d:
        case 0x09:
          if (depth === 0) return p;
          break;
      }
    }
    return end;
  }
}

/** The closing quote of the string that opens at `from`. */
function textEnd(bytes: Buffer, from: number, end: number): number {
  let p = from + 1;
  while (p < end && bytes[p] !== QUOTE) p += bytes[p] === BACKSLASH ? 2 : 1;
  return p;
}
