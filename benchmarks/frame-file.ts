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
import { dirname } from 'node:path';

/** Frames in a file, `u32 LE length, frame` repeated: every engine that is compared reads these bytes, whatever made them. */
export interface FrameFile {
  readonly path: string;
  /** Of the whole file. */
  readonly sha256: string;
  /** Reads the file. @throws when its SHA-256 is not the one that it was written with */
  readonly frames: () => readonly Uint8Array[];
}

const LENGTH_BYTES = 4;

/** The file at a path, made once and kept with its SHA-256 beside it. */
export function frameFile(path: string, make: () => Iterable<Uint8Array>): FrameFile {
  mkdirSync(dirname(path), { recursive: true });
  const sumPath = `${path}.sha256`;
  if (!existsSync(path) || !existsSync(sumPath)) writeFileSync(sumPath, `${writeFrames(path, make())}\n`);
  const sha256 = readFileSync(sumPath, 'utf8').trim();
  return { path, sha256, frames: () => readFrames(path, sha256) };
}

/** Gives the file's SHA-256. */
function writeFrames(path: string, frames: Iterable<Uint8Array>): string {
  const hash = createHash('sha256');
  const file = openSync(`${path}.tmp`, 'w');
  try {
    for (const frame of frames) {
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
