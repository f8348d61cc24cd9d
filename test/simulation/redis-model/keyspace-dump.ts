import type { Bytes } from './bytes.ts';
import type { Keyspace, Kind, Value } from './keyspace.ts';
import { flatPairs } from './redis-reply.ts';
import { idText } from './stream-id.ts';

/** One key with all of its value as plain texts of one byte per character; two are the same key when they are deeply equal. */
export interface DumpedKey {
  readonly key: Bytes;
  readonly kind: Kind;
  readonly expireAtMs: number | null;
  readonly value: readonly (string | readonly string[])[];
}

/** By key. */
export function dumpKeyspace(keys: Keyspace): readonly DumpedKey[] {
  return [...keys.names()].sort().map((key) => {
    const kind = keys.kindOf(key) as Kind;
    return {
      key,
      kind,
      expireAtMs: keys.expiryOf(key),
      value: dumpValue(keys.read(key, kind) as Value),
    };
  });
}

function dumpValue(value: Value): DumpedKey['value'] {
  switch (value.kind) {
    case 'string':
      return [value.text];
    case 'hash':
      return flatPairs([...value.entries()].sort(([a], [b]) => (a < b ? -1 : 1)));
    case 'list':
      return value.slice(0, value.size);
    case 'set':
      return [...value.members].sort();
    case 'zset':
      return value.ordered.map(({ score, member }) => [String(score), member]);
    case 'stream':
      return [
        [idText(value.lastId), idText(value.maxDeletedId), String(value.entriesAdded)],
        ...value
          .range(0n, value.lastId, Number.POSITIVE_INFINITY)
          .map(({ id, fields }) => [idText(id), ...fields]),
      ];
  }
}
