import { type DescribeGroup, durationMs, valueReader } from '#engine';
import type { StateDeclaration, StateSpec } from '../state/state-kinds.ts';
import { listedState, type StoredState, type StoredStates } from '../state/stored-states.ts';
import { listedTimers, type StoredTimers } from '../state/stored-timers.ts';
import { entriesByKey } from './entries-by-key.ts';

/** One declared state of one key. Values are as stored: in the version that is named. */
export interface StateView {
  readonly kind: StoredState['kind'];
  readonly version: number;
  /** Of value, reducing (what was put together) and aggregating state (the accumulator). */
  readonly value?: unknown;
  /** What `get` gives of aggregating state; while its declaration is known and the version is its own. */
  readonly result?: unknown;
  readonly elements?: readonly unknown[];
  readonly entries?: readonly (readonly [key: unknown, value: unknown])[];
  /** With a ttl, of the value, or of each element or entry: when its life began, epoch ms. */
  readonly since?: number | readonly number[];
  /** When it ends, while the ttl is known. */
  readonly expires?: number | readonly number[];
}

/** The states of each key (or window) by name. @param spec as declared; empty when nobody knows */
export function describeStates(
  states: StoredStates,
  spec: StateSpec = {},
): (key: number) => Readonly<Record<string, StateView>> {
  const named = Object.entries(states).map(([name, stored]) => {
    const state = listedState(stored);
    return {
      name,
      state,
      declaration: spec[name],
      of: entriesByKey(state.keys),
      valueOf: valueReader(state.values),
    };
  });
  return (key) =>
    Object.fromEntries(
      named.flatMap(({ name, state, declaration, of, valueOf }) =>
        of(key).map((place) => [name, stateView(state, valueOf(place), declaration)]),
      ),
    );
}

/** What process, co-process and broadcast operators store of a key. */
export function describeKeyed(spec?: StateSpec): DescribeGroup {
  return (group) => {
    const {
      state,
      timers,
      processingTimers = [],
    } = group as {
      readonly state: StoredStates;
      readonly timers: StoredTimers;
      readonly processingTimers?: StoredTimers;
    };
    const states = describeStates(state, spec);
    const timersOf = describeTimers(timers);
    const processingTimersOf = describeTimers(processingTimers);
    return (key) => ({
      state: states(key),
      timers: timersOf(key),
      processingTimers: processingTimersOf(key),
    });
  };
}

function describeTimers(stored: StoredTimers): (key: number) => readonly number[] {
  const { keys, times } = listedTimers(stored);
  const of = entriesByKey(keys);
  return (key) =>
    of(key)
      .map((place) => times[place] as number)
      .sort((a, b) => a - b);
}

function stateView(
  { kind, version, timed }: StoredState,
  stored: unknown,
  declaration: StateDeclaration<unknown, unknown> | undefined,
): StateView {
  const ttl = declaration?.kind === kind ? declaration.options.ttl : undefined;
  const life = (since: number | readonly number[]) => {
    if (!timed) return {};
    if (ttl === undefined) return { since };
    const end = (at: number) => at + durationMs(ttl);
    return { since, expires: typeof since === 'number' ? end(since) : since.map(end) };
  };
  switch (kind) {
    case 'list': {
      const elements = timed
        ? (stored as [unknown, number][])
        : (stored as unknown[]).map((it) => [it, 0] as const);
      return { kind, version, elements: elements.map(([it]) => it), ...life(elements.map(([, at]) => at)) };
    }
    case 'map': {
      const entries = stored as [unknown, unknown, number][];
      return {
        kind,
        version,
        entries: entries.map(([key, value]) => [key, value] as const),
        ...life(entries.map(([, , at]) => at)),
      };
    }
    default: {
      const [value, at] = timed ? (stored as [unknown, number]) : [stored, 0];
      return { kind, version, value, ...resultOf(value, version, declaration), ...life(at) };
    }
  }
}

function resultOf(
  accumulator: unknown,
  version: number,
  declaration: StateDeclaration<unknown, unknown> | undefined,
): { readonly result?: unknown } {
  if (declaration?.kind !== 'aggregating' || declaration.fold === undefined) return {};
  if ((declaration.options.version ?? 1) !== version) return {};
  return { result: declaration.fold.result(accumulator) };
}
