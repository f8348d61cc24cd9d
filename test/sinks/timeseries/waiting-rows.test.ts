import fc from 'fast-check';
import t from 'tap';
import { KeyedRows } from '../../../sinks/timeseries/keyed-rows.ts';
import { KnownKeys } from '../../../sinks/timeseries/known-keys.ts';
import { PagedRows } from '../../../sinks/timeseries/paged-rows.ts';
import { decodePoint, recordsOf } from '../../../sinks/timeseries/series-layout.ts';
import { propertyRuns } from '../../support/property-runs.ts';
import { result } from './series-harness.ts';

/** What waits in the end: `<key>@<window>` → n. */
type Batch = Readonly<Record<string, number>>;

interface Waiting {
  readonly size: () => number;
  readonly put: (seq: number, key: string, window: number, n: number) => void;
  readonly take: (max: number) => { readonly seq: number; readonly rows: number; readonly batch: Batch };
}

function keyed(): Waiting {
  const waiting = new KeyedRows<readonly [string, number]>();
  return {
    size: () => waiting.size,
    put: (seq, key, window, n) => waiting.put(seq, { key: `${key}@${window}`, row: [`${key}@${window}`, n] }),
    take(max) {
      const { seq, batch, rows } = waiting.take(max);
      return { seq, rows, batch: Object.fromEntries(batch) };
    },
  };
}

function paged(): Waiting {
  const waiting = new PagedRows();
  const known = new KnownKeys(100, 1_000);
  return {
    size: () => waiting.size,
    put: (seq, key, window, n) =>
      waiting.put(seq, { key: known.of(key), row: result('any', window, { n, window }) }),
    take(max) {
      const { seq, batch, rows } = waiting.take(max);
      const all = batch.flatMap(({ starts }) =>
        [...starts].flatMap(([start, points]) => {
          const keys = [...points.keys].map(({ keyText }) => keyText);
          const records = [...recordsOf(points.take())];
          t.strictSame(
            records.map(({ keyText }) => keyText),
            keys,
          );
          return records.map(({ keyText, point }) => {
            const { n, window } = decodePoint(start, point).values;
            return [`${keyText}@${window}`, n as number] as const;
          });
        }),
      );
      t.equal(all.length, rows, 'each key once');
      return { seq, rows, batch: Object.fromEntries(all) };
    },
  };
}

const step = fc.oneof(
  fc.record({ kind: fc.constant('put' as const), key: fc.constantFrom('a', 'b', 'c'), window: fc.nat(400) }),
  fc.record({ kind: fc.constant('put' as const), key: fc.constantFrom('a', 'b', 'c'), window: fc.nat(2) }),
  fc.record({ kind: fc.constant('take' as const), max: fc.integer({ min: 1, max: 5 }) }),
  fc.constant({ kind: 'barrier' as const }),
);

for (const [name, create] of Object.entries({ keyed, paged })) {
  await t.test(
    `PP1 ${name} rows: intervals in order, each key once with its last value, no more than asked for`,
    async (t) => {
      fc.assert(
        fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
          const waiting = create();
          const model = new Map<number, Map<string, number>>();
          let [seq, n] = [1, 0];
          const take = (max: number) => {
            if (waiting.size() === 0) return;
            const taken = waiting.take(max);
            const [oldest, rows] = [...model].find(([, { size }]) => size > 0) as [
              number,
              Map<string, number>,
            ];
            t.equal(taken.seq, oldest);
            t.equal(taken.rows, Math.min(max, rows.size));
            for (const [place, value] of Object.entries(taken.batch)) {
              t.equal(value, rows.get(place));
              rows.delete(place);
            }
          };
          for (const it of steps) {
            if (it.kind === 'barrier') seq++;
            else if (it.kind === 'take') take(it.max);
            else {
              waiting.put(seq, it.key, it.window, ++n);
              const rows = model.get(seq) ?? new Map<string, number>();
              model.set(seq, rows.set(`${it.key}@${it.window}`, n));
            }
            t.equal(
              waiting.size(),
              [...model.values()].reduce((sum, { size }) => sum + size, 0),
            );
          }
          while (waiting.size() > 0) take(7);
          t.equal([...model.values()].flatMap((rows) => [...rows]).length, 0);
        }),
        { numRuns: propertyRuns(100) },
      );
    },
  );
}
