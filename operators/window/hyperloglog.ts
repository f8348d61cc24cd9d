import { fmix32, mixRound } from '#wire';
import type { Scalar } from './aggregates.ts';

const PRECISION = 12;
const REGISTERS = 1 << PRECISION;
/** Hash bits behind the register's number. */
const REST_BITS = 53 - PRECISION;
/** Hashes kept one by one before registers take over. A table for more would be as large as the registers. */
const EXACT_MAX = 192;
const TABLE_FIRST = 16;
/** Limit of `alpha · m` for many registers: 1 / (2 ln 2). */
const ALPHA = 0.5 / Math.LN2;

/** As plain data, for snapshots: the hashes seen, or the registers. */
export type HyperLogLogState =
  | { readonly kind: 'exact'; readonly hashes: Float64Array }
  | { readonly kind: 'registers'; readonly registers: Uint8Array };

/**
 * How many different values have been added: exactly up to 192 of them, beyond with a standard error of 1.6 % in 4 KiB. Adding
 * and merging in any order, and any number of times, gives the same answer.
 *
 * Hashes have 53 bits (exact as a number): the first 12 name a register, which keeps the longest run of zeros that the other 41
 * began with. Source: Flajolet et al., HyperLogLog (2007); estimator: Ertl, New cardinality estimation algorithms (2017),
 * which needs no correction tables.
 */
export class HyperLogLog {
  /** Open addressing, 0 = empty; at most three quarters full. Null once the registers have taken over. */
  #hashes: Float64Array | null = new Float64Array(TABLE_FIRST);
  #size = 0;
  #registers: Uint8Array | null = null;

  /** The second argument is for call sites shared with what needs a time. */
  add(value: Scalar, _time?: number): void {
    this.#addHash(hash53(value));
  }

  merge(other: HyperLogLog): void {
    if (other.#registers === null) {
      for (const hash of other.#hashes as Float64Array) if (hash !== 0) this.#addHash(hash);
      return;
    }
    const into = this.#toRegisters();
    for (let i = 0; i < REGISTERS; i++)
      if ((other.#registers[i] as number) > (into[i] as number)) into[i] = other.#registers[i] as number;
  }

  /** Forgets all it has seen. */
  clear(): void {
    if (this.#registers === null && this.#size === 0) return;
    this.#hashes = new Float64Array(TABLE_FIRST);
    this.#size = 0;
    this.#registers = null;
  }

  /** Rounded to a whole number. */
  count(): number {
    return this.#registers === null ? this.#size : Math.round(estimate(this.#registers));
  }

  state(): HyperLogLogState {
    return this.#registers === null
      ? { kind: 'exact', hashes: (this.#hashes as Float64Array).filter((hash) => hash !== 0) }
      : { kind: 'registers', registers: this.#registers.slice() };
  }

  static from(state: HyperLogLogState): HyperLogLog {
    const sketch = new HyperLogLog();
    if (state.kind === 'exact') for (const hash of state.hashes) sketch.#addHash(hash);
    else sketch.#toRegisters().set(state.registers);
    return sketch;
  }

  #addHash(hash: number): void {
    if (this.#registers === null) this.#addExact(hash);
    else toRegister(this.#registers, hash);
  }

  #addExact(hash: number): void {
    const table = this.#hashes as Float64Array;
    const mask = table.length - 1;
    let at = hash & mask;
    for (let known = table[at] as number; known !== 0; known = table[at] as number) {
      if (known === hash) return;
      at = (at + 1) & mask;
    }
    if (this.#size === EXACT_MAX) {
      toRegister(this.#toRegisters(), hash);
      return;
    }
    table[at] = hash;
    this.#size++;
    if (this.#size * 4 > table.length * 3) this.#grow();
  }

  #grow(): void {
    const old = this.#hashes as Float64Array;
    this.#hashes = new Float64Array(old.length * 2);
    this.#size = 0;
    for (const hash of old) if (hash !== 0) this.#addExact(hash);
  }

  #toRegisters(): Uint8Array {
    if (this.#registers !== null) return this.#registers;
    const registers = new Uint8Array(REGISTERS);
    for (const hash of this.#hashes as Float64Array) if (hash !== 0) toRegister(registers, hash);
    this.#hashes = null;
    this.#registers = registers;
    return registers;
  }
}

/** 53 hash bits are `high` (21) · 2^32 + `low` (32). The register is `high`'s upper 12 bits. */
function toRegister(registers: Uint8Array, hash: number): void {
  const high = Math.floor(hash / 2 ** 32);
  const register = high >>> 9;
  const nine = high & 0x1ff;
  const rank = nine === 0 ? 10 + Math.clz32(hash >>> 0) : Math.clz32(nine) - 22;
  if (rank > (registers[register] as number)) registers[register] = rank;
}

const words = new Int32Array(new Float64Array(1).buffer);
const double = new Float64Array(words.buffer);
const TAG = { string: 1, number: 2, boolean: 3 } as const;

/** A whole number from 1 to 2^53 − 1: two lanes of MurmurHash3's rounds over the value, tagged with its type. */
function hash53(value: Scalar): number {
  const tag = TAG[typeof value as keyof typeof TAG];
  let a = 0x2f0b4a27 ^ tag;
  let b = 0x7b1d86e5 ^ tag;
  let length = 8;
  if (typeof value === 'string') {
    length = value.length;
    for (let i = 0; i < length; i++) {
      const unit = value.charCodeAt(i);
      a = mixRound(a, unit);
      b = mixRound(b, unit);
    }
  } else {
    // +0 makes −0 and 0 one; there is one NaN in memory only when it is written afresh.
    double[0] = value === value ? Number(value) + 0 : Number.NaN;
    a = mixRound(mixRound(a, words[0] as number), words[1] as number);
    b = mixRound(mixRound(b, words[0] as number), words[1] as number);
  }
  const high = fmix32(a ^ length) >>> 11;
  const low = fmix32(b ^ length) >>> 0;
  return high * 2 ** 32 + low || 1;
}

/** Ertl's estimator from the number of registers of each rank. */
function estimate(registers: Uint8Array): number {
  const counts = new Float64Array(REST_BITS + 2);
  for (const rank of registers) counts[rank] = (counts[rank] as number) + 1;
  let z = REGISTERS * tau(1 - (counts[REST_BITS + 1] as number) / REGISTERS);
  for (let rank = REST_BITS; rank >= 1; rank--) z = 0.5 * (z + (counts[rank] as number));
  z += REGISTERS * sigma((counts[0] as number) / REGISTERS);
  return (ALPHA * REGISTERS * REGISTERS) / z;
}

function sigma(share: number): number {
  if (share === 1) return Number.POSITIVE_INFINITY;
  let [x, y, z, before] = [share, 1, share, -1];
  while (z !== before) {
    x *= x;
    before = z;
    z += x * y;
    y += y;
  }
  return z;
}

function tau(share: number): number {
  if (share === 0 || share === 1) return 0;
  let [x, y, z, before] = [share, 1, 1 - share, -1];
  while (z !== before) {
    x = Math.sqrt(x);
    before = z;
    y *= 0.5;
    z -= (1 - x) ** 2 * y;
  }
  return z / 3;
}
