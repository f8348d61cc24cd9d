import { storedKeyBytes, type StoredKeyGroup, type StoredValues, valueReader } from '#engine';
import { listedState, type StoredStates } from '../../operators/state/stored-states.ts';
import { listedTimers, type StoredTimers } from '../../operators/state/stored-timers.ts';

/** What of an operator's content goes by time alone, and is left out of snapshots from then on. */
export interface Lapse {
  /** When an entry of {@link contentByKey} goes; NaN when it does not. */
  readonly at: (entry: unknown) => number;
  readonly by: 'clock' | 'watermark';
}

export const NEVER_LAPSES: Lapse = { at: () => Number.NaN, by: 'clock' };

interface Rows {
  readonly key: number[];
  readonly times: number[];
  readonly rows: unknown[];
  readonly flags: number[];
}

/** Every field that any keyed operator stores beside its keys. */
type AnyBody = Partial<{
  readonly state: StoredStates;
  readonly timers: StoredTimers;
  readonly processingTimers: StoredTimers;
  readonly values: StoredValues;
  readonly key: number[];
  readonly value: unknown[];
  readonly expiry: number[];
  readonly panes: {
    readonly window: unknown;
    readonly lines: { readonly key: number; readonly count: number }[];
    readonly scores: number[];
    readonly times: number[];
    readonly rows: unknown[];
  }[];
  readonly sides: readonly Rows[];
  readonly facts: Rows;
  readonly versions: Rows;
  readonly usedAt: unknown[];
  readonly contents: { readonly key: number }[];
}>;

type Content = [key: string, entries: unknown[]][];

/** What a key group stores, key by key, sorted: the order of keys in a group says nothing. */
export function contentByKey(group: unknown): Content {
  if (group === undefined) return [];
  const { keys, ...body } = group as StoredKeyGroup<AnyBody>;
  const names = namesOf(keys);
  const byKey = new Map<string, string[]>();
  const add = (key: number, entry: unknown) => {
    const name = names[key] as string;
    byKey.set(name, [...(byKey.get(name) ?? []), JSON.stringify(entry)]);
  };
  addStates(body, add);
  const valueOf = valueReader(body.values ?? body.usedAt ?? []);
  for (let key = 0; key < names.length; key++) {
    const entry = valueOf(key);
    if (entry !== undefined) add(key, entry);
  }
  for (const [i, key] of (body.key ?? []).entries())
    add(key, { value: body.value?.[i], expiry: body.expiry?.[i] });
  for (const { window, lines, scores, times, rows } of body.panes ?? []) {
    let at = 0;
    for (const { key, count } of lines)
      for (const end = at + count; at < end; at++)
        add(key, [window, at - end + count, scores[at], times[at], rows[at]]);
  }
  for (const [side, { key, times, rows, flags }] of [...(body.sides ?? []), body.facts, body.versions].map(
    (it, i) => [i, it ?? { key: [], times: [], rows: [], flags: [] }] as const,
  ))
    for (const [i, of] of key.entries()) add(of, [side, i, times[i], rows[i], flags[i]].toSpliced(1, 1));
  for (const { key, ...contents } of body.contents ?? []) add(key, contents);
  return [...byKey]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, entries]) => [name, entries.sort().map((entry) => JSON.parse(entry) as unknown)]);
}

/** Without what is gone at `time`. */
export function lapsed(content: Content, { at }: Lapse, time: number): Content {
  return content
    .map(([key, entries]): Content[number] => [key, entries.filter((entry) => !(at(entry) <= time))])
    .filter(([, entries]) => entries.length > 0);
}

/** Elements and entries of a cell one by one: with times to live, each has its own. */
function addStates(
  { state, timers, processingTimers }: AnyBody,
  add: (key: number, entry: unknown) => void,
): void {
  for (const [name, stored] of Object.entries(state ?? {})) {
    const { kind, timed, keys, values } = listedState(stored);
    const valueOf = valueReader(values);
    for (const [place, key] of Array.from(keys).entries()) {
      const cell = valueOf(place);
      const parts = kind === 'list' || kind === 'map' ? (cell as unknown[]) : [cell];
      for (const [i, part] of parts.entries())
        add(key, timed ? { name, part, at: (part as unknown[]).at(-1) } : { name, i, part });
    }
  }
  for (const [name, stored = []] of Object.entries({ timer: timers, processingTimer: processingTimers })) {
    const { keys, times } = listedTimers(stored);
    for (const [i, key] of Array.from(keys).entries()) add(key, { [name]: times[i] });
  }
}

function namesOf(keys: StoredKeyGroup<object>['keys']): string[] {
  const { count, at } = storedKeyBytes(keys);
  return Array.from({ length: count }, (_, i) => Buffer.from(at(i)).toString('hex'));
}
