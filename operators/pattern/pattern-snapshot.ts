import { type KeySpace, KeyGroupWriter, MillraceError, type OperatorState } from '#engine';
import { capture, type Capture, type CapturedEvent, chain } from './captures.ts';
import type { Matcher, Run } from './matcher.ts';
import type { RecordBuffer } from './record-buffer.ts';

/**
 * One key group as stored. Events and captures are shared between partial matches; each is stored once and named by its index.
 * Parallel arrays, one entry per record, event, capture, run or held match.
 */
export interface PatternGroup {
  readonly keys: Uint8Array[];
  /** The pattern that the runs belong to. */
  readonly shape: string;
  /** Records before the watermark, those of one time in order of arrival. */
  readonly buffered: { readonly key: number[]; readonly time: number[]; readonly row: unknown[] };
  /** In the order they were processed in. */
  readonly events: { readonly time: number[]; readonly row: unknown[] };
  /** Previous ones first; −1 = none. */
  readonly captures: { readonly event: number[]; readonly step: number[]; readonly previous: number[] };
  readonly runs: { readonly key: number[]; readonly capture: number[]; readonly live: number[] };
  readonly held: { readonly key: number[]; readonly capture: number[] };
}

/** A key's matches under way. */
export interface KeyMatches {
  readonly slot: number;
  readonly runs: readonly Run[];
  readonly held: readonly Capture[];
}

export function snapshotPattern(
  keys: KeySpace,
  shape: string,
  buffer: RecordBuffer,
  matches: readonly KeyMatches[],
): Map<number, PatternGroup> {
  const writer = new KeyGroupWriter<PatternGroup>(keys, () => emptyGroup(shape));
  for (const { time, slots, rows } of buffer.buckets()) {
    for (const [i, slot] of slots.entries()) {
      const { group, key } = writer.place(slot);
      group.buffered.key.push(key);
      group.buffered.time.push(time);
      group.buffered.row.push(rows[i]);
    }
  }
  const byGroup = new Map<PatternGroup, { key: number; of: KeyMatches }[]>();
  for (const of of matches) {
    const { group, key } = writer.place(of.slot);
    const list = byGroup.get(group) ?? [];
    byGroup.set(group, list);
    list.push({ key, of });
  }
  for (const [group, list] of byGroup) storeMatches(group, list);
  return writer.groups;
}

/** What a snapshot holds, in the order it is to be put back. */
export interface RestoredPattern {
  readonly buffered: (row: unknown, time: number, slot: number) => void;
  readonly matches: (matches: KeyMatches) => void;
}

/** @throws MR_STATE_INCOMPATIBLE when partial matches belong to another pattern */
export function restorePattern(
  parts: readonly OperatorState[],
  keys: KeySpace,
  matcher: Matcher,
  operator: string,
  to: RestoredPattern,
): void {
  for (const part of parts) {
    for (const group of part.groups.values() as Iterable<PatternGroup>) {
      const slots = group.keys.map((bytes) => keys.slotOfCanonical(bytes));
      const { buffered } = group;
      for (const [i, key] of buffered.key.entries())
        to.buffered(buffered.row[i], buffered.time[i] as number, slots[key] as number);
      if (group.runs.key.length === 0) continue;
      refuseOtherPattern(group.shape, matcher.automaton.shape, operator);
      for (const matches of loadMatches(group, slots, matcher)) to.matches(matches);
    }
  }
}

function emptyGroup(shape: string): PatternGroup {
  return {
    keys: [],
    shape,
    buffered: { key: [], time: [], row: [] },
    events: { time: [], row: [] },
    captures: { event: [], step: [], previous: [] },
    runs: { key: [], capture: [], live: [] },
    held: { key: [], capture: [] },
  };
}

function storeMatches(
  group: PatternGroup,
  list: readonly { readonly key: number; readonly of: KeyMatches }[],
): void {
  const lasts = list.flatMap(({ of }) => [...of.runs.map(({ last }) => last), ...of.held]);
  const events = [...new Set(lasts.flatMap((last) => chain(last).map(({ event }) => event)))];
  events.sort((a, b) => a.order - b.order);
  const eventIndex = new Map(events.map((event, i) => [event, i]));
  group.events.time.push(...events.map(({ time }) => time));
  group.events.row.push(...events.map(({ row }) => row));
  const captureIndex = new Map<Capture, number>();
  const store = (last: Capture): number => {
    for (const at of chain(last)) {
      if (captureIndex.has(at)) continue;
      captureIndex.set(at, group.captures.event.push(eventIndex.get(at.event) as number) - 1);
      group.captures.step.push(at.step);
      group.captures.previous.push(at.previous === null ? -1 : (captureIndex.get(at.previous) as number));
    }
    return captureIndex.get(last) as number;
  };
  for (const { key, of } of list) {
    for (const { last, live } of of.runs) {
      group.runs.key.push(key);
      group.runs.capture.push(store(last));
      group.runs.live.push(live);
    }
    for (const last of of.held) {
      group.held.key.push(key);
      group.held.capture.push(store(last));
    }
  }
}

function loadMatches(group: PatternGroup, slots: readonly number[], matcher: Matcher): Iterable<KeyMatches> {
  const events = group.events.row.map(
    (row, i): CapturedEvent => matcher.event(row, group.events.time[i] as number),
  );
  const captures: Capture[] = [];
  for (const [i, event] of group.captures.event.entries()) {
    const previous = captures[group.captures.previous[i] as number] ?? null;
    captures.push(capture(events[event] as CapturedEvent, group.captures.step[i] as number, previous));
  }
  const bySlot = new Map<number, { slot: number; runs: Run[]; held: Capture[] }>();
  const of = (key: number) => {
    const slot = slots[key] as number;
    const known = bySlot.get(slot) ?? { slot, runs: [], held: [] };
    bySlot.set(slot, known);
    return known;
  };
  for (const [i, key] of group.runs.key.entries()) {
    const last = captures[group.runs.capture[i] as number] as Capture;
    of(key).runs.push({ last, live: group.runs.live[i] as number });
  }
  for (const [i, key] of group.held.key.entries())
    of(key).held.push(captures[group.held.capture[i] as number] as Capture);
  return bySlot.values();
}

function refuseOtherPattern(stored: string, declared: string, operator: string): void {
  if (stored === declared) return;
  throw new MillraceError(
    'MR_STATE_INCOMPATIBLE',
    `Operator '${operator}' has stored partial matches of ${stored}, the job's pattern is ${declared}. ` +
      'Give the operator a new id to start it afresh.',
    { details: { operator } },
  );
}
