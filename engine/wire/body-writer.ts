import { MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { align8 } from './frame-layout.ts';

/** Kept between frames up to this size, so that encoding one frame allocates only its result. */
const KEPT_BYTES_MAX = 1024 * 1024;
let kept: BodyWriter | null = null;

/**
 * Runs `write` with an empty writer. The bytes it gives are copied by the caller before the writer is used again;
 * a nested call gets a writer of its own.
 */
export function withBodyWriter<T>(write: (writer: BodyWriter) => T): T {
  const writer = kept ?? new BodyWriter();
  kept = null;
  try {
    writer.length = 0;
    return write(writer);
  } finally {
    if (writer.bytes.length <= KEPT_BYTES_MAX) kept = writer;
  }
}

/** A growing buffer for one body. Views are valid until the next `reserve`. Reserved bytes hold garbage. */
export class BodyWriter {
  bytes = new Uint8Array(128 * 1024);
  view = new DataView(this.bytes.buffer);
  length = 0;

  /** Takes `bytes` more and returns where they start. @throws MR_FRAME_TOO_LARGE beyond LIMITS.frameBodyBytesMax */
  reserve(bytes: number): number {
    const at = this.length;
    const end = at + bytes;
    if (end > LIMITS.frameBodyBytesMax) {
      throw new MillraceError(
        'MR_FRAME_TOO_LARGE',
        `A frame body would exceed ${LIMITS.frameBodyBytesMax} bytes; finish batches at fewer records.`,
      );
    }
    if (end > this.bytes.length) this.#grow(end);
    this.length = end;
    return at;
  }

  /** Zeros up to the next multiple of 8. */
  pad(): void {
    const at = this.reserve(align8(this.length) - this.length);
    this.bytes.fill(0, at, this.length);
  }

  append(source: Uint8Array): void {
    const at = this.reserve(source.length);
    this.bytes.set(source, at);
  }

  f64(count: number): Float64Array {
    const at = this.reserve(count * 8);
    return new Float64Array(this.bytes.buffer, at, count);
  }

  f32(count: number): Float32Array {
    const at = this.reserve(count * 4);
    return new Float32Array(this.bytes.buffer, at, count);
  }

  i64(count: number): BigInt64Array {
    const at = this.reserve(count * 8);
    return new BigInt64Array(this.bytes.buffer, at, count);
  }

  i32(count: number): Int32Array {
    const at = this.reserve(count * 4);
    return new Int32Array(this.bytes.buffer, at, count);
  }

  u32(count: number): Uint32Array {
    const at = this.reserve(count * 4);
    return new Uint32Array(this.bytes.buffer, at, count);
  }

  u16(count: number): Uint16Array {
    const at = this.reserve(count * 2);
    return new Uint16Array(this.bytes.buffer, at, count);
  }

  u8(count: number): Uint8Array {
    const at = this.reserve(count);
    return this.bytes.subarray(at, at + count);
  }

  #grow(end: number): void {
    const grown = new Uint8Array(Math.max(end, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
  }
}
