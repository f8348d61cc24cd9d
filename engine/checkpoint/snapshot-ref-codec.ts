import { invariant } from '../base/errors.ts';
import type { BlobRef } from './checkpoint-store.ts';
import type { BlobPiece, BlobRange, GroupRange, SnapshotRef } from './manifest.ts';

/**
 * Snapshot refs as few msgpack values, about 10 bytes per key group: for manifests, and for acknowledgements between processes.
 * Blobs are named once, and by their number from then on.
 *
 * ```text
 * sizes    per blob: bytes, crc
 * ranges   head: range; count of groups; per group: group − group before, range
 * range    pieces × 2 + compressed; per piece: blob, offset, bytes
 * ```
 *
 * Every number is an unsigned LEB128 of at most 32 bits.
 */
export interface PackedSnapshots {
  readonly blobs: readonly string[];
  readonly sizes: Uint8Array;
  readonly snapshots: readonly (readonly [
    operator: string,
    subtask: number,
    parallelism: number,
    ranges: Uint8Array,
  ])[];
}

export function packSnapshotRefs(refs: readonly SnapshotRef[]): PackedSnapshots {
  const numbers = new Map<string, number>();
  const blobs: BlobRef[] = [];
  const numberOf = (blob: BlobRef): number => {
    const known = numbers.get(blob.key);
    if (known !== undefined) return known;
    numbers.set(blob.key, blobs.length);
    return blobs.push(blob) - 1;
  };
  const snapshots = refs.map(
    (ref) => [ref.operator, ref.subtask, ref.parallelism, packRanges(ref, numberOf)] as const,
  );
  const sizes = new NumberWriter();
  for (const { bytes, crc } of blobs) {
    sizes.write(bytes);
    sizes.write(crc);
  }
  return { blobs: blobs.map(({ key }) => key), sizes: sizes.bytes(), snapshots };
}

/** Reads {@link packSnapshotRefs} back. @throws RangeError when it is cut short or names a blob that it does not have. */
export function unpackSnapshotRefs(packed: PackedSnapshots): readonly SnapshotRef[] {
  const sizes = new NumberReader(packed.sizes);
  const blobs = packed.blobs.map((key): BlobRef => ({ key, bytes: sizes.read(), crc: sizes.read() }));
  return packed.snapshots.map(([operator, subtask, parallelism, ranges]) => {
    const reader = new NumberReader(ranges);
    const head = readRange(reader, blobs);
    const groups: GroupRange[] = [];
    for (let left = reader.read(), group = 0; left > 0; left--) {
      group += reader.read();
      groups.push({ group, ...readRange(reader, blobs) });
    }
    return { operator, subtask, parallelism, head, groups };
  });
}

function packRanges({ head, groups }: SnapshotRef, numberOf: (blob: BlobRef) => number): Uint8Array {
  const writer = new NumberWriter();
  writeRange(writer, head, numberOf);
  writer.write(groups.length);
  let before = 0;
  for (const range of groups) {
    writer.write(range.group - before);
    writeRange(writer, range, numberOf);
    before = range.group;
  }
  return writer.bytes();
}

function writeRange(
  writer: NumberWriter,
  { pieces, compressed }: BlobRange,
  numberOf: (blob: BlobRef) => number,
): void {
  writer.write(pieces.length * 2 + (compressed ? 1 : 0));
  for (const { blob, offset, bytes } of pieces) {
    writer.write(numberOf(blob));
    writer.write(offset);
    writer.write(bytes);
  }
}

function readRange(reader: NumberReader, blobs: readonly BlobRef[]): BlobRange {
  const shape = reader.read();
  const pieces: BlobPiece[] = [];
  for (let left = shape >>> 1; left > 0; left--) {
    const blob = blobs[reader.read()];
    if (blob === undefined) throw new RangeError('a range names no blob');
    pieces.push({ blob, offset: reader.read(), bytes: reader.read() });
  }
  return { pieces, compressed: (shape & 1) === 1 };
}

class NumberWriter {
  #bytes = new Uint8Array(256);
  #length = 0;

  write(value: number): void {
    invariant(value >>> 0 === value, `${value} is no unsigned number of 32 bits`);
    if (this.#length + 5 > this.#bytes.length) this.#grow();
    let rest = value;
    while (rest > 0x7f) {
      this.#bytes[this.#length++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#bytes[this.#length++] = rest;
  }

  bytes(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #grow(): void {
    const grown = new Uint8Array(this.#bytes.length * 2);
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}

class NumberReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  read(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) break;
      value = (value | ((byte & 0x7f) << shift)) >>> 0;
      if (byte < 0x80) return value;
    }
    throw new RangeError('a number is cut short');
  }
}
