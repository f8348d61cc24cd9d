import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { BatchBuilder, encodeFrame } from '#wire';
import { NexmarkEvent } from './event.ts';
import { type Generation, nexmarkGenerator } from './generator.ts';

export interface EventFileOptions extends Generation {
  readonly events: number;
}

export interface EventFile {
  readonly path: string;
  /** Of the whole file: every engine that is compared reads these bytes, whatever made them. */
  readonly sha256: string;
  /** Reads the file. @throws when its SHA-256 is not the one that it was written with */
  readonly frames: () => readonly Uint8Array[];
}

export const FRAME_RECORDS = 1_000;
const LENGTH_BYTES = 4;

/** The first so many events. */
export function* nexmarkEvents({ events, ...generation }: EventFileOptions): Generator<NexmarkEvent> {
  const eventOf = nexmarkGenerator(generation);
  for (let id = 0; id < events; id++) yield eventOf(id);
}

/** The events as frames of 1,000 in a file, `u32 LE length, frame` repeated, made once and kept with its SHA-256 beside it. */
export function nexmarkFile(options: EventFileOptions, folder: string): EventFile {
  mkdirSync(folder, { recursive: true });
  const { events, rate, seed } = options;
  const path = join(folder, `nexmark-${events}-${rate}-${seed}.frames`);
  const sumPath = `${path}.sha256`;
  if (!existsSync(path) || !existsSync(sumPath)) writeFileSync(sumPath, `${writeFrames(options, path)}\n`);
  const sha256 = readFileSync(sumPath, 'utf8').trim();
  return { path, sha256, frames: () => readFrames(path, sha256) };
}

/** The events in frames of 1,000. */
export function* framesOf(events: Iterable<NexmarkEvent>): Generator<Uint8Array> {
  const builder = new BatchBuilder(NexmarkEvent);
  let last = 0;
  for (const event of events) {
    builder.append(event);
    last++;
    if (builder.count === FRAME_RECORDS) yield frameOf(builder, last);
  }
  if (builder.count > 0) yield frameOf(builder, last);
}

/** @param last events up to the end of the frame */
function frameOf(builder: BatchBuilder<NexmarkEvent>, last: number): Uint8Array {
  const batch = builder.finish();
  return encodeFrame(batch, {
    producer: 'nexmark',
    epoch: 1,
    prev: last - batch.count,
    first: last - batch.count + 1,
    watermark: Number.NaN,
    compression: 'none',
  });
}

/** Gives the file's SHA-256. */
function writeFrames(options: EventFileOptions, path: string): string {
  const hash = createHash('sha256');
  const file = openSync(`${path}.tmp`, 'w');
  try {
    for (const frame of framesOf(nexmarkEvents(options))) {
      const length = Buffer.alloc(LENGTH_BYTES);
      length.writeUInt32LE(frame.length);
      for (const part of [length, frame]) {
        writeSync(file, part);
        hash.update(part);
      }
    }
  } finally {
    closeSync(file);
  }
  renameSync(`${path}.tmp`, path);
  return hash.digest('hex');
}

function readFrames(path: string, sha256: string): readonly Uint8Array[] {
  const frames: Uint8Array[] = [];
  const hash = createHash('sha256');
  const length = Buffer.alloc(LENGTH_BYTES);
  const file = openSync(path, 'r');
  try {
    while (readSync(file, length) === LENGTH_BYTES) {
      const frame = new Uint8Array(length.readUInt32LE());
      readSync(file, frame);
      hash.update(length).update(frame);
      frames.push(frame);
    }
  } finally {
    closeSync(file);
  }
  const found = hash.digest('hex');
  if (found !== sha256)
    throw new Error(
      `${path} has SHA-256 ${found}, not ${sha256} as written: delete it to have it made anew.`,
    );
  return frames;
}
