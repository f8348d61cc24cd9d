import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorText, MillraceError } from '../base/errors.ts';
import type { Manifest } from './manifest.ts';

/**
 * A savepoint outside of any store:
 *
 * ```text
 * savepoint.json    for people, and what every other file must be; written last
 * manifest          the manifest (manifest-codec.ts), with the keys that blobs had
 * blobs/<sha-256>   one file per blob; equal ones once
 * ```
 */
export interface SavepointFile {
  readonly format: 1;
  readonly job: string;
  readonly jobVersion: string;
  readonly savepoint: number;
  /** ISO 8601. */
  readonly takenAt: string;
  readonly parallelism: number;
  readonly maxParallelism: number;
  /** `bytes`: of the operator's state, as stored. */
  readonly operators: readonly (Manifest['operators'][number] & { readonly bytes: number })[];
  readonly positions: Manifest['positions'];
  readonly sinks: readonly {
    readonly operator: string;
    readonly sinkId: string;
    readonly seq: number;
    readonly committables: number;
  }[];
  readonly manifest: { readonly bytes: number; readonly sha256: string };
  readonly blobs: readonly SavepointBlob[];
}

export interface SavepointBlob {
  readonly key: string;
  readonly bytes: number;
  readonly sha256: string;
}

export const SAVEPOINT_FILE = 'savepoint.json';
export const MANIFEST_FILE = 'manifest';
export const blobFile = ({ sha256 }: Pick<SavepointBlob, 'sha256'>): string => `blobs/${sha256}`;

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/**
 * Reads what a folder says of itself.
 * @throws MR_CHECKPOINT_CORRUPT when it is missing or no such file; MR_STATE_INCOMPATIBLE when it has another format
 */
export async function readSavepointFile(folder: string): Promise<SavepointFile> {
  const text = await readSavepointPart(folder, SAVEPOINT_FILE);
  let parsed: Partial<SavepointFile> | null;
  try {
    parsed = JSON.parse(Buffer.from(text).toString()) as Partial<SavepointFile> | null;
  } catch (cause) {
    throw unusable(folder, SAVEPOINT_FILE, `is no JSON: ${errorText(cause)}`);
  }
  if (typeof parsed?.format !== 'number') throw unusable(folder, SAVEPOINT_FILE, 'describes no savepoint');
  if (parsed.format !== 1) {
    throw new MillraceError(
      'MR_STATE_INCOMPATIBLE',
      `The savepoint in '${folder}' has format ${String(parsed.format)}; this version reads format 1. Import it with the version that exported it, or a newer one.`,
    );
  }
  const whole =
    isPart(parsed.manifest) &&
    Array.isArray(parsed.blobs) &&
    parsed.blobs.every((blob) => isPart(blob) && typeof blob.key === 'string');
  if (!whole) throw unusable(folder, SAVEPOINT_FILE, 'does not list the files of the savepoint');
  return parsed as SavepointFile;
}

/**
 * A file of the folder, known to be the one that was exported.
 * @throws MR_CHECKPOINT_CORRUPT that names the file
 */
export async function readCheckedPart(
  folder: string,
  name: string,
  expected: { readonly bytes: number; readonly sha256: string },
): Promise<Uint8Array> {
  const bytes = await readSavepointPart(folder, name);
  if (bytes.length !== expected.bytes)
    throw unusable(folder, name, `has ${bytes.length} bytes instead of ${expected.bytes}`);
  if (sha256Of(bytes) !== expected.sha256) throw unusable(folder, name, 'has changed since it was exported');
  return bytes;
}

/** Why a folder cannot be imported: MR_CHECKPOINT_CORRUPT. */
export function unusable(folder: string, name: string, why: string): MillraceError {
  return new MillraceError(
    'MR_CHECKPOINT_CORRUPT',
    `The savepoint in '${folder}' cannot be imported: '${name}' ${why}. Copy or export it again; nothing was changed.`,
    { details: { folder, file: name } },
  );
}

async function readSavepointPart(folder: string, name: string): Promise<Uint8Array> {
  try {
    return await readFile(join(folder, name));
  } catch (cause) {
    const absent = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw unusable(folder, name, absent ? 'is missing' : `cannot be read: ${errorText(cause)}`);
  }
}

/** The hash is part of a path: nothing but a hash will do. */
function isPart(part: { readonly bytes: number; readonly sha256: string } | undefined): boolean {
  return Number.isSafeInteger(part?.bytes) && /^[0-9a-f]{64}$/.test(String(part?.sha256));
}
