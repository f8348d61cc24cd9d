import { errorText, MillraceError } from '../base/errors.ts';
import { KEY_CODEC } from '../key/key.ts';
import type { OperatorState } from '../runtime/operator.ts';
import { finish } from '../state/steps.ts';
import { GroupEncoder } from './group-encoder.ts';
import { packr } from './packr.ts';

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
  return finish(new GroupEncoder().encode(group));
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
