import fc from 'fast-check';
import { Packr } from 'msgpackr';
import t from 'tap';
import type {
  MultiInputOperator,
  OpenStateBackend,
  Operator,
  OperatorDefinition,
  OperatorState,
} from '#engine';
import {
  defineBroadcastOperator,
  defineCoOperator,
  defineOperator,
  mapState,
  type StateOptions,
  type,
  valueState,
} from '#operators';
import { decodeGroup, encodeGroup } from '../../engine/checkpoint/snapshot-codec.ts';
import { broadcastOperator } from '../../operators/define-broadcast-operator.ts';
import { coProcessOperator } from '../../operators/define-co-operator.ts';
import { processOperator } from '../../operators/define-operator.ts';
import { distinct } from '../../operators/distinct.ts';
import { intervalJoin } from '../../operators/join/interval-join.ts';
import { temporalJoin } from '../../operators/join/temporal-join.ts';
import { windowJoin } from '../../operators/join/window-join.ts';
import { reduce } from '../../operators/reduce.ts';
import { heapState } from '../../operators/state/keyed-state.ts';
import { topN } from '../../operators/top-n.ts';
import { manualClock } from '../ops/support/manual-clock.ts';
import { createOperatorBench, rowRecords } from '../support/operator-bench.ts';
import { propertyRuns } from '../support/property-runs.ts';
import { allKinds, Command, obey, ring, ringByClock, VERBS } from './state/command-operator.ts';
import { spillingBackend } from './state/spilling-backend.ts';
import { contentByKey, type Lapse, lapsed, NEVER_LAPSES } from './stored-content.ts';

const KEYS = { kind: 'fields', fields: ['key', 'zone'] } as const;
/** Few, so that groups have several keys. */
const MAX_PARALLELISM = 4;
const TTL_MS = 25;

/** Spills all at every second chance: at a barrier some cells are in memory, and leave it later. */
const lazilySpilling: OpenStateBackend = (keys, watcher) => {
  const backend = spillingBackend(keys, watcher);
  let chances = 0;
  return {
    ...backend,
    settle() {
      if (++chances % 2 === 0) backend.settle?.();
    },
  };
};

/** An operator, and what of its content goes by time alone. */
interface Case {
  readonly definition: OperatorDefinition;
  readonly lapse?: Lapse;
  /** A key's place in its group may change although nothing of it does. */
  readonly moves?: boolean;
}

const what = { key: type<unknown>(), output: type<unknown>() };
const rings = { onTimer: ring as never, onProcessingTimer: ringByClock as never };

function process(life: StateOptions, backend: OpenStateBackend): Case {
  const state = allKinds(life);
  const definition = defineOperator({
    ...what,
    ...rings,
    state,
    input: type<Command>(),
    onRecord: obey as never,
  });
  return {
    definition: processOperator(definition as never, backend),
    lapse:
      life.ttl === undefined
        ? NEVER_LAPSES
        : { at: (row) => (row as { at: number }).at + TTL_MS, by: 'clock' },
    moves: backend !== heapState,
  };
}

const coProcess: Case = {
  definition: coProcessOperator(
    defineCoOperator({
      ...what,
      ...rings,
      state: allKinds({}),
      left: type<Command>(),
      right: type<Command>(),
      onLeft: obey as never,
      onRight: obey as never,
    }) as never,
  ),
};

const broadcast: Case = {
  definition: broadcastOperator(
    defineBroadcastOperator({
      ...what,
      input: type<Command>(),
      broadcast: type<Command>(),
      state: { sum: valueState<number>(), seen: mapState<number, number>() },
      broadcastState: { last: valueState<number>() },
      onRecord({ a, b }, { state }) {
        state.sum.set((state.sum.get() ?? 0) + a);
        if (b > 0) state.seen.set(a, b);
        else state.seen.delete(a);
      },
      onBroadcast({ a }, { broadcast: { last }, forEachKey }) {
        last.set(a);
        forEachKey((_, { sum }) => (a > 8 ? sum.clear() : sum.set((sum.get() ?? 0) + a)));
      },
    }) as never,
  ),
};

const entries = (by: Lapse['by']): Lapse => ({ at: (row) => (row as { expiry: number }).expiry, by });
const pair = (left: unknown, right: unknown) => ({ left, right });
const cases: Readonly<Record<string, Case>> = {
  process: process({}, heapState),
  'process, expiring': process({ ttl: TTL_MS }, heapState),
  'process, spilling': process({}, lazilySpilling),
  'process, spilling and expiring': process({ ttl: TTL_MS, refresh: 'on-read-and-write' }, lazilySpilling),
  'co-process': coProcess,
  broadcast,
  reduce: {
    definition: reduce<Command>({ reduce: (left, right) => ({ ...right, a: left.a + right.a }) }),
  },
  distinct: { definition: distinct<Command>({ ttl: 20 }), lapse: entries('watermark') },
  'distinct by value': { definition: distinct<Command>({ ttl: 20, of: 'a' }), lapse: entries('watermark') },
  'distinct by the clock': {
    definition: distinct<Command>({ ttl: 20, of: 'b', time: 'processing' }),
    lapse: entries('clock'),
  },
  'top-n': { definition: topN<Command>({ n: 2, by: 'a' }) },
  'top-n by id': { definition: topN<Command>({ n: 2, by: 'a', id: 'b' }) },
  'top-n, windowed': {
    definition: topN<Command>({
      n: 2,
      by: 'a',
      windows: { kind: 'tumbling', sizeMs: 20, offsetMs: 0 },
      allowedLateness: 10,
    }),
  },
  'interval join': {
    definition: intervalJoin<Command, Command, unknown, 'full'>({
      lowerMs: -9,
      upperMs: 5,
      type: 'full',
      join: pair,
    }),
  },
  'temporal join': { definition: temporalJoin<Command, Command, unknown>({ ttl: 30, join: pair }) },
  'window join': {
    definition: windowJoin<Command, Command, unknown>({
      windows: { kind: 'sliding', sizeMs: 20, slideMs: 10, offsetMs: 0 },
      allowedLatenessMs: 10,
      join: pair,
    }),
  },
  'session join': {
    definition: windowJoin<Command, Command, unknown>({
      windows: { kind: 'session', gap: 6 },
      allowedLatenessMs: 10,
      join: pair,
    }),
  },
};

/** What leaves something behind comes more often than what looks at it. */
const verb = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.constantFrom('at', 'at', 'atProcessingTime', 'value.set', 'list.add', 'map.set'),
  },
  { weight: 1, arbitrary: fc.constantFrom(...VERBS) },
);
const command: fc.Arbitrary<Command> = fc.record(
  {
    /** From the watermark on. */
    ts: fc.integer({ min: -15, max: 30 }),
    key: fc.constantFrom('a', 'b', 'c', 'd', 'ß'),
    zone: fc.constantFrom(1, 2),
    verb,
    a: fc.integer({ min: 0, max: 12 }),
    b: fc.integer({ min: 0, max: 3 }),
  },
  { noNullPrototype: true },
);
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('records' as const),
      input: fc.nat({ max: 1 }),
      rows: fc.array(command, { minLength: 1, maxLength: 3 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('watermark' as const), by: fc.integer({ min: 1, max: 20 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.integer({ min: 0, max: 30 }) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('barrier' as const), first: fc.nat({ max: 3 }) }) },
  { weight: 4, arbitrary: fc.constant({ kind: 'read' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'release' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'restore' as const }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

const packr = new Packr({ useRecords: false, moreTypes: true });
const fail = (text: string): never => {
  throw new Error(text);
};

/** One snapshot, all of it read at once. */
interface Read {
  readonly groups: ReadonlyMap<number, unknown>;
  readonly isRestored: boolean;
}

/** Two instances that get the same: one reads its snapshots at once, the other group by group while it goes on. */
class Twins {
  readonly #case: Case;
  readonly #clock = manualClock(0);
  #watermark = 0;
  #operators: readonly (Operator | MultiInputOperator)[];
  #before: Read = { groups: new Map(), isRestored: false };
  #lazy: { readonly state: OperatorState; readonly expected: Read; readonly unread: number[] } | null = null;

  constructor(of: Case) {
    this.#case = of;
    this.#operators = [this.#open(), this.#open()];
  }

  do(it: Step): void {
    switch (it.kind) {
      case 'records':
        return this.#each(it.input, (to) => {
          const rows = it.rows.map((row) => ({ ...row, ts: row.ts + this.#watermark }));
          to.records(
            rowRecords(
              rows,
              rows.map(({ ts }) => ts),
            ),
          );
        });
      case 'watermark':
        this.#watermark += it.by;
        for (const input of [0, 1]) this.#each(input, (to) => to.watermark(this.#watermark));
        return;
      case 'advance':
        this.#clock.advance(it.ms);
        for (const operator of this.#operators) operator.poll?.();
        return;
      case 'barrier':
        return this.#barrier(it.first);
      case 'read':
        return this.#readOne();
      case 'release':
        this.#lazy?.state.release?.();
        this.#lazy = null;
        return;
      case 'restore':
        return this.#restore();
    }
  }

  #barrier(first: number): void {
    const [eager, lazy] = this.#operators.map((operator) => operator.snapshot?.() as OperatorState) as [
      OperatorState,
      OperatorState,
    ];
    const read: Read = { groups: new Map(eager.groups), isRestored: false };
    this.#checkDirty(eager, read);
    this.#before = read;
    const unread = [...lazy.groups.keys()].sort(
      (a, b) => ((a + first) % MAX_PARALLELISM) - ((b + first) % MAX_PARALLELISM),
    );
    // The twins clean up in the order of their slots, which a reading keeps from being used again.
    if (this.#case.lapse === undefined || this.#case.lapse === NEVER_LAPSES) {
      same([...(lazy.dirty ?? fail('no dirty groups'))], [...(eager.dirty ?? [])], 'dirty groups');
      const rising = [...unread].sort((a, b) => a - b);
      same(
        rising,
        [...read.groups.keys()].toSorted((a, b) => a - b),
        'key groups',
      );
    }
    this.#lazy = { state: lazy, expected: read, unread };
  }

  /** KN3: what is not called dirty is byte for byte what it was. */
  #checkDirty({ dirty }: OperatorState, now: Read): void {
    for (let group = 0; group < MAX_PARALLELISM; group++) {
      if (dirty?.has(group)) continue;
      const [before, after] = [this.#before.groups.get(group), now.groups.get(group)];
      const { lapse = NEVER_LAPSES, moves = false } = this.#case;
      const time = lapse.by === 'clock' ? this.#clock.now() : this.#watermark;
      const left = (of: unknown) => lapsed(contentByKey(of), lapse, time);
      same(left(after), left(before), `group ${group}, which is not dirty`);
      if (this.#before.isRestored || moves || lapse !== NEVER_LAPSES || !before || !after) continue;
      if (!packr.pack(before).equals(packr.pack(after))) fail(`group ${group}, not dirty, has other bytes`);
    }
  }

  /** KN2: as it was at the barrier. */
  #readOne(): void {
    const group = this.#lazy?.unread.shift();
    if (this.#lazy === null || group === undefined) return;
    const { state, expected } = this.#lazy;
    same(contentByKey(state.groups.get(group)), contentByKey(expected.groups.get(group)), `group ${group}`);
  }

  #restore(): void {
    const states = this.#operators.map((operator) => operator.snapshot?.() as OperatorState);
    this.#operators = states.map((state) => {
      const operator = this.#open();
      const groups = new Map(
        [...state.groups].map(([n, group]) => [n, decodeGroup(encodeGroup(group).slice())]),
      );
      operator.restore?.([{ ...state, groups }]);
      this.#before = { groups: structuredClone(groups), isRestored: true };
      return operator;
    });
    this.#lazy = null;
  }

  #open(): Operator | MultiInputOperator {
    const bench = createOperatorBench({
      keys: KEYS,
      inputKeys: [KEYS, this.#case === broadcast ? null : KEYS],
      clock: this.#clock,
      maxParallelism: MAX_PARALLELISM,
    });
    return this.#case.definition.create(bench.context);
  }

  #each(to: number, tell: (input: Operator | MultiInputOperator['inputs'][number]) => void): void {
    for (const operator of this.#operators)
      tell('inputs' in operator ? (operator.inputs[to] ?? fail('input')) : operator);
  }
}

function same(got: unknown, expected: unknown, of: string): void {
  const [a, b] = [JSON.stringify(got), JSON.stringify(expected)];
  if (a !== b) fail(`${of}:\n got      ${a}\n expected ${b}`);
}

for (const [name, of] of Object.entries(cases))
  void t.test(
    `KN1 KN2 KN3 KN4 E7: ${name}: a snapshot read while the operator goes on is as it was at the barrier; what is not dirty has not changed`,
    async (test) => {
      fc.assert(
        fc.property(fc.array(step, { maxLength: 40, size: 'max' }), (script) => {
          const twins = new Twins(of);
          for (const it of script) twins.do(it);
        }),
        { numRuns: propertyRuns(60) },
      );
      test.pass();
    },
  );
