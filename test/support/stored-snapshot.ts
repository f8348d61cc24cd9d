import { Packr } from 'msgpackr';
import type { OperatorState } from '#engine';
import { decodeGroup, decodeHead, encodeGroup, encodeHead } from '../../engine/checkpoint/snapshot-codec.ts';
import { LazyGroups } from '../../engine/state/lazy-groups.ts';

const packr = new Packr({ useRecords: false });

/** A whole snapshot in its stored form, as one piece of bytes. */
export function encodeSnapshot(state: OperatorState): Uint8Array {
  const groups = Array.from(state.groups, ([group, value]) => [group, encodeGroup(value)] as const);
  return Uint8Array.from(packr.pack([encodeHead(state), groups]));
}

/** What of it belongs to the key groups `first … last`; items come whole. */
export function decodeSnapshot(
  bytes: Uint8Array,
  range: readonly [first: number, last: number],
): OperatorState {
  const [head, groups] = packr.unpack(bytes) as [Uint8Array, [number, Uint8Array][]];
  const mine = new Map(groups.filter(([group]) => group >= range[0] && group <= range[1]));
  return {
    ...decodeHead(head),
    groups: new LazyGroups(mine.keys(), (group) => decodeGroup(mine.get(group) as Uint8Array)),
  };
}
