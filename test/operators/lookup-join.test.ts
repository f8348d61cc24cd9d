import fc from 'fast-check';
import t from 'tap';
import { type OperatorState, seededRandom } from '#engine';
import { decodeSnapshot, encodeSnapshot } from '../support/stored-snapshot.ts';
import { lookupJoin, type LookupJoinOperator, type LookupJoinOptions } from '../../operators/lookup-join.ts';
import { manualClock } from '../ops/support/manual-clock.ts';
import { createOperatorBench, rowRecords } from '../support/operator-bench.ts';
import { propertyRuns } from '../support/property-runs.ts';

interface Row {
  readonly id: number;
  readonly key: string | null;
}
type Options = LookupJoinOptions<Row, string, number, unknown>;

/** A registry whose answers wait until the test gives them. Keys of one letter have a value, others none. */
class Registry {
  readonly asked: string[] = [];
  readonly open: { readonly keys: readonly string[]; readonly answer: (fails: boolean) => void }[] = [];
  readonly load = (key: string): Promise<number | null> =>
    this.#ask([key]).then(() => valueOf(key)) as Promise<number | null>;
  readonly loadMany = (keys: readonly string[]): Promise<ReadonlyMap<string, number>> =>
    this.#ask(keys).then(
      () => new Map(keys.flatMap((key) => (valueOf(key) === null ? [] : [[key, valueOf(key) as number]]))),
    );

  async answer(nth = 0, fails = false): Promise<void> {
    const [call] = this.open.splice(nth % Math.max(1, this.open.length), 1);
    call?.answer(fails);
    await new Promise((resolve) => setImmediate(resolve));
  }

  #ask(keys: readonly string[]): Promise<void> {
    this.asked.push(keys.join('+'));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.open.push({
      keys,
      answer: (fails) => (fails ? reject(new Error(`no ${keys.join()}`)) : resolve()),
    });
    return promise;
  }
}
const valueOf = (key: string) => (key.length === 1 ? key.charCodeAt(0) : null);

const base = {
  key: (row: Row) => row.key,
  type: 'left',
  join: (row: Row, value: number | null) => `${row.id}:${value}`,
  cache: { entries: 100, ttl: '10s', negativeTtl: '1s' },
} as const;
const open = (options: Partial<Options> & { readonly registry?: Registry } = {}, clock = manualClock(0)) => {
  const { registry = new Registry(), ...changes } = options;
  const bench = createOperatorBench({ clock });
  const loader = 'loadMany' in changes ? {} : { load: registry.load };
  const operator = lookupJoin({ ...base, ...loader, ...changes } as Options, seededRandom(3)).create(
    bench.context,
  );
  let id = 0;
  const give = (...keys: (string | null)[]) =>
    operator.records(
      rowRecords(
        keys.map((key) => ({ id: ++id, key })),
        keys.map((_, i) => id - keys.length + i + 1),
      ),
    );
  const got = () => {
    operator.poll?.();
    return bench.output
      .take()
      .map((it) => (it.kind === 'row' ? it.row : it.kind === 'watermark' ? `w${it.time}` : 'idle'));
  };
  return { bench, operator, registry, clock, give, got };
};
const stored = (operator: LookupJoinOperator): OperatorState =>
  decodeSnapshot(encodeSnapshot(operator.snapshot?.() as OperatorState), [0, 127]);

type Step =
  | { readonly kind: 'records'; readonly keys: readonly (string | null)[] }
  | { readonly kind: 'answer'; readonly nth: number; readonly fails: boolean }
  | { readonly kind: 'advance'; readonly ms: number }
  | { readonly kind: 'watermark' | 'restore' };
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('records' as const),
      keys: fc.array(fc.constantFrom('a', 'b', 'c', 'none', 'nil', null), { minLength: 1, maxLength: 6 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('answer' as const),
      nth: fc.nat(5),
      fails: fc.nat(7).map((n) => n === 0),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 2_000 }) }),
  },
  { weight: 2, arbitrary: fc.constant<Step>({ kind: 'watermark' }) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'restore' }) },
);

void t.test(
  'LJ1 LJ3 LK1 LK2: every record comes out once with its value, or is an error; in order, also around hits and restores',
  async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 30 }),
        fc.record({
          order: fc.constantFrom<'ordered' | 'unordered'>('ordered', 'unordered'),
          type: fc.constantFrom<'left' | 'inner'>('left', 'inner'),
          concurrency: fc.integer({ min: 1, max: 3 }),
          entries: fc.integer({ min: 1, max: 4 }),
          batch: fc.option(
            fc.record({ size: fc.integer({ min: 1, max: 3 }), wait: fc.constantFrom(0, 500) }),
          ),
        }),
        async (script, { order, type, concurrency, entries, batch }) => {
          const clock = manualClock(0);
          const start = (registry: Registry) =>
            open(
              {
                ...(batch === null ? {} : { loadMany: registry.loadMany, batch }),
                registry,
                order,
                type,
                concurrency,
                cache: { entries, ttl: 3_000 },
              } as Partial<Options>,
              clock,
            );
          let run = start(new Registry());
          const rows: Row[] = [];
          const failed = new Set<number>();
          const said: string[] = [];
          const collect = () => {
            said.push(...run.got().map(String));
            for (const error of run.bench.errors.splice(0)) failed.add((error.row as Row).id);
          };
          for (const it of script) {
            if (it.kind === 'records' && run.operator.blocked?.() === null) {
              const added = it.keys.map((key, i) => ({ id: rows.length + i + 1, key }));
              rows.push(...added);
              run.operator.records(
                rowRecords(
                  added,
                  added.map(({ id }) => id),
                ),
              );
            } else if (it.kind === 'answer') await run.registry.answer(it.nth, it.fails);
            else if (it.kind === 'advance') clock.advance(it.ms);
            else if (it.kind === 'watermark') run.operator.watermark(rows.length);
            else if (it.kind === 'restore') {
              collect();
              const state = stored(run.operator);
              run = start(new Registry());
              run.operator.restore?.([state]);
              run.operator.watermark(rows.length);
            }
            collect();
            const open = run.registry.open.flatMap(({ keys }) => keys);
            if (new Set(open).size < open.length) throw new Error(`loaded twice at once: ${open.join()}`);
            if (run.registry.open.length > concurrency)
              throw new Error(`${run.registry.open.length} loads are open`);
          }
          for (let i = 0; run.operator.pending?.() && i < 500; i++) {
            clock.advance(500);
            collect();
            await run.registry.answer();
          }
          collect();
          const expected = rows
            .map(({ id, key }) => [id, key === null ? null : valueOf(key)] as const)
            .filter(([id, value]) => !failed.has(id) && (type === 'left' || value !== null))
            .map(([id, value]) => `${id}:${value}`);
          const results = said.filter((it) => it.includes(':'));
          if (order === 'unordered') results.sort((a, b) => Number.parseInt(a) - Number.parseInt(b));
          if (results.join() !== expected.join())
            throw new Error(`got ${results.join()} instead of ${expected.join()}`);
          // No result on the wrong side of a watermark.
          return said.every((it, i) => {
            if (!it.startsWith('w')) return true;
            const time = Number(it.slice(1));
            const idOf = (result: string) => Number.parseInt(result);
            return (
              said.slice(0, i).every((b) => !b.includes(':') || idOf(b) <= time) &&
              said.slice(i).every((a) => !a.includes(':') || idOf(a) > time)
            );
          });
        },
      ),
      { numRuns: propertyRuns(300) },
    );
  },
);

void t.test(
  'LJ2: a record found in the cache is joined at once, and keeps its place behind those that wait',
  async (test) => {
    const { bench, registry, give, got, operator } = open();
    give('a');
    await registry.answer();
    test.same(got(), ['1:97']);
    give('a', 'a');
    test.same(bench.output.rows(), ['2:97', '3:97'], 'in the call that gave them');
    bench.output.take();
    give('b', 'a');
    test.same(got(), [], 'b is waited for');
    test.same(stored(operator).items, [
      { row: { id: 4, key: 'b' }, time: 4 },
      { row: { id: 5, key: 'a' }, time: 5 },
    ]);
    await registry.answer();
    test.same(got(), ['4:98', '5:97']);
    test.same(registry.asked, ['a', 'b']);
    test.same(operator.stats(), { hits: 3, misses: 2, loads: 2, errors: 0 });
    test.equal(operator.counters?.().keys, 2);
  },
);

void t.test(
  'unordered, a record found in the cache passes those that wait, but no watermark',
  async (test) => {
    const { registry, give, got, operator } = open({ order: 'unordered' });
    give('a');
    await registry.answer();
    got();
    give('b', 'a');
    test.same(got(), ['3:97']);
    operator.watermark(3);
    give('a');
    test.same(got(), []);
    await registry.answer();
    test.same(got(), ['2:98', 'w3', '4:97']);
  },
);

void t.test('LK1: those who ask for a key while it is loaded share the answer', async (test) => {
  const { registry, give, got, operator } = open();
  give('a', 'a', 'b', 'a');
  give('b');
  test.same(registry.asked, ['a', 'b']);
  await registry.answer();
  await registry.answer();
  test.same(got(), ['1:97', '2:97', '3:98', '4:97', '5:98']);
  test.same(operator.stats(), { hits: 0, misses: 5, loads: 2, errors: 0 });
});

void t.test(
  'a value is used for its ttl, "there is none" for negativeTtl; then it is loaded again',
  async (test) => {
    const { registry, give, got, clock } = open();
    give('a', 'none');
    await registry.answer();
    await registry.answer();
    test.same(got(), ['1:97', '2:null']);
    clock.advance(1_000);
    give('a', 'none');
    test.same(got(), ['3:97', '4:null']);
    clock.advance(1);
    give('a', 'none');
    await registry.answer();
    test.same(got(), ['5:97', '6:null']);
    clock.advance(8_999);
    give('a');
    test.same(registry.asked, ['a', 'none', 'none']);
    clock.advance(1);
    give('a');
    test.same(registry.asked, ['a', 'none', 'none', 'a']);
  },
);

void t.test('with a negativeTtl of 0 "there is none" is not remembered', async (test) => {
  const { registry, give, operator } = open({ cache: { entries: 9, ttl: 100, negativeTtl: 0 } });
  give('none');
  await registry.answer();
  give('none');
  test.same(registry.asked, ['none', 'none']);
  test.equal(operator.counters?.().keys, 0);
});

void t.test('the cache keeps `entries` keys, those used last', async (test) => {
  const { registry, give, operator } = open({ cache: { entries: 2, ttl: '1h' } });
  const ask = async (key: string) => {
    give(key);
    operator.poll?.();
    await registry.answer();
    operator.poll?.();
  };
  for (const key of ['a', 'b', 'a', 'c', 'a', 'b']) await ask(key);
  test.same(registry.asked, ['a', 'b', 'c', 'b'], 'b went, not a');
});

void t.test(
  'no key, no value: nothing is loaded; inner drops the record, left joins it with null',
  async (test) => {
    const left = open();
    left.give(null);
    test.same([left.got(), left.registry.asked], [['1:null'], []]);
    const inner = open({ type: 'inner' } as Partial<Options>);
    inner.give(null, 'none', 'a');
    await inner.registry.answer();
    await inner.registry.answer();
    test.same([inner.got(), inner.registry.asked], [['3:97'], ['none', 'a']]);
  },
);

void t.test('LK2: a failed load is an error of all who waited, and not remembered', async (test) => {
  const { bench, registry, give, got, operator } = open();
  give('a', 'b', 'a');
  await registry.answer(0, true);
  await registry.answer();
  test.same(got(), ['2:98']);
  test.same(
    bench.errors.map(({ message, time }) => [message, time]),
    [
      ['no a', 1],
      ['no a', 3],
    ],
  );
  test.equal(operator.stats().errors, 1);
  give('a');
  await registry.answer();
  test.same(got(), ['4:97']);
});

void t.test(
  'LK3: a batch leaves when it is full, or when its first key has waited long enough',
  async (test) => {
    const registry = new Registry();
    const { bench, give, got, clock, operator } = open({
      registry,
      loadMany: registry.loadMany,
      batch: { size: 3, wait: 50 },
    } as Partial<Options>);
    give('a', 'b', 'a', 'none', 'c');
    test.same(registry.asked, ['a+b+none'], 'distinct keys; c waits for others');
    await registry.answer();
    test.same(got(), ['1:97', '2:98', '3:97', '4:null']);
    clock.advance(49);
    give('d');
    const wakes = bench.wakes;
    clock.advance(1);
    test.ok(bench.wakes > wakes);
    operator.poll?.();
    test.same(registry.asked, ['a+b+none', 'c+d']);
    await registry.answer();
    test.same(got(), ['5:99', '6:100']);
    test.same(operator.stats(), { hits: 0, misses: 6, loads: 2, errors: 0 });
  },
);

void t.test('LK3: without a wait, a batch takes what came together', async (test) => {
  const registry = new Registry();
  const { give } = open({ registry, loadMany: registry.loadMany, batch: { size: 10 } } as Partial<Options>);
  give('a', 'b', 'a');
  give('b', 'c');
  test.same(registry.asked, ['a+b', 'c']);
});

void t.test('loads are tried again and given up like calls of asyncMap', async (test) => {
  let attempts = 0;
  const { bench, give, got, clock, operator } = open({
    load: (_key: string, { attempt, signal }: { readonly attempt: number; readonly signal: AbortSignal }) => {
      attempts = attempt;
      return attempt < 3 ? new Promise<number>(() => signal.aborted) : Promise.resolve(5);
    },
    timeout: 100,
    retry: { attempts: 3, first: 10, jitter: false },
  } as Partial<Options>);
  give('a');
  for (let i = 0; i < 4; i++) {
    clock.advance(i % 2 === 0 ? 100 : 10 * i);
    operator.poll?.();
  }
  await new Promise((resolve) => setImmediate(resolve));
  test.equal(attempts, 3);
  test.same(got(), ['1:5']);
  test.same(bench.errors, []);
  test.same(operator.stats(), { hits: 0, misses: 1, loads: 1, errors: 0 });
});

void t.test(
  'a key of another type, a join that throws and a loadMany without a Map are errors of their records',
  async (test) => {
    const { bench, give, got, registry } = open({
      key: (row: Row) => (row.id === 1 ? ([] as never) : row.key),
      join: (row: Row, value: number | null) => {
        if (row.id <= 3) throw new Error('cannot join');
        return value;
      },
    } as Partial<Options>);
    give('a', 'a', null, 'b');
    await registry.answer();
    await registry.answer();
    test.same(got(), [98]);
    test.same(
      bench.errors.map(({ code, time }) => [code, time]),
      [
        ['MR_KEY_INVALID', 1],
        ['NONE', 2],
        ['NONE', 3],
      ],
    );
    const many = open({ loadMany: async () => [1] as never, batch: { size: 1 } } as Partial<Options>);
    many.give('a');
    await new Promise((resolve) => setImmediate(resolve));
    many.got();
    test.match(many.bench.errors[0]?.message, /must resolve to a Map/);
  },
);

void t.test('options out of range are refused', async (test) => {
  const cache = base.cache;
  for (const changes of [
    { cache: { ...cache, entries: 0 } },
    { cache: { ...cache, ttl: 0 } },
    { concurrency: 0 },
    { loadMany: async () => new Map(), batch: { size: 0 } },
  ])
    test.throws(() => open(changes as Partial<Options>), { code: 'MR_CONFIG_INVALID' });
});
