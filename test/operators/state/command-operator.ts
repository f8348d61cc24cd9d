import {
  aggregatingState,
  listState,
  mapState,
  type ProcessContext,
  reducingState,
  type StateOptions,
  valueState,
} from '#operators';
import type { Handles } from '../../../operators/state/state-kinds.ts';
import { eventTime, i32, type Infer, schema, string } from '#wire';

/** A record that says what to do with the state of its key. */
export const Command = schema('command', {
  ts: eventTime(1),
  key: string(2),
  zone: i32(3),
  verb: string(4),
  a: i32(5),
  b: i32(6),
});
export type Command = Infer<typeof Command>;

export const VERBS = [
  'value.set',
  'value.get',
  'value.clear',
  'list.add',
  'list.addAll',
  'list.update',
  'list.get',
  'list.clear',

  'map.set',
  'map.get',
  'map.has',
  'map.delete',
  'map.entries',
  'map.keys',
  'map.values',
  'map.size',
  'map.clear',
  'reducing.add',
  'reducing.get',
  'reducing.clear',
  'aggregating.add',
  'aggregating.get',
  'aggregating.clear',
  'at',
  'delete',
  'atProcessingTime',
  'deleteProcessingTime',
] as const;
export type Verb = (typeof VERBS)[number];

/** Not commutative: the order of additions shows. */
export const reduce = (left: number, right: number): number => (left * 31 + right) % 1_000_003;

/** State of every kind, declared with the same options. */
export const allKinds = (options: StateOptions) => ({
  value: valueState<number>(options),
  list: listState<number>(options),
  map: mapState<number, number>(options),
  reducing: reducingState<number>(reduce, options),
  aggregating: aggregatingState(
    {
      createAccumulator: () => ({ seen: [] as number[] }),
      add(value: number, accumulator: { seen: number[] }) {
        accumulator.seen.push(value);
        return accumulator;
      },
      getResult: ({ seen }) => seen.join('+'),
    },
    options,
  ),
});

type Context = ProcessContext<unknown, unknown, Handles<ReturnType<typeof allKinds>>, unknown>;

/** Does what the record says, and emits what that gave. */
export function obey({ verb, a, b }: Command, { key, state, timers, emit }: Context): void {
  const { value, list, map, reducing, aggregating } = state;
  const does: Record<Verb, () => unknown> = {
    'value.set': () => value.set(a),
    'value.get': () => value.get(),
    'value.clear': () => value.clear(),
    'list.add': () => list.add(a),
    'list.addAll': () => list.addAll(a === 0 ? [] : [a, b]),
    'list.update': () => list.update(a === 0 ? [] : [b, a]),
    'list.get': () => list.get(),
    'list.clear': () => list.clear(),
    'map.set': () => map.set(a, b),
    'map.get': () => map.get(a),
    'map.has': () => map.has(a),
    'map.delete': () => map.delete(a),
    'map.entries': () => [...map.entries()],
    'map.keys': () => [...map.keys()],
    'map.values': () => [...map.values()],
    'map.size': () => map.size,
    'map.clear': () => map.clear(),
    'reducing.add': () => reducing.add(a),
    'reducing.get': () => reducing.get(),
    'reducing.clear': () => reducing.clear(),
    'aggregating.add': () => aggregating.add(a),
    'aggregating.get': () => aggregating.get(),
    'aggregating.clear': () => aggregating.clear(),
    at: () => timers.at(a * 10),
    delete: () => timers.delete(a * 10),
    atProcessingTime: () => timers.atProcessingTime(a * 10),
    deleteProcessingTime: () => timers.deleteProcessingTime(a * 10),
  };
  const gave = does[verb as Verb]();
  // The list goes out as it was handed out: it must not change when more is added.
  if (gave !== undefined) emit({ key, verb, gave });
}

/** Says that it fired, and may set itself again: by the value, for its own time, or for a later one. */
export function ring(firedAt: number, { key, state, timers, emit }: Context): void {
  const value = state.value.get() ?? null;
  emit({ key, verb: 'timer', firedAt, value });
  if (value === 1) timers.at(firedAt);
  if (value === 2) timers.at(firedAt + 70);
}

export function ringByClock(firedAt: number, { key, state, timers, emit, processingTime }: Context): void {
  const value = state.value.get() ?? null;
  emit({ key, verb: 'processing-time timer', firedAt, value, processingTime });
  if (value === 1) timers.atProcessingTime(firedAt);
  if (value === 2) timers.deleteProcessingTime(firedAt + 20);
}
