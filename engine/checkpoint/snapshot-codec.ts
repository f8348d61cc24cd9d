import { Packr } from 'msgpackr';
import { errorText, MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { KEY_CODEC } from '../key/key.ts';
import type { OperatorState } from '../runtime/operator.ts';
import { LazyGroups } from '../state/lazy-groups.ts';

/**
 * One subtask's snapshot of one operator, as msgpack:
 *
 * ```text
 * { format: 1, keyCodec, watermark, idle, items: […], broadcast?, groups: [[key group, packed bytes], …] }
 * ```
 *
 * Each group is packed by itself, so that a subtask unpacks only the groups it now owns.
 */
interface StoredSnapshot {
  readonly format: 1;
  readonly keyCodec: number;
  readonly watermark: number;
  readonly idle: boolean;
  readonly items: readonly unknown[];
  readonly broadcast?: unknown;
  readonly groups: readonly (readonly [number, Uint8Array])[];
}

/** Plain objects as maps, typed arrays kept, nothing recorded between calls: the bytes stand alone. */
const packr = new Packr({ useRecords: false, moreTypes: true });

export function encodeSnapshot(state: OperatorState): Uint8Array {
  const stored: StoredSnapshot = {
    format: 1,
    keyCodec: KEY_CODEC,
    watermark: state.watermark,
    idle: state.idle,
    items: state.items,
    ...(state.broadcast === undefined ? {} : { broadcast: state.broadcast }),
    // One at a time: they may be made as they are asked for.
    groups: Array.from(
      state.groups,
      ([group, value]) => [group, Uint8Array.from(packr.pack(value))] as const,
    ),
  };
  return Uint8Array.from(packr.pack(stored));
}

/**
 * Reads what belongs to the key groups `first … last`; items come whole.
 * @throws MR_CHECKPOINT_CORRUPT, MR_STATE_INCOMPATIBLE
 */
export function decodeSnapshot(
  bytes: Uint8Array,
  range: readonly [first: number, last: number],
): OperatorState {
  let stored: StoredSnapshot;
  try {
    stored = packr.unpack(bytes) as StoredSnapshot;
  } catch (cause) {
    throw new MillraceError(
      'MR_CHECKPOINT_CORRUPT',
      `A stored snapshot cannot be read: ${errorText(cause)}.`,
      { cause },
    );
  }
  if (stored.format !== 1 || stored.keyCodec !== KEY_CODEC) {
    throw new MillraceError(
      'MR_STATE_INCOMPATIBLE',
      `A snapshot has format ${stored.format} with key codec ${stored.keyCodec}; this version reads format 1 with codec ${KEY_CODEC}.`,
    );
  }
  const mine = new Map(stored.groups.filter(([group]) => group >= range[0] && group <= range[1]));
  return {
    watermark: stored.watermark,
    idle: stored.idle,
    items: stored.items,
    ...(stored.broadcast === undefined ? {} : { broadcast: stored.broadcast }),
    groups: new LazyGroups(mine.keys(), (group) => packr.unpack(mine.get(group) as Uint8Array) as unknown),
  };
}

/** Cuts bytes into blobs of at most LIMITS.blobBytesMax; at least one. */
export function chunksOf(bytes: Uint8Array): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0; at === 0 || at < bytes.length; at += LIMITS.blobBytesMax)
    chunks.push(bytes.subarray(at, at + LIMITS.blobBytesMax));
  return chunks;
}
