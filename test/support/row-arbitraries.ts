import fc from 'fast-check';
import type { Records, Stage } from '#engine';
import { bool, eventTime, f64, i32, type Infer, nullable, schema, string } from '#wire';
import { columnRecords, rowRecords } from './operator-bench.ts';

/** A row with every kind of column that generated loops read, most of them nullable. */
export const Sample = schema('sample', {
  ts: eventTime(1),
  tenant: string(2),
  device: nullable(string(3)),
  value: nullable(f64(4)),
  level: i32(5),
  ok: nullable(bool(6)),
});
export type Sample = Infer<typeof Sample>;

export function samples(
  options: { readonly minLength?: number; readonly maxLength?: number } = {},
): fc.Arbitrary<Sample[]> {
  const one: fc.Arbitrary<Sample> = fc.record(
    {
      ts: fc.integer({ min: -60, max: 120 }),
      tenant: fc.constantFrom('acme', 'umbrella', 'ß'),
      device: fc.option(
        fc.integer({ min: 0, max: 4 }).map((n) => `dev-${n}`),
        { freq: 6 },
      ),
      value: fc.option(fc.oneof(fc.integer({ min: -50, max: 50 }), fc.constantFrom(0.5, Number.NaN, -0)), {
        freq: 4,
      }),
      level: fc.integer({ min: -3, max: 3 }),
      ok: fc.option(fc.boolean(), { freq: 3 }),
    },
    { noNullPrototype: true },
  );
  return fc.array(one, { minLength: 1, maxLength: 30, ...options });
}

/** The same rows, as columns, as a selection of columns that hold more, or as rows. */
export function forms(rows: readonly Sample[], form: Form): Records {
  const times = rows.map((row) => row.ts);
  switch (form) {
    case 'rows':
      return rowRecords(rows, times);
    case 'columns':
      return columnRecords(Sample, rows);
    case 'selection': {
      // Every row twice, of which the second is meant.
      const doubled = rows.flatMap((row) => [{ ...row, tenant: 'not meant', value: 1e9 }, row]);
      return columnRecords(
        Sample,
        doubled,
        rows.map((_, i) => 2 * i + 1),
      );
    }
  }
}
export type Form = 'rows' | 'columns' | 'selection';
export const form = (): fc.Arbitrary<Form> => fc.constantFrom<Form>('rows', 'columns', 'selection');

/** Stateless steps whose rows stay samples; some throw on some rows. */
export function stages(): fc.Arbitrary<readonly Stage[]> {
  const on = (run: (row: Sample) => unknown) => run as (row: unknown) => never;
  const boom = (row: Sample) => {
    if (row.level === 3) throw new Error(`level ${row.level}`);
  };
  const one = fc.constantFrom<Stage>(
    { kind: 'filter', run: on((row) => row.level !== 0) },
    { kind: 'filter', run: on((row) => row.ok) },
    { kind: 'filter', run: on((row) => (boom(row), row.value !== null)) },
    { kind: 'map', run: on((row) => ({ ...row, level: row.level + 1 })) },
    { kind: 'map', run: on((row) => (boom(row), { ...row, value: row.value === null ? 1 : null })) },
    // The next three are closed functions, which loops have in their own text (CF1).
    {
      kind: 'map',
      run: on(({ ts, tenant, device, value, level, ok }) => ({
        ok,
        tenant: `${device}/${level}`,
        device: tenant,
        level: level * 2,
        value,
        ts,
      })),
    },
    {
      kind: 'map',
      run: on((row) => ({
        ts: row.ts,
        tenant: row.tenant,
        device: row.device ?? (row.ok ? row.tenant : null),
        value: row.value === null ? 1 : row.value * -2,
        level: row.level,
        ok: row.ok,
      })),
    },
    { kind: 'filter', run: on((row) => row.device !== 'dev-1' && row.tenant + row.level < 'b') },
    { kind: 'flatMap', run: on((row) => (row.level > 0 ? [row, { ...row, level: 0 }] : [])) },
    {
      kind: 'derive',
      fields: new Map([
        ['level', on((row) => row.level * 2)],
        ['extra', on((row) => (boom(row), `${row.tenant}!`))],
      ]),
    },
    { kind: 'derive', fields: new Map([['device', on((row) => row.tenant)]]) },
    {
      kind: 'flatMap',
      run: on(function* (row) {
        yield row;
        boom(row);
        yield { ...row, device: null };
      }),
    },
  );
  return fc.array(one, { maxLength: 4 });
}
