import fc from 'fast-check';
import t from 'tap';
import { encodeSnapshot, decodeSnapshot } from '../support/stored-snapshot.ts';
import type { Operator, Stage } from '#engine';
import { SlotTable } from '../../engine/state/slot-table.ts';
import { RankTable } from '../../operators/top-n/rank-table.ts';
import { topN, type TopNOptions } from '../../operators/top-n.ts';
import { tumbling } from '../../operators/window/assigner.ts';
import { type KeyedReference, keyedDifference, keyedSteps, sampleKeys } from '../support/keyed-script.ts';
import { columnRecords, createOperatorBench, rowRecords } from '../support/operator-bench.ts';
import { propertyRuns } from '../support/property-runs.ts';
import { Sample, stages } from '../support/row-arbitraries.ts';
import { createSubtasks } from '../support/subtasks.ts';
import { text } from '../support/window-reference.ts';

const SIZE = 25;

interface Form {
  readonly n: number;
  readonly order: 'desc' | 'asc';
  readonly by: 'value' | 'level' | 'function';
  readonly id: 'none' | 'ok' | 'function';
  readonly isWindowed: boolean;
  readonly latenessMs: number;
}
const form: fc.Arbitrary<Form> = fc.record({
  n: fc.integer({ min: 1, max: 4 }),
  order: fc.constantFrom<Form['order']>('desc', 'asc'),
  by: fc.constantFrom<Form['by']>('value', 'level', 'function'),
  id: fc.constantFrom<Form['id']>('none', 'ok', 'function'),
  isWindowed: fc.boolean(),
  latenessMs: fc.constantFrom(0, 1, 15),
});
const byOf = (form: Form) => (row: Sample) => (form.by === 'function' ? row.level % 2 : row[form.by]);
const idOf = (form: Form) => (row: Sample) =>
  form.id === 'ok' ? row.ok : form.id === 'function' ? (row.device ?? 0) : null;

function optionsOf(form: Form): TopNOptions<Sample> {
  return {
    n: form.n,
    order: form.order,
    by: form.by === 'function' ? (row) => row.level % 2 : form.by,
    ...(form.id === 'none' ? {} : { id: form.id === 'ok' ? 'ok' : (row) => row.device ?? 0 }),
    ...(form.isWindowed ? { windows: tumbling(SIZE), allowedLateness: form.latenessMs } : {}),
  };
}

/** Keeps every record and sorts all of them each time. */
function reference(form: Form): KeyedReference {
  interface Ranking {
    readonly key: unknown;
    readonly start: number;
    readonly rows: { readonly row: Sample; readonly arrival: number }[];
    shown: string;
  }
  let rankings: Ranking[] = [];
  let watermark = Number.MIN_SAFE_INTEGER;
  let arrivals = 0;
  const results: [unknown, number][] = [];
  const late: [unknown, number][] = [];
  const by = byOf(form);
  const lastOf = (start: number) => start + SIZE - 1;
  const topOf = (ranking: Ranking) => {
    let rows = ranking.rows;
    if (form.id !== 'none') {
      // Of every id the row of the latest time, and of those the last to arrive.
      rows = rows.filter(
        (a) =>
          !rows.some(
            (b) =>
              idOf(form)(a.row) === idOf(form)(b.row) &&
              (b.row.ts > a.row.ts || (b.row.ts === a.row.ts && b.arrival > a.arrival)),
          ),
      );
    }
    const sign = form.order === 'desc' ? -1 : 1;
    return rows
      .toSorted(
        (a, b) =>
          sign * ((by(a.row) as number) - (by(b.row) as number)) ||
          a.row.ts - b.row.ts ||
          a.arrival - b.arrival,
      )
      .slice(0, form.n);
  };
  const give = (ranking: Ranking, time: number) => {
    const top = topOf(ranking).map(({ row }) => row);
    const window = { start: ranking.start, end: ranking.start + SIZE };
    results.push([form.isWindowed ? { key: ranking.key, window, top } : { key: ranking.key, top }, time]);
  };
  return {
    record(key, row) {
      const start = form.isWindowed ? Math.floor(row.ts / SIZE) * SIZE : 0;
      if (form.isWindowed && lastOf(start) + form.latenessMs <= watermark) {
        late.push([row, row.ts]);
        return;
      }
      const score = by(row);
      if (score === null || Number.isNaN(score)) return;
      if (form.id !== 'none' && idOf(form)(row) === null) throw new Error('no key');
      let ranking = rankings.find((it) => it.start === start && text(it.key) === text(key));
      if (ranking === undefined) {
        ranking = { key, start, rows: [], shown: '' };
        rankings.push(ranking);
      }
      ranking.rows.push({ row, arrival: arrivals++ });
      const shown = topOf(ranking)
        .map(({ arrival }) => arrival)
        .join();
      if (shown === ranking.shown) return;
      ranking.shown = shown;
      if (!form.isWindowed) give(ranking, row.ts);
      else if (lastOf(start) <= watermark) give(ranking, lastOf(start));
    },
    watermark(time) {
      if (!form.isWindowed) return;
      for (const ranking of rankings) {
        const last = lastOf(ranking.start);
        if (last > watermark && last <= time) give(ranking, last);
      }
      watermark = time;
      rankings = rankings.filter(({ start }) => lastOf(start) + form.latenessMs > time);
    },
    take: () => ({ results: results.splice(0), late: late.splice(0) }),
  };
}

void t.test(
  'TN1 TN2 TN3 TN4: rankings, changes, late rankings and late records equal a sort of everything, across restores at any parallelism',
  async () => {
    const property = (parallelismMax: number, withStages: boolean) =>
      fc.property(
        form,
        fc.constantFrom(...sampleKeys),
        withStages ? stages() : fc.constant([]),
        fc.boolean(),
        keyedSteps(parallelismMax),
        (form, [keys, keyOf], steps, interpreted, script) => {
          const subtasks = createSubtasks(topN(optionsOf(form)), { keys, stages: steps, interpreted });
          const wrong = keyedDifference(subtasks, reference(form), script, { keyOf, stages: steps });
          if (wrong !== null) throw new Error(wrong);
        },
      );
    fc.assert(property(3, false), { numRuns: propertyRuns(300) });
    fc.assert(property(1, true), { numRuns: propertyRuns(150) });
  },
);

interface Row {
  readonly k: string;
  readonly id: string;
  readonly score: number | null;
}
const row = (id: string, score: number | null): Row => ({ k: 'a', id, score });
const open = (options: Omit<TopNOptions<Row>, 'by'>, interpreted = false) => {
  const bench = createOperatorBench({ keys: { kind: 'fields', fields: ['k'] }, interpreted });
  const operator = topN<Row>({ by: 'score', ...options }).create(bench.context);
  const give = (rows: readonly (readonly [string, number | null, number])[]) =>
    operator.records(
      rowRecords(
        rows.map(([id, score]) => row(id, score)),
        rows.map(([, , time]) => time),
      ),
    );
  const tops = () =>
    bench.output
      .take()
      .flatMap((it) => (it.kind === 'row' ? [it.row as { readonly top: readonly Row[] }] : []))
      .map(({ top }) => top.map(({ id }) => id).join(''));
  return { bench, operator, give, tops };
};
const restored = (operator: Operator, options: Omit<TopNOptions<Row>, 'by'>) => {
  const state = operator.snapshot?.();
  if (state === undefined) throw new Error('a top-N has state');
  const next = open(options);
  next.operator.restore?.([decodeSnapshot(encodeSnapshot(state), [0, 127])]);
  return next;
};

void t.test('ties go to the earlier event time, then to the earlier arrival', async (test) => {
  const { operator, give, tops } = open({ n: 3, windows: tumbling(100) });
  give([
    ['c', 1, 9],
    ['a', 1, 5],
    ['d', 1, 9],
    ['b', 1, 7],
    ['x', 0, 1],
  ]);
  operator.watermark(99);
  test.same(tops(), ['abc']);
});

void t.test('a tie arrival after a restore still stands behind those before it', async (test) => {
  const options = { n: 3 };
  const first = open(options);
  first.give([
    ['a', 1, 5],
    ['b', 1, 5],
  ]);
  const { give, tops } = restored(first.operator, options);
  give([['c', 1, 5]]);
  give([['d', 1, 5]]);
  test.same(tops(), ['abc'], 'and a fourth changes nothing');
});

void t.test('TN3: running: only what changes the ranking gives it, at its own time', async (test) => {
  for (const interpreted of [false, true]) {
    const { bench, give } = open({ n: 2, order: 'asc' }, interpreted);
    give([
      ['a', 5, 10],
      ['b', 9, 20],
      ['c', 10, 30],
      ['d', 9, 40],
      ['e', null, 50],
      ['f', Number.NaN, 50],
      ['g', 7, 3],
    ]);
    test.same(
      bench.output.take().map((it) => it.kind === 'row' && [it.time, it.row]),
      [
        [10, { key: { k: 'a' }, top: [row('a', 5)] }],
        [20, { key: { k: 'a' }, top: [row('a', 5), row('b', 9)] }],
        [3, { key: { k: 'a' }, top: [row('a', 5), row('g', 7)] }],
      ],
    );
  }
});

void t.test('LR1: an id stands once, with its newest record; when it sinks, the next rises', async (test) => {
  const { give, tops } = open({ n: 2, id: 'id' });
  give([
    ['a', 9, 1],
    ['b', 8, 1],
    ['c', 7, 1],
  ]);
  test.same(tops(), ['a', 'ab'], 'c changes nothing');
  give([['a', 1, 2]]);
  test.same(tops(), ['bc'], 'a sank');
  give([['a', 99, 1]]);
  test.same(tops(), [], 'older by event time than what is known of a');
  give([['b', 7.5, 2]]);
  test.same(tops(), ['bc'], 'the same order, another record');
});

void t.test('LR2: beyond idsMax the last in rank is forgotten', async (test) => {
  const { give, tops } = open({ n: 1, id: 'id', idsMax: 2 });
  give([
    ['a', 9, 1],
    ['b', 8, 1],
    ['c', 7, 1],
    ['a', 1, 2],
    ['b', 0, 2],
  ]);
  test.same(tops(), ['a', 'b', 'a'], 'c was third of two');
});

void t.test(
  'TN1 TW1: waiting names the window that comes next; a window that nothing reaches any more is forgotten',
  async (test) => {
    const { operator, give } = open({ n: 1, windows: tumbling(10), allowedLateness: 100 });
    test.equal(operator.waiting?.(), null);
    give([
      ['a', 1, -3],
      ['b', 1, 17],
    ]);
    test.same(operator.waiting?.(), { what: 'window', until: -1, count: 2 });
    operator.watermark(-1);
    test.same(operator.waiting?.(), { what: 'window', until: 19, count: 1 });
    test.same(operator.counters?.(), { keys: 1, timers: 2, lateRecords: 0 });
    operator.watermark(98);
    test.equal(operator.counters?.().timers, 2, 'a late record may still come');
    operator.watermark(99);
    test.equal(operator.counters?.().timers, 1);
    operator.watermark(119);
    give([['c', 1, 18]]);
    test.match(operator.counters?.(), { timers: 0, lateRecords: 1 });
  },
);

void t.test('TN2: watermark and idleness reach the side output too, after what is due', async (test) => {
  const { bench, operator, give } = open({ n: 1, windows: tumbling(10) });
  give([['a', 1, 5]]);
  operator.watermark(9);
  give([['b', 1, 6]]);
  operator.idle();
  test.same(bench.output.take().slice(1), [{ kind: 'watermark', time: 9 }, { kind: 'idle' }]);
  test.same(bench.side('late').take(), [
    { kind: 'watermark', time: 9 },
    { kind: 'row', row: row('b', 1), time: 6 },
    { kind: 'idle' },
  ]);
});

void t.test('TN2: a late record comes as the stages made it, from columns too', async (test) => {
  const derived: Stage = { kind: 'derive', fields: new Map([['device', () => 'derived']]) };
  const bench = createOperatorBench({ keys: { kind: 'fields', fields: ['tenant'] }, stages: [derived] });
  const operator = topN<Sample>({ n: 1, by: 'value', windows: tumbling(10) }).create(bench.context);
  operator.watermark(9);
  const late: Sample = { ts: 5, tenant: 'acme', device: null, value: 1, level: 0, ok: null };
  operator.records(columnRecords(Sample, [late]));
  test.same(bench.side('late').rows(), [{ ...late, device: 'derived' }]);
});

void t.test('an id that identifies nothing is an error of the record', async (test) => {
  const { bench, give, tops } = open({ n: 1, id: (it) => (it.id === 'bad' ? [] : it.id) });
  give([
    ['bad', 9, 1],
    ['a', 1, 1],
  ]);
  test.same(tops(), ['a']);
  test.equal(bench.errors[0]?.code, 'MR_KEY_INVALID');
});

void t.test(
  'RT1: the score to beat is that of the last in rank, and no score does while there is room',
  async (test) => {
    const holders = new SlotTable();
    holders.add(5_000);
    const ranks = new RankTable(2, holders);
    test.equal(ranks.offer(5_000, Number.POSITIVE_INFINITY, 1, 'worst'), true, 'there is room');
    test.equal(ranks.worst[5_000], Number.POSITIVE_INFINITY);
    ranks.offer(5_000, -3, 1, 'b');
    ranks.offer(5_000, -4, 1, 'a');
    test.equal(ranks.worst[5_000], -3);
    test.equal(ranks.offer(5_000, -3, 1, 'later'), false);
    test.equal(ranks.offer(5_000, -3, 0, 'earlier'), true, 'a tie is decided by time');
    test.same(ranks.top(5_000), ['a', 'earlier']);
    ranks.clear();
    test.equal(ranks.worst[5_000], Number.POSITIVE_INFINITY);
    test.same([ranks.top(5_000), ranks.top(9_999_999)], [[], []]);
  },
);

void t.test('stored rankings that cannot give what is asked are refused', async (test) => {
  const { operator, give } = open({ n: 2, windows: tumbling(10) });
  give([
    ['a', 2, 1],
    ['b', 1, 1],
  ]);
  for (const options of [
    { n: 3, windows: tumbling(10) },
    { n: 2 },
    { n: 2, windows: tumbling(10), order: 'asc' },
    { n: 2, windows: tumbling(10), id: 'id' },
    { n: 2, windows: tumbling(20) },
    { n: 2, windows: tumbling(10, { offset: 5 }) },
  ] as const)
    test.throws(() => restored(operator, options), { code: 'MR_STATE_INCOMPATIBLE' });
  const fewer = restored(operator, { n: 1, windows: tumbling(10) });
  fewer.operator.watermark(9);
  test.same(fewer.tops(), ['a'], 'fewer of the same are there');
});

void t.test('options out of range are refused', async (test) => {
  for (const options of [
    { n: 0 },
    { n: 1.5 },
    { n: 5, idsMax: 4 },
    { n: 1, allowedLateness: 5 },
    { n: 1, order: 'up' as 'asc' },
  ])
    test.throws(() => topN<Row>({ by: 'score', ...options }), { code: 'MR_CONFIG_INVALID' });
});
