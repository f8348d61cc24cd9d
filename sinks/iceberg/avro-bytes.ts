/** Avro's binary primitives (Avro 1.11 spec, "Binary Encoding"): zig-zag varints, length-prefixed bytes. Grows as needed. */
export class AvroWriter {
  #buffer = Buffer.allocUnsafe(1024);
  #length = 0;

  long(value: number | bigint): void {
    this.#reserve(10);
    if (typeof value === 'number' && value >= -0x40000000 && value < 0x40000000) {
      let rest = ((value << 1) ^ (value >> 31)) >>> 0;
      for (; rest > 0x7f; rest >>>= 7) this.#buffer[this.#length++] = (rest & 0x7f) | 0x80;
      this.#buffer[this.#length++] = rest;
      return;
    }
    const wide = BigInt(value);
    let rest = BigInt.asUintN(64, (wide << 1n) ^ (wide >> 63n));
    for (; rest > 0x7fn; rest >>= 7n) this.#buffer[this.#length++] = Number(rest & 0x7fn) | 0x80;
    this.#buffer[this.#length++] = Number(rest);
  }

  boolean(value: boolean): void {
    this.#reserve(1);
    this.#buffer[this.#length++] = value ? 1 : 0;
  }

  float(value: number): void {
    this.#reserve(4);
    this.#length = this.#buffer.writeFloatLE(value, this.#length);
  }

  double(value: number): void {
    this.#reserve(8);
    this.#length = this.#buffer.writeDoubleLE(value, this.#length);
  }

  text(value: string): void {
    this.bytes(Buffer.from(value, 'utf8'));
  }

  bytes(value: Uint8Array): void {
    this.long(value.length);
    this.raw(value);
  }

  raw(value: Uint8Array): void {
    this.#reserve(value.length);
    this.#buffer.set(value, this.#length);
    this.#length += value.length;
  }

  /** Everything written; the writer must not be used after. */
  done(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, needed));
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }
}

/** Reads what {@link AvroWriter} writes. Every read past the end throws a RangeError. */
export class AvroReader {
  readonly #buffer: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get atEnd(): boolean {
    return this.#at >= this.#buffer.length;
  }

  /** A number where it is exact, else a bigint. */
  long(): number | bigint {
    let low = 0; // the first 28 bits, which nearly every value fits
    let byte = this.#byte();
    for (let shift = 0; ; shift += 7) {
      low |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (low >>> 1) ^ -(low & 1);
      if (shift === 21) break;
      byte = this.#byte();
    }
    let wide = BigInt(low >>> 0);
    for (let shift = 28n; ; shift += 7n) {
      if (shift > 63n) throw new RangeError('a varint has more than 10 bytes');
      byte = this.#byte();
      wide |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    const value = BigInt.asIntN(64, (wide >> 1n) ^ -(wide & 1n));
    return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)
      ? Number(value)
      : value;
  }

  /** A length or count. */
  count(): number {
    const value = this.long();
    if (typeof value !== 'number' || value < 0) throw new RangeError(`a length is ${value}`);
    return value;
  }

  /** Items in the next block of an array or map; 0 ends it. A negative count is followed by the block's bytes. */
  blockCount(): number {
    const value = this.long();
    if (typeof value !== 'number') throw new RangeError(`a block count is ${value}`);
    if (value < 0) this.count();
    return Math.abs(value);
  }

  boolean(): boolean {
    return this.#byte() === 1;
  }

  float(): number {
    return this.raw(4).readFloatLE(0);
  }

  double(): number {
    return this.raw(8).readDoubleLE(0);
  }

  text(): string {
    return this.bytes().toString('utf8');
  }

  bytes(): Buffer {
    return this.raw(this.count());
  }

  /** A view, not a copy. */
  raw(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#buffer.length)
      throw new RangeError(`${length} bytes wanted at ${this.#at} of ${this.#buffer.length}`);
    const bytes = this.#buffer.subarray(this.#at, end);
    this.#at = end;
    return bytes;
  }

  #byte(): number {
    const byte = this.#buffer[this.#at++];
    if (byte === undefined) throw new RangeError('the bytes end too early');
    return byte;
  }
}
