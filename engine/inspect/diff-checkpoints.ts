import { isDeepStrictEqual } from 'node:util';
import { MillraceError } from '../base/errors.ts';
import type { GroupRange } from '../checkpoint/manifest.ts';
import type { SnapshotHead } from '../checkpoint/snapshot-codec.ts';
import type { KeyedStateView } from '../runtime/operator.ts';
import { groupsOf, type InspectedCheckpoint, snapshotsOf } from './inspected-checkpoint.ts';
import type { ShownKey } from './shown-key.ts';
import { joinedViews, type StoredGroupView } from './stored-group.ts';

export interface DiffOptions {
  /** Operators to compare. Default: all that one of them has state of. */
  readonly operators?: readonly string[];
  /** Keys of each operator whose state is shown. Default 10. */
  readonly examples?: number;
}

/** What has become of one operator's state between two checkpoints. */
export interface OperatorDiff {
  readonly operator: string;
  readonly added: number;
  readonly removed: number;
  readonly changed: number;
  /** The first changes, by key group. */
  readonly examples: readonly KeyChange[];
  /** Key groups that lie at the same place in both, and were not read; and those that were. */
  readonly groupsSame: number;
  readonly groupsRead: number;
  /** Whether state that has no key differs: positions, inputs in flight, broadcast state. */
  readonly othersChanged: boolean;
}

/** Null where the key is not there. */
export interface KeyChange {
  readonly key: ShownKey;
  readonly group: number;
  readonly before: KeyedStateView | null;
  readonly after: KeyedStateView | null;
}

/**
 * Compares the state of two checkpoints, `a` the earlier one, key by key. Reads both group by group.
 *
 * DF1 key groups whose bytes lie at the same place of the same job are equal: they are not read. Those with the same bytes are not decoded.
 * DF2 every other key that is in one and not in the other, or described otherwise, is counted, whatever the examples.
 * @throws MR_CONFIG_INVALID when they have different numbers of key groups; MR_CHECKPOINT_CORRUPT, MR_STATE_INCOMPATIBLE
 */
export async function diffCheckpoints(
  a: InspectedCheckpoint,
  b: InspectedCheckpoint,
  options: DiffOptions = {},
): Promise<readonly OperatorDiff[]> {
  const [from, to] = [a.manifest, b.manifest];
  if (from.maxParallelism !== to.maxParallelism) {
    throw new MillraceError(
      'MR_CONFIG_INVALID',
      `Checkpoint ${from.id} of '${from.job}' has ${from.maxParallelism} key groups, ${to.id} of '${to.job}' has ${to.maxParallelism}; they cannot be compared group by group.`,
    );
  }
  const all = [...from.snapshots, ...to.snapshots].map(({ operator }) => operator);
  const diffs: OperatorDiff[] = [];
  for (const operator of options.operators ?? new Set(all))
    diffs.push(await diffOperator(a, b, operator, options.examples ?? 10));
  return diffs;
}

async function diffOperator(
  a: InspectedCheckpoint,
  b: InspectedCheckpoint,
  operator: string,
  examplesMax: number,
): Promise<OperatorDiff> {
  const before = groupsOf(a.manifest, operator);
  const after = groupsOf(b.manifest, operator);
  const isSameJob = a.manifest.job === b.manifest.job;
  const counts = { added: 0, removed: 0, changed: 0, groupsSame: 0, groupsRead: 0 };
  const examples: KeyChange[] = [];
  for (const group of [...new Set([...before.keys(), ...after.keys()])].sort((x, y) => x - y)) {
    if (isSameJob && samePlace(before.get(group), after.get(group))) {
      counts.groupsSame++;
      continue;
    }
    counts.groupsRead++;
    const shows = (checkpoint: InspectedCheckpoint) => (canonical: Uint8Array) =>
      checkpoint.show(operator, canonical);
    const old = before.has(group) ? await a.stored(operator, group) : [];
    const young = after.has(group) ? await b.stored(operator, group) : [];
    if (sameBytes(old, young)) continue;
    const changes = changesOf(
      old.length === 0 ? [] : a.view(operator, old),
      young.length === 0 ? [] : b.view(operator, young),
    );
    for (const { canonical, from, to } of changes) {
      counts[from === null ? 'added' : to === null ? 'removed' : 'changed']++;
      if (examples.length >= examplesMax) continue;
      const key = shows(to === null ? a : b)(canonical);
      examples.push({ key, group, before: from, after: to });
    }
  }
  return { operator, ...counts, examples, othersChanged: await othersChanged(a, b, operator) };
}

function samePlace(a: readonly GroupRange[] | undefined, b: readonly GroupRange[] | undefined): boolean {
  return a !== undefined && b !== undefined && isDeepStrictEqual(a.map(placeOf), b.map(placeOf));
}

/** Written anew as it was: what many operators do with what has not changed. */
function sameBytes(a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean {
  return a.length === b.length && a.every((part, i) => Buffer.compare(part, b[i] as Uint8Array) === 0);
}

function placeOf({ pieces }: GroupRange): readonly unknown[] {
  return pieces.map(({ blob, offset, bytes }) => [blob.key, blob.crc, offset, bytes]);
}

interface Change {
  readonly canonical: Uint8Array;
  readonly from: KeyedStateView | null;
  readonly to: KeyedStateView | null;
}

function* changesOf(
  before: readonly StoredGroupView[],
  after: readonly StoredGroupView[],
): Generator<Change> {
  const same = comparison();
  const old = keysIn(before);
  const young = keysIn(after);
  for (const [name, places] of young) {
    const canonical = Buffer.from(name, 'latin1');
    const from = describe(old.get(name));
    const to = describe(places);
    if (from === null || !same(from, to)) yield { canonical, from, to };
  }
  for (const [name, places] of old)
    if (!young.has(name)) yield { canonical: Buffer.from(name, 'latin1'), from: describe(places), to: null };
}

type Places = readonly (readonly [part: StoredGroupView, number: number])[];

/** Where each key of a group is; in one place, as a rule. */
function keysIn(parts: readonly StoredGroupView[]): ReadonlyMap<string, Places> {
  const keys = new Map<string, Places>();
  for (const part of parts) {
    for (let number = 0; number < part.keyCount; number++) {
      const name = nameOf(part.keyAt(number));
      keys.set(name, [...(keys.get(name) ?? []), [part, number]]);
    }
  }
  return keys;
}

function describe(places: Places | undefined): KeyedStateView | null {
  return joinedViews((places ?? []).map(([part, number]) => part.describe(number)));
}

/** Keys that are shown as stored share all of their group: it is compared once. */
function comparison(): (a: KeyedStateView, b: KeyedStateView | null) => boolean {
  let [left, right, equal]: [unknown, unknown, boolean] = [null, null, false];
  return (a, b) => {
    if (typeof a['stored'] !== 'object' || b === null) return isDeepStrictEqual(a, b);
    if (a['stored'] !== left || b['stored'] !== right)
      [left, right, equal] = [a['stored'], b['stored'], isDeepStrictEqual(a['stored'], b['stored'])];
    return equal && a['number'] === b['number'];
  };
}

function nameOf(canonical: Uint8Array): string {
  return Buffer.from(canonical.buffer, canonical.byteOffset, canonical.length).toString('latin1');
}

async function othersChanged(
  a: InspectedCheckpoint,
  b: InspectedCheckpoint,
  operator: string,
): Promise<boolean> {
  const others = async (checkpoint: InspectedCheckpoint) => {
    const heads: SnapshotHead[] = [];
    for (const snapshot of snapshotsOf(checkpoint.manifest, operator))
      heads.push(await checkpoint.head(snapshot));
    return { items: heads.flatMap(({ items }) => items), broadcast: heads.map(({ broadcast }) => broadcast) };
  };
  return !isDeepStrictEqual(await others(a), await others(b));
}
