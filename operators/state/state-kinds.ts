import { type Duration, durationMs, MillraceError } from '#engine';
import type { AggregateFunction } from '../window/aggregate-function.ts';

/** What every kind of state may be declared with. */
export interface StateOptions {
  /**
   * How long a value lives without being written, in processing time; lists and maps count per element and entry. Expired values are
   * left out of snapshots, and leave memory bit by bit as the state is used.
   */
  readonly ttl?: Duration;
  /** What starts a value's life anew. Default `on-write`: creating or writing it. */
  readonly refresh?: 'on-write' | 'on-read-and-write';
  /** Whether a value that has expired, but is still there, can be read. Default `hide`: never. */
  readonly expired?: 'hide' | 'show-until-cleaned';
  /** Version of the values' schema, from 1. Default 1. Raise it with every change that stored values need an upgrade for. */
  readonly version?: number;
  /** Per version, what turns a stored value (an element, an entry's value, an accumulator) of it into one of the next version. */
  readonly upgrade?: Readonly<Record<number, UpgradeFunction>>;
}

/** Turns a stored value into one of the next version. Annotate `old` with what that version was. */
// A method's type: its parameter may be narrower than unknown, as only the author knows what was stored.
export type UpgradeFunction = { upgrade(old: unknown): unknown }['upgrade'];

export type StateKind = 'value' | 'list' | 'map' | 'reducing' | 'aggregating';

/** State of an operator, as declared: a value. Types of its handles are carried along for inference. */
export interface StateDeclaration<out Handle, out Reader> {
  readonly kind: StateKind;
  readonly options: StateOptions;
  /** How values are put together, for reducing and aggregating state. */
  readonly fold?: Fold;
  readonly handle?: Handle;
  readonly reader?: Reader;
}

/** Type-erased: the accumulator is undefined when there is none. */
export interface Fold {
  readonly add: (accumulator: unknown, value: unknown) => unknown;
  readonly result: (accumulator: unknown) => unknown;
}

/** The states of one operator, by name. Names are part of what is stored. */
export type StateSpec = Readonly<Record<string, StateDeclaration<unknown, unknown>>>;
/** What an operator's functions work with, by kind. */
export type Handles<S> = {
  readonly [N in keyof S]: S[N] extends StateDeclaration<infer H, unknown> ? H : never;
};
/** The same for those that may only look. */
export type Readers<S> = {
  readonly [N in keyof S]: S[N] extends StateDeclaration<unknown, infer R> ? R : never;
};

export interface ValueReader<out V> {
  readonly get: () => V | undefined;
}
/** The current key's value. */
export interface ValueHandle<in out V> extends ValueReader<V> {
  readonly set: (value: V) => void;
  readonly clear: () => void;
}
export type ValueState<V> = StateDeclaration<ValueHandle<V>, ValueReader<V>>;

export interface ListReader<out V> {
  /** All elements in the order they were added. The array does not change afterwards. */
  readonly get: () => readonly V[];
}
/** The current key's list. */
export interface ListHandle<in out V> extends ListReader<V> {
  readonly add: (element: V) => void;
  readonly addAll: (elements: readonly V[]) => void;
  /** Puts other elements in place of all. */
  readonly update: (elements: readonly V[]) => void;
  readonly clear: () => void;
}
export type ListState<V> = StateDeclaration<ListHandle<V>, ListReader<V>>;

export interface MapReader<in out K, out V> {
  readonly get: (key: K) => V | undefined;
  readonly has: (key: K) => boolean;
  readonly keys: () => Iterable<K>;
  readonly values: () => Iterable<V>;
  /** In the order in which the keys were first set. The map may be changed meanwhile. */
  readonly entries: () => Iterable<readonly [K, V]>;
  readonly size: number;
}
/** The current key's map. */
export interface MapHandle<in out K, in out V> extends MapReader<K, V> {
  readonly set: (key: K, value: V) => void;
  /** True when it was there. */
  readonly delete: (key: K) => boolean;
  readonly clear: () => void;
}
export type MapState<K extends string | number, V> = StateDeclaration<MapHandle<K, V>, MapReader<K, V>>;

/** What was added to the current key, put together. */
export interface FoldingHandle<in In, out Out> extends ValueReader<Out> {
  readonly add: (value: In) => void;
  readonly clear: () => void;
}
export type ReducingState<V> = StateDeclaration<FoldingHandle<V, V>, ValueReader<V>>;
export type AggregatingState<In, Out> = StateDeclaration<FoldingHandle<In, Out>, ValueReader<Out>>;

/**
 * State: one value per key, undefined until set. Values are plain data (they are part of snapshots); replace them by `set`
 * instead of changing them in place.
 * @throws MR_CONFIG_INVALID
 * @example
 * valueState<Profile>({ version: 2, upgrade: { 1: (old: { name: string }) => ({ ...old, visits: 0 }) } })
 */
export const valueState = <V>(options: StateOptions = {}): ValueState<V> => declare('value', options);

/** State: a list per key, empty at first. Elements are plain data. @throws MR_CONFIG_INVALID */
export const listState = <V>(options: StateOptions = {}): ListState<V> => declare('list', options);

/** State: a map per key, empty at first. Values are plain data; setting undefined deletes. @throws MR_CONFIG_INVALID */
export const mapState = <K extends string | number, V>(options: StateOptions = {}): MapState<K, V> =>
  declare('map', options);

/** State: one value per key, made of all that were added. `reduce` returns a value of its own or one of the two. @throws MR_CONFIG_INVALID */
export const reducingState = <V>(
  reduce: (left: V, right: V) => V,
  options: StateOptions = {},
): ReducingState<V> =>
  declare('reducing', options, {
    add: (left, right) => (left === undefined ? right : reduce(left as V, right as V)),
    result: (value) => value,
  });

/** State: an accumulator per key that values are added to; `get` gives its result. @throws MR_CONFIG_INVALID */
export const aggregatingState = <In, Acc, Out>(
  { createAccumulator, add, getResult }: AggregateFunction<In, Acc, Out>,
  options: StateOptions = {},
): AggregatingState<In, Out> =>
  declare('aggregating', options, {
    add: (accumulator, value) =>
      add(value as In, accumulator === undefined ? createAccumulator() : (accumulator as Acc)),
    result: (accumulator) => getResult(accumulator as Acc),
  });

const WRITERS: ReadonlySet<string> = new Set(['set', 'add', 'addAll', 'update', 'delete', 'clear']);

/** Handles to look at only. */
export function readersOf(handles: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const reader = (handle: unknown) => {
    const members = Object.entries(Object.getOwnPropertyDescriptors(handle as object));
    return Object.defineProperties({}, Object.fromEntries(members.filter(([name]) => !WRITERS.has(name))));
  };
  return Object.fromEntries(Object.entries(handles).map(([name, handle]) => [name, reader(handle)]));
}

function declare<H, R>(kind: StateKind, options: StateOptions, fold?: Fold): StateDeclaration<H, R> {
  const { version = 1, upgrade = {}, ttl, refresh, expired } = options;
  const refuse = (what: string) => new MillraceError('MR_CONFIG_INVALID', `A ${kind} state ${what}.`);
  if (!Number.isSafeInteger(version) || version < 1)
    throw refuse(`has version ${version}; versions are whole numbers from 1`);
  const stray = Object.keys(upgrade).find((from) => !(Number(from) >= 1 && Number(from) < version));
  if (stray !== undefined)
    throw refuse(
      `of version ${version} has an upgrade from ${stray}; declare version ${Number(stray) + 1} or drop it`,
    );
  if (ttl !== undefined && durationMs(ttl, `the ttl of a ${kind} state`) === 0)
    throw refuse('with a ttl of 0 would keep nothing');
  if (ttl === undefined && (refresh ?? expired) !== undefined)
    throw refuse(
      `says ${refresh === undefined ? `expired: '${expired}'` : `refresh: '${refresh}'`} without a ttl`,
    );
  return { kind, options, ...(fold === undefined ? {} : { fold }) };
}
