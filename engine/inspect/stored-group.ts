import { errorText, MillraceError } from '../base/errors.ts';
import type { DescribeGroup, KeyedStateView } from '../runtime/operator.ts';
import { type NumberKeys, type PackedKeys, storedKeyBytes, type StoredKeys } from '../state/packed-keys.ts';

/** The keys of one stored key group, numbered, and what it holds of each. */
export interface StoredGroupView {
  readonly keyCount: number;
  /** Canonical bytes of a key. */
  readonly keyAt: (number: number) => Uint8Array;
  /** Number of a key; −1 when it is not there. */
  readonly find: (canonical: Uint8Array) => number;
  readonly describe: (number: number) => KeyedStateView;
}

/**
 * A decoded key group made ready to look at. What `describe` does not understand is shown as it is stored, with the reason.
 * @throws MR_STATE_INCOMPATIBLE for what holds no keys
 */
export function viewGroup(group: unknown, describe: DescribeGroup | null): StoredGroupView {
  const keys = keysOf(group);
  const { count: keyCount, at: keyAt } = storedKeyBytes(keys);
  let view: ((number: number) => KeyedStateView) | null = null;
  return {
    keyCount,
    keyAt,
    find(canonical) {
      for (let number = 0; number < keyCount; number++)
        if (Buffer.compare(keyAt(number), canonical) === 0) return number;
      return -1;
    },
    describe(number) {
      view ??= described(group, describe);
      try {
        return view(number);
      } catch (error) {
        return asStored(group, errorText(error))(number);
      }
    },
  };
}

/** All that several subtasks have kept of one key: their job restored it from all of them together. */
export function joinedViews(views: readonly KeyedStateView[]): KeyedStateView | null {
  return views.length > 1 ? { parts: views } : (views[0] ?? null);
}

function described(group: unknown, describe: DescribeGroup | null): (number: number) => KeyedStateView {
  if (describe === null) return asStored(group);
  try {
    return describe(group);
  } catch (error) {
    return asStored(group, errorText(error));
  }
}

/** Nobody knows what in it belongs to which key: all of the group, and the key's number in it. */
function asStored(group: unknown, problem?: string): (number: number) => KeyedStateView {
  const { keys: _, ...stored } = group as { readonly keys: unknown };
  return (number) => ({ number, stored, ...(problem === undefined ? {} : { problem }) });
}

function keysOf(group: unknown): StoredKeys {
  const keys =
    typeof group === 'object' && group !== null ? (group as { readonly keys?: StoredKeys }).keys : undefined;
  const isList = Array.isArray(keys) && keys.every((key) => key instanceof Uint8Array);
  const isPacked =
    (keys as PackedKeys | undefined)?.bytes instanceof Uint8Array &&
    (keys as PackedKeys).ends instanceof Uint32Array;
  const { numbers } = (keys ?? {}) as Partial<NumberKeys>;
  const areNumbers =
    Array.isArray(numbers) &&
    numbers.every((list) => list instanceof Int32Array || list instanceof Float64Array);
  if (keys !== undefined && (isList || isPacked || areNumbers)) return keys;
  throw new MillraceError(
    'MR_STATE_INCOMPATIBLE',
    'A stored key group has no list of keys that this version can read. Inspect it with the version that wrote it.',
  );
}
