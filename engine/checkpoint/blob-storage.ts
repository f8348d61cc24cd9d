import { MillraceError } from '../base/errors.ts';

/**
 * Where large blobs lie: a folder, or a bucket. Keys are paths of plain segments; what is stored under a key never changes, since keys
 * contain the generation (stored-blobs.ts), so that storing it again is the same as once.
 */
export interface BlobStorage {
  /** Stores all bytes or none; resolves when they are durable. @throws MR_CHECKPOINT_FAILED */
  readonly put: (key: string, bytes: Uint8Array) => Promise<void>;
  /** Null when there is nothing under the key. @throws MR_CHECKPOINT_FAILED when that cannot be known */
  readonly get: (key: string) => Promise<Uint8Array | null>;
  /** Keys that begin with a path and its `/`, or all for `''`; in no order. @throws MR_CHECKPOINT_FAILED */
  readonly list: (prefix: string) => Promise<readonly string[]>;
  /** What is gone already does not matter. @throws MR_CHECKPOINT_FAILED */
  readonly delete: (keys: readonly string[]) => Promise<void>;
  readonly close: () => Promise<void>;
}

/**
 * The segments of a storage key, when each may be the name of a file: no `.`, `..`, empty or foreign character.
 * @throws MR_CONFIG_INVALID
 */
export function keySegments(key: string): readonly string[] {
  const segments = key.split('/');
  if (segments.every((segment) => SEGMENT.test(segment) && !/^\.+$/.test(segment))) return segments;
  throw new MillraceError(
    'MR_CONFIG_INVALID',
    `'${key.slice(0, 200)}' cannot be the name of a stored blob: its parts must have 1 to 255 characters of A-Z a-z 0-9 . _ @ -, and not dots alone.`,
  );
}

const SEGMENT = /^[A-Za-z0-9._@-]{1,255}$/;
