import fc from 'fast-check';
import t from 'tap';
import { recordCount, type Records, rowAt } from '#engine';
import { bool, eventTime, f64, i32, type Infer, nullable, obj, schema, string } from '#wire';
import { ColumnJoin } from '../../operators/async/column-join.ts';
import { lookupJoin, type LookupJoinOptions } from '../../operators/lookup-join.ts';
import { manualClock } from '../ops/support/manual-clock.ts';
import { columnRecords, createOperatorBench, Recorder, rowRecords } from '../support/operator-bench.ts';
import { propertyRuns } from '../support/property-runs.ts';

const Reading = schema('reading', {
  ts: eventTime(1),
  tenant: string(2),
  device: string(3),
  value: nullable(f64(4)),
  tags: nullable(obj<readonly string[]>(5)),
});
type Reading = Infer<typeof Reading>;
const Named = schema('named', {
  device: string(1),
  name: nullable(string(2)),
  ts: eventTime(3),
  limit: nullable(i32(4)),
  value: nullable(f64(5)),
  above: bool(6),
  tags: nullable(obj<readonly string[]>(7)),
});
type Named = Infer<typeof Named>;
interface Device {
  readonly name: string;
  readonly limit: number;
}

/** d0 … d3 of tenants a and b are known, d4 is not; d5 has no key, d6 one that throws; d7 has a limit that does not fit. */
const deviceOf = (key: string): Device | null => {
  const number = Number(key.slice(-1));
  return number === 4 ? null : { name: `${key} ✓`, limit: number === 7 ? 0.5 : number };
};
const keyOf = (tenant: string, device: string): string | null => {
  if (device === 'd6') throw new Error('no d6');
  return device === 'd5' ? null : `${tenant}/${device}`;
};

type Options = LookupJoinOptions<Reading, string, Device, Named>;
const open = (type: 'left' | 'inner', changes: Partial<Options> = {}) => {
  const forms: string[] = [];
  class Output extends Recorder {
    override records(records: Records): void {
      forms.push(records.kind);
      super.records(records);
    }
  }
  const output = new Output();
  const clock = manualClock(0);
  const bench = createOperatorBench({ clock, output });
  const calls = { key: 0, name: 0, load: 0 };
  const options = {
    type,
    key({ tenant, device }) {
      calls.key++;
      return keyOf(tenant, device);
    },
    load(key) {
      calls.load++;
      return deviceOf(key);
    },
    cache: { entries: 100, ttl: '10s' },
    schema: Named,
    derive: {
      name(_: Reading, device: Device | null) {
        calls.name++;
        return device?.name ?? null;
      },
      limit: (_: Reading, device: Device | null) => device?.limit ?? null,
      above: ({ value }: Reading, device: Device | null) => {
        if (value === 13) throw new Error('no 13');
        return value !== null && device !== null && value > device.limit;
      },
    },
    ...changes,
  } as Options;
  const operator = lookupJoin(options).create(bench.context);
  const give = (records: Records) => {
    operator.records(records);
    operator.poll?.();
  };
  return { bench, output, forms, calls, clock, operator, give };
};

const reading = fc.record({
  tenant: fc.constantFrom('a', 'b'),
  device: fc.constantFrom('d0', 'd1', 'd2', 'd3', 'd4', 'd5', 'd6', 'd7'),
  value: fc.constantFrom(null, 0, 1, 2.5, 13, Number.NaN),
  tags: fc.constantFrom(null, ['x']),
});
const batches = fc.array(
  fc.record({
    rows: fc.array(reading, { minLength: 1, maxLength: 12 }),
    skipped: fc.nat(3),
    ms: fc.constantFrom(0, 900, 6_000),
  }),
  { minLength: 1, maxLength: 6 },
);

void t.test('LJ4 CJ2 CJ3: batches give what their rows give, errors included', (test) => {
  fc.assert(
    fc.property(batches, fc.constantFrom('left', 'inner'), (script, type) => {
      const [columns, rows] = [open(type), open(type)];
      let ts = 0;
      for (const { rows: drawn, skipped, ms } of script) {
        const all = drawn.map((row): Reading => ({ ts: ts++, ...row }));
        const meant = all.map((_, i) => i).filter((i) => i % 4 !== skipped);
        if (meant.length === 0) continue;
        columns.give(columnRecords(Reading, all, skipped === 3 ? meant : null));
        const kept = skipped === 3 ? meant.map((i) => all[i] as Reading) : all;
        rows.give(
          rowRecords(
            kept,
            kept.map((row) => row.ts),
          ),
        );
        for (const { clock } of [columns, rows]) clock.advance(ms);
      }
      test.strictSame(columns.output.take(), rows.output.take());
      test.strictSame(columns.bench.errors, rows.bench.errors);
    }),
    { numRuns: propertyRuns(200) },
  );
  test.end();
});

void t.test('CJ1: columns stay columns, keys and fields of a value are made once', (test) => {
  const { give, forms, calls, output, bench, clock, operator } = open('left');
  const rows = Array.from(
    { length: 40 },
    (_, i): Reading => ({
      ts: i,
      tenant: i % 2 === 0 ? 'a' : 'b',
      device: `d${i % 4}`,
      value: i,
      tags: null,
    }),
  ).filter(({ value }) => value !== 13);
  give(columnRecords(Reading, rows)); // nothing is known yet: one by one
  test.strictSame(forms.splice(0), ['rows']);
  const expected = output.take();
  Object.assign(calls, { key: 0, name: 0, load: 0 });
  const { hits } = operator.stats();
  give(columnRecords(Reading, rows));
  test.strictSame(forms.splice(0), ['columns']);
  test.strictSame(output.take(), expected);
  test.strictSame(calls, { key: 4, name: 4, load: 0 });
  test.equal(operator.stats().hits - hits, rows.length);
  give(columnRecords(Reading, rows));
  test.equal(calls.key, 4, 'keys are remembered over batches');
  clock.advance(10_001);
  give(columnRecords(Reading, rows));
  test.strictSame(forms.splice(0), ['columns', 'rows'], 'a value is used for its time to live only');
  test.equal(calls.load, 4);
  test.strictSame(bench.errors, []);
  test.end();
});

void t.test(
  'a value is used without another look until it is too old, or the cache may soon be full',
  (test) => {
    for (const [entries, keys] of [
      [100, 0],
      [6, 4],
    ] as const) {
      const { give, calls, clock, forms } = open('left', { cache: { entries, ttl: '10s' } });
      const rows = ['d0', 'd1', 'd2', 'd3'].map(
        (device, ts): Reading => ({ ts, tenant: 'a', device, value: 1, tags: null }),
      );
      give(columnRecords(Reading, rows));
      give(columnRecords(Reading, rows));
      Object.assign(calls, { key: 0, name: 0, load: 0 });
      clock.advance(5_000);
      give(columnRecords(Reading, rows));
      test.strictSame(forms, ['rows', 'columns', 'columns']);
      test.strictSame(calls, { key: keys, name: 0, load: 0 }, 'the same value gives the same fields');
    }
    test.end();
  },
);

void t.test('more keys and texts than are remembered come out right', (test) => {
  const wrong: Named[] = [];
  const counts = { records: 0, looks: 0 };
  const output = new Recorder();
  output.records = (records) => {
    for (let k = 0; k < recordCount(records); k++, counts.records++) {
      const row = rowAt(records, k) as Named;
      const key = `${row.ts % 2 === 0 ? 'a' : 'b'}/${row.device}`;
      if (row.name !== `name of ${key}` || row.limit !== key.length) wrong.push(row);
    }
  };
  const derive = {
    name: (_: Reading, device: Device) => device.name,
    limit: (_: Reading, device: Device) => device.limit,
    above: () => false,
  };
  const join = new ColumnJoin(
    {
      derived: { schema: Named, derive: new Map<string, never>(Object.entries(derive) as [string, never][]) },
      key: (row) => `${(row as Reading).tenant}/${(row as Reading).device}`,
      isLeft: true,
      valueOf(row) {
        counts.looks++;
        const { tenant, device } = row as Reading;
        const key = `${tenant}/${device}`;
        return { value: { name: `name of ${key}`, limit: key.length }, untilMs: 10 };
      },
      nowMs: () => 1,
    },
    createOperatorBench({ output }).context,
  );
  const batches = Array.from({ length: 6 }, (_, b) =>
    columnRecords(
      Reading,
      Array.from(
        { length: 60_000 },
        (_row, i): Reading => ({
          ts: i,
          tenant: i % 2 === 0 ? 'a' : 'b',
          device: `${b}-${i >>> 1}`,
          value: null,
          tags: null,
        }),
      ),
    ),
  );
  for (const batch of [...batches, ...batches.slice(0, 1)]) test.ok(join.run(batch));
  test.strictSame(counts, { records: 420_000, looks: 420_000 });
  test.strictSame(wrong, []);
  test.end();
});

void t.test('a batch that waits for a value keeps its place before the next', async (test) => {
  const waiting: ((device: Device) => void)[] = [];
  const { give, output, operator } = open('left', {
    load: (key: string) =>
      key === 'a/d1' ? new Promise<Device>((resolve) => waiting.push(resolve)) : deviceOf(key),
  } as Partial<Options>);
  const of = (ts: number, device: string): Reading => ({ ts, tenant: 'a', device, value: 1, tags: null });
  give(columnRecords(Reading, [of(1, 'd0')]));
  give(columnRecords(Reading, [of(2, 'd0'), of(3, 'd1')]));
  give(columnRecords(Reading, [of(4, 'd0')]));
  test.strictSame(
    output.rows().map((row) => (row as Named).ts),
    [1, 2],
  );
  waiting[0]?.({ name: 'late', limit: 1 });
  await new Promise((resolve) => setImmediate(resolve));
  operator.poll?.();
  test.strictSame(
    output.rows().map((row) => (row as Named).ts),
    [1, 2, 3, 4],
  );
});

void t.test('a field that the schema does not have cannot be derived', (test) => {
  const wrong = { derive: { nmae: () => null } } as unknown as Partial<Options>;
  test.throws(() => open('left', wrong), { code: 'MR_CONFIG_INVALID' });
  test.end();
});
