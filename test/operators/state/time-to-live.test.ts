import t from 'tap';
import { createKeySpace, heapStateBackend, type PackedKeys } from '#engine';
import { defineOperator, type StateOptions, type } from '#operators';
import { processOperator } from '../../../operators/define-operator.ts';
import { KeyedState } from '../../../operators/state/keyed-state.ts';
import type { Handles } from '../../../operators/state/state-kinds.ts';
import { manualClock } from '../../ops/support/manual-clock.ts';
import { rowRecords } from '../../support/operator-bench.ts';
import { allKinds } from './command-operator.ts';
import { createKeySubtasks } from './key-subtasks.ts';

/** One key's state of every kind, on a clock of the test's. */
function subject(options: StateOptions) {
  const keys = createKeySpace({ kind: 'fields', fields: ['key'] }, 128);
  const state = new KeyedState(allKinds(options), 'under-test', heapStateBackend(keys.slots));
  const at = (key: string) => {
    state.slot = keys.slotOfRow({ key });
  };
  at('a');
  return {
    state,
    keys,
    at,
    handles: state.handles as Handles<ReturnType<typeof allKinds>>,
    /** Every value written, at the time it is. */
    write: () => {
      const { value, list, map, reducing, aggregating } = state.handles as Handles<
        ReturnType<typeof allKinds>
      >;
      value.set(1);
      list.add(1);
      map.set(1, 1);
      reducing.add(1);
      aggregating.add(1);
    },
    read: () => {
      const { value, list, map, reducing, aggregating } = state.handles as Handles<
        ReturnType<typeof allKinds>
      >;
      return [value.get(), list.get(), [...map.entries()], reducing.get(), aggregating.get()];
    },
  };
}
const ALL = [1, [1], [[1, 1]], 1, '1'];
const NOTHING = [undefined, [], [], undefined, undefined];

void t.test(
  '§2.7: state lives for its ttl of processing time, and not a millisecond longer',
  async (test) => {
    const { state, write, read } = subject({ ttl: '1m' });
    write();
    state.now = 59_999;
    test.same(read(), ALL);
    state.now = 60_000;
    test.same(read(), NOTHING);
  },
);

void t.test('§2.7: by default writing starts a life anew, reading does not', async (test) => {
  const { state, write, read } = subject({ ttl: 100 });
  write();
  state.now = 99;
  read();
  state.now = 100;
  test.same(read(), NOTHING);
  write();
  state.now = 199;
  test.same(read(), ALL);
});

void t.test('§2.7: with on-read-and-write reading starts a life anew', async (test) => {
  const { state, write, read } = subject({ ttl: 100, refresh: 'on-read-and-write' });
  write();
  for (const now of [99, 198, 297]) {
    state.now = now;
    test.same(read(), ALL, `at ${now}`);
  }
  state.now = 397;
  test.same(read(), NOTHING);
});

void t.test('§2.7: elements of a list and entries of a map expire one by one', async (test) => {
  const { state, handles } = subject({ ttl: 100 });
  for (const now of [0, 40, 80]) {
    state.now = now;
    handles.list.add(now);
    handles.map.set(now, now);
  }
  state.now = 90;
  handles.map.set(0, -1);
  state.now = 140;
  test.same(handles.list.get(), [80]);
  test.same(
    [...handles.map.entries()],
    [
      [0, -1],
      [80, 80],
    ],
  );
  test.equal(handles.map.size, 2);
  test.equal(handles.map.has(40), false);
  test.equal(handles.map.delete(40), false, 'what has expired is not there to be deleted');
  handles.map.set(1, 1);
  state.now = 200;
  handles.map.set(0, -2);
  test.same(
    [...handles.map.keys()],
    [1, 0],
    'an entry that is set again after it has expired is a new one, in the last place',
  );
});

void t.test(
  'show-until-cleaned: what has expired can be read until clean-up meets it, and is not refreshed by that',
  async (test) => {
    const { state, handles, at } = subject({
      ttl: 100,
      expired: 'show-until-cleaned',
      refresh: 'on-read-and-write',
    });
    // Clean-up looks at five slots per access: five other keys stand before this one.
    for (const key of ['b', 'c', 'd', 'e', 'f', 'g']) {
      at(key);
      handles.value.set(7);
    }
    state.now = 100;
    at('g');
    const seen = Array.from({ length: 4 }, () => handles.value.get());
    test.equal(seen[0], 7);
    test.equal(seen.at(-1), undefined);
  },
);

void t.test(
  'KS2: what has expired is in no snapshot, and its keys neither; a change of ttl applies to what is stored',
  async (test) => {
    const operator = (options: StateOptions) =>
      processOperator(
        defineOperator({
          key: type<{ key: string }>(),
          input: type<{ key: string; do: string }>(),
          output: type<unknown>(),
          state: allKinds(options),
          onRecord({ do: verb }, { key, state: { value, list, map, reducing, aggregating }, emit }) {
            if (verb === 'read')
              emit([key.key, value.get(), list.get(), [...map.keys()], reducing.get(), aggregating.get()]);
            else for (const { add } of [list, reducing, aggregating]) add(1);
            if (verb === 'write') value.set(1);
            if (verb === 'write') map.set(1, 1);
          },
        }) as never,
      );
    const clock = manualClock(0);
    const open = (options: StateOptions) =>
      createKeySubtasks(operator(options), { routes: [{ kind: 'fields', fields: ['key'] }], clock });
    const tell = (subtasks: ReturnType<typeof open>, key: string, what: string) =>
      subtasks.records(0, [{ key, do: what }], (rows) => rowRecords(rows, [0]));
    const snapshot = (subtasks: ReturnType<typeof open>) => {
      const state = subtasks.operators()[0]?.snapshot?.();
      return state && { ...state, groups: new Map(state.groups) };
    };
    const subtasks = open({ ttl: 100 });
    tell(subtasks, 'old', 'write');
    clock.advance(50);
    tell(subtasks, 'new', 'write');
    const early = snapshot(subtasks);
    clock.advance(60);
    const late = snapshot(subtasks);
    const keysOf = (of: typeof late) =>
      [...(of?.groups.values() ?? [])].flatMap((it) => [...(it as { keys: PackedKeys }).keys.ends]);
    test.equal(keysOf(early).length, 2);
    test.equal(keysOf(late).length, 1, 'the expired key is left out');
    for (const [options, expected] of [
      [{ ttl: 100 }, ['new']],
      [{ ttl: 500 }, ['old', 'new']],
      [{ ttl: 50 }, []],
      [{}, ['old', 'new']],
    ] as const) {
      const other = open(options);
      other.operators()[0]?.restore?.([early as never]);
      for (const key of ['old', 'new']) tell(other, key, 'read');
      const found = other
        .take()
        .flatMap(([row]) => ((row as unknown[])[1] === 1 ? [(row as unknown[])[0]] : []));
      test.same(found, expected, JSON.stringify(options));
    }
    const without = open({});
    tell(without, 'old', 'write');
    const mortal = open({ ttl: 100 });
    mortal.operators()[0]?.restore?.([snapshot(without) as never]);
    clock.advance(99);
    tell(mortal, 'old', 'read');
    test.same(
      mortal.take()[0]?.[0],
      ['old', 1, [1], [1], 1, '1'],
      'a life without a beginning begins with the restore',
    );
    clock.advance(1);
    tell(mortal, 'old', 'read');
    test.same(mortal.take()[0]?.[0], ['old', undefined, [], [], undefined, undefined]);
  },
);

void t.test('idle keys leave memory: with fresh keys for ever, keys and slots stay flat', async (test) => {
  const mortal = defineOperator({
    key: type<{ key: string }>(),
    input: type<{ key: string }>(),
    output: type<unknown>(),
    state: allKinds({ ttl: 50 }),
    onRecord({ key }, { state: { value, list, map, reducing, aggregating } }) {
      value.set(1);
      list.add(key.length);
      map.set(key.length, 1);
      reducing.add(1);
      aggregating.add(1);
    },
  });
  const clearing = defineOperator({
    key: type<{ key: string }>(),
    input: type<{ key: string }>(),
    output: type<unknown>(),
    state: allKinds({}),
    onRecord({ key }, { state: { value, list, map }, timers, timestamp, processingTime }) {
      value.set(1);
      list.add(key.length);
      map.set(1, 1);
      timers.at(timestamp + 50);
      timers.atProcessingTime(processingTime + 10);
    },
    onTimer(_, { state: { value, list } }) {
      value.clear();
      list.clear();
    },
    onProcessingTimer(_, { state }) {
      state.map.clear();
    },
  });
  for (const definition of [mortal, clearing]) {
    const clock = manualClock(0);
    const subtasks = createKeySubtasks(processOperator(definition as never), {
      routes: [{ kind: 'fields', fields: ['key'] }],
      clock,
    });
    const sizes: number[] = [];
    for (let batch = 0; batch < 600; batch++) {
      const rows = Array.from({ length: 40 }, (_, i) => ({ key: `key-${batch}-${i}` }));
      subtasks.records(0, rows, (some) =>
        rowRecords(
          some,
          some.map(() => batch * 10),
        ),
      );
      subtasks.watermark(0, batch * 10);
      clock.advance(10);
      subtasks.poll();
      sizes.push(subtasks.operators()[0]?.counters?.().keys ?? Number.NaN);
    }
    const settled = Math.max(...sizes.slice(50, 100));
    test.ok(settled < 40 * 15, `${settled} keys, of which 240 are alive`);
    test.ok(Math.max(...sizes.slice(100)) <= settled * 1.2, `${Math.max(...sizes)} keys at most of 24,000`);
  }
});
