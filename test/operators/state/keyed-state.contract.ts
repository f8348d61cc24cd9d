import fc from 'fast-check';
import t from 'tap';
import { createKeySpace, type OpenStateBackend } from '#engine';
import {
  type ListHandle,
  listState,
  type MapHandle,
  mapState,
  type ValueHandle,
  valueState,
} from '#operators';
import type { StateSpec } from '../../../operators/state/state-kinds.ts';
import { KeyedState } from '../../../operators/state/keyed-state.ts';
import type { StoredStates } from '../../../operators/state/stored-states.ts';
import { propertyRuns } from '../../support/property-runs.ts';

type Step =
  | { readonly kind: 'set'; readonly key: string; readonly value: number }
  | { readonly kind: 'clear' | 'get'; readonly key: string }
  | { readonly kind: 'settle' };

const key = fc.integer({ min: 0, max: 11 }).map((n) => `key-${n}`);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('set' as const), key, value: fc.integer() }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('clear' as const, 'get' as const), key }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'settle' as const }) },
);

const numbers = { store: (cell: number) => cell, load: (stored: unknown) => stored as number };
const newKeys = () => createKeySpace({ kind: 'fields', fields: ['key'] }, 128);

/** What every state backend must do: rules SB1–SB5 of state-backend.ts, and KeyedState on top of it. */
export function keyedStateContract(name: string, open: OpenStateBackend): void {
  void t.test(
    `${name}: SB1 SB3 SB4: cells follow their keys, and slots without one are given back`,
    async (test) => {
      fc.assert(
        fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
          const keys = newKeys();
          const backend = open(keys);
          const cells = backend.cells('numbers', numbers);
          const model = new Map<string, number>();
          for (const it of steps) {
            if (it.kind === 'settle') {
              backend.settle?.();
              keys.reclaim();
              continue;
            }
            const slot = keys.slotOfRow({ key: it.key });
            if (it.kind === 'set') {
              cells.set(slot, it.value);
              model.set(it.key, it.value);
            } else if (it.kind === 'clear') {
              cells.clear(slot);
              model.delete(it.key);
            } else if (cells.get(slot) !== model.get(it.key)) return false;
          }
          const all: [string, number][] = [];
          cells.forEach((slot, cell) => {
            if (slot >= cells.extent || cells.peek(slot) !== cell)
              throw new Error(`slot ${slot} is out of reach`);
            all.push([(keys.value(slot) as { key: string }).key, cell]);
          });
          cells.forEachSpilled?.((canonical, group, stored) => {
            const slot = keys.slotOfCanonical(canonical);
            if (keys.group(slot) !== group) throw new Error(`key ${slot} is in another group`);
            all.push([(keys.value(slot) as { key: string }).key, stored as number]);
          });
          const text = (entries: Iterable<[string, number]>) =>
            Array.from(entries, (it) => it.join('='))
              .sort()
              .join(' ');
          if (text(all) !== text(model)) return false;
          for (const it of model.keys()) cells.clear(keys.slotOfRow({ key: it }));
          keys.reclaim();
          return keys.size === 0;
        }),
        { numRuns: propertyRuns(200) },
      );
      test.pass();
    },
  );

  void t.test(`${name}: SB2 SB5: what is changed in place stays changed, batch after batch`, async (test) => {
    const { at, handles, batch } = subject(open);
    for (let round = 0; round < 3; round++) {
      for (const it of ['a', 'b', 'a']) {
        at(it);
        handles.list.add(round);
        handles.map.set(`round-${round}`, round);
      }
      batch();
    }
    at('a');
    test.same(handles.list.get(), [0, 0, 1, 1, 2, 2]);
    test.same(
      [...handles.map.entries()],
      [
        ['round-0', 0],
        ['round-1', 1],
        ['round-2', 2],
      ],
    );
    at('b');
    test.same(handles.list.get(), [0, 1, 2]);
    test.equal(handles.map.delete('round-1'), true);
    batch();
    at('b');
    test.same([...handles.map.keys()], ['round-0', 'round-2']);
    at('c');
    test.same(handles.list.get(), []);
    test.equal(handles.map.size, 0);
  });

  void t.test(`${name}: what is reached stays where and as it is`, async (test) => {
    const { at, handles, batch, state, keys } = subject(open);
    for (const name of ['a', 'b']) {
      at(name);
      handles.value.set({ hits: 1 });
      handles.list.addAll([1, 2.5]);
      handles.map.set('x', 3);
      if (name === 'a') batch();
    }
    const [before, size] = [store(state, keys), keys.size];
    state.reach(Int32Array.of(-1, 0, 1, 2, 5000), 5);
    test.same(store(state, keys), before);
    test.equal(keys.size, size);
  });

  void t.test(
    `${name}: KS2: what is stored does not change with what is live, and restores the same`,
    async (test) => {
      const { at, handles, batch, state, keys } = subject(open);
      const value = { hits: 1 };
      at('a');
      handles.value.set(value);
      handles.list.addAll([1, 2]);
      batch();
      at('b');
      handles.value.set({ hits: 5 });
      handles.map.set('x', 1);
      const stored = store(state, keys);
      value.hits = 99;
      handles.map.set('x', 2);
      handles.list.add(3);

      const other = subject(open);
      for (const { key: canonical, states } of stored)
        other.state.restore(states, [other.keys.slotOfCanonical(canonical)]);
      other.batch();
      other.at('a');
      test.same(
        [other.handles.value.get(), other.handles.list.get(), other.handles.map.size],
        [{ hits: 1 }, [1, 2], 0],
      );
      other.at('b');
      test.same(
        [other.handles.value.get(), other.handles.list.get(), [...other.handles.map.values()]],
        [{ hits: 5 }, [], [1]],
      );
      test.same(
        store(other.state, other.keys).map(({ states }) => states),
        stored.map(({ states }) => states),
      );
    },
  );

  void t.test(`${name}: KS1: handles work on the key that was set last, and at its time`, async (test) => {
    const { at, state, handles } = subject(open, { value: valueState<{ hits: number }>({ ttl: 10 }) });
    for (const [of, now] of [
      ['a', 0],
      ['b', 5],
    ] as const) {
      state.now = now;
      at(of);
      handles.value.set({ hits: now });
    }
    state.now = 12;
    const seen = ['a', 'b', 'a', 'c'].map((of) => (at(of), handles.value.get()));
    test.same(seen, [undefined, { hits: 5 }, undefined, undefined]);
  });

  void t.test(`${name}: LC1: an array that was handed out never changes`, async (test) => {
    const { at, handles, batch } = subject(open);
    at('a');
    handles.list.addAll([1, 2]);
    const first = handles.list.get();
    handles.list.add(3);
    const second = handles.list.get();
    batch();
    at('a');
    handles.list.addAll([4, 5]);
    const third = handles.list.get();
    handles.list.update([6]);
    handles.list.add(7);
    test.same(
      [first, second, third],
      [
        [1, 2],
        [1, 2, 3],
        [1, 2, 3, 4, 5],
      ],
    );
    test.same(handles.list.get(), [6, 7]);
  });

  void t.test(`${name}: LC2: a list without elements is not kept`, async (test) => {
    const { at, handles, batch, keys, state } = subject(open);
    for (const [of, empty] of [
      ['a', () => handles.list.addAll([])],
      ['b', () => handles.list.update([])],
      ['c', () => handles.list.clear()],
    ] as const) {
      at(of);
      if (of !== 'a') handles.list.add(1);
      empty();
      test.same(handles.list.get(), []);
    }
    batch();
    test.equal(keys.size, 0);
    test.same(store(state, keys), []);
  });

  void t.test(`${name}: every key with state is visited once, whichever state it has`, async (test) => {
    const { at, handles, batch, state, keys } = subject(open);
    at('a');
    handles.value.set({ hits: 1 });
    handles.list.add(1);
    batch();
    at('b');
    handles.map.set('x', 1);
    at('c');
    handles.list.add(1);
    handles.list.clear();
    const seen: unknown[] = [];
    state.forEachSlot(keys, (slot) => seen.push(keys.value(slot)));
    test.same(seen.map((it) => (it as { key: string }).key).sort(), ['a', 'b']);
  });
}

function subject(open: OpenStateBackend, changes: Partial<StateSpec> = {}) {
  const keys = newKeys();
  const spec = {
    value: valueState<{ hits: number }>(),
    list: listState<number>(),
    map: mapState<string, number>(),
    ...changes,
  };
  const state = new KeyedState(spec, 'under-test', open(keys));
  return {
    keys,
    state,
    handles: state.handles as {
      readonly value: ValueHandle<{ hits: number }>;
      readonly list: ListHandle<number>;
      readonly map: MapHandle<string, number>;
    },
    at: (of: string) => {
      state.slot = keys.slotOfRow({ key: of });
    },
    batch: () => {
      state.settle();
      keys.reclaim();
    },
  };
}

/** Each key's states as stored, by key. */
function store(state: KeyedState, keys: ReturnType<typeof newKeys>) {
  const byKey = new Map<string, { readonly key: Uint8Array; readonly states: StoredStates }>();
  const place = (key: Uint8Array) => {
    const id = Buffer.from(key).toString('latin1');
    const entry = byKey.get(id) ?? { key, states: {} };
    byKey.set(id, entry);
    return { states: entry.states, key: 0 };
  };
  state.store((slot) => place(keys.canonical(slot)), place);
  return [...byKey].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry);
}
