import { Packr } from 'msgpackr';
import { errorText, MillraceError } from '../base/errors.ts';
import { KEY_CODEC } from '../key/key.ts';
import type { OperatorState } from '../runtime/operator.ts';

/**
 * What a snapshot holds beside its key groups, as msgpack:
 *
 * ```text
 * { format: 2, keyCodec, watermark, idle, items: […], broadcast? }
 * ```
 */
interface StoredHead {
  readonly format: 2;
  readonly keyCodec: number;
  readonly watermark: number;
  readonly idle: boolean;
  readonly items: readonly unknown[];
  readonly broadcast?: unknown;
}

export type SnapshotHead = Pick<OperatorState, 'watermark' | 'idle' | 'items' | 'broadcast'>;

/** Plain objects as maps, typed arrays kept, nothing recorded between calls: the bytes stand alone. */
const packr = new Packr({ useRecords: false, moreTypes: true });

export function encodeHead(state: SnapshotHead): Uint8Array {
  const stored: StoredHead = {
    format: 2,
    keyCodec: KEY_CODEC,
    watermark: state.watermark,
    idle: state.idle,
    items: state.items,
    ...(state.broadcast === undefined ? {} : { broadcast: state.broadcast }),
  };
  return packr.pack(stored);
}

/** @throws MR_CHECKPOINT_CORRUPT, MR_STATE_INCOMPATIBLE */
export function decodeHead(bytes: Uint8Array): SnapshotHead {
  const stored = unpack(bytes) as StoredHead;
  if (stored.format !== 2 || stored.keyCodec !== KEY_CODEC) {
    throw new MillraceError(
      'MR_STATE_INCOMPATIBLE',
      `A snapshot has format ${stored.format} with key codec ${stored.keyCodec}; this version reads format 2 with codec ${KEY_CODEC}.`,
    );
  }
  const { watermark, idle, items, broadcast } = stored;
  return { watermark, idle, items, ...(broadcast === undefined ? {} : { broadcast }) };
}

/** One key group by itself, so that a subtask unpacks only the groups it now owns. */
export function encodeGroup(group: unknown): Uint8Array {
  return packr.pack(group);
}

/** A buffer that is kept for the next group is at most this. */
const KEPT_BYTES_MAX = 16 * 1024 * 1024;

/** As the library starts with. */
const SHARED_BYTES = 8 * 1024;

/** Encodes group after group into one buffer, which grows with them: what one returns is good until the next. */
export class GroupEncoder {
  #buffer = Buffer.allocUnsafeSlow(64 * 1024);

  encode(group: unknown): Uint8Array {
    packr.useBuffer(this.#buffer);
    try {
      const bytes = packr.pack(group);
      if (bytes.buffer !== this.#buffer.buffer && bytes.buffer.byteLength <= KEPT_BYTES_MAX)
        this.#buffer = Buffer.from(bytes.buffer as ArrayBuffer);
      return bytes;
    } finally {
      // All packers of the library share a buffer: whoever packs next gets another one than this.
      packr.useBuffer(Buffer.allocUnsafeSlow(SHARED_BYTES));
    }
  }
}

/** @throws MR_CHECKPOINT_CORRUPT */
export function decodeGroup(bytes: Uint8Array): unknown {
  return unpack(bytes);
}

function unpack(bytes: Uint8Array): unknown {
  try {
    return packr.unpack(bytes) as unknown;
  } catch (cause) {
    throw new MillraceError(
      'MR_CHECKPOINT_CORRUPT',
      `A stored snapshot cannot be read: ${errorText(cause)}.`,
      { cause },
    );
  }
}
