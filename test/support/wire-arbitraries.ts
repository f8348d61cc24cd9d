import fc from 'fast-check';
import type { FieldType, NamedField, Schema } from '../../engine/wire/schema.ts';
import { schemaOf } from '../../engine/wire/schema.ts';

/** A schema with rows that fit it. */
export interface Table {
  readonly schema: Schema<AnyRow>;
  readonly rows: readonly AnyRow[];
}

export type AnyRow = Readonly<Record<string, unknown>>;

/** Tables of every mix of field types; nulls where they are allowed; columns that are constant, decimal, wild. */
export function tables(rowsMax = 40): fc.Arbitrary<Table> {
  return schemas().chain((schema) => {
    const values = schema.fields.map((field) => {
      const one = valuesOf(field.type);
      return field.nullable ? fc.option(one, { nil: null }) : one;
    });
    const row = fc
      .tuple(...values)
      .map((cells) => Object.fromEntries(schema.fields.map((field, i) => [field.name, cells[i]])));
    return fc.array(row, { minLength: 1, maxLength: rowsMax }).map((rows) => ({ schema, rows }));
  });
}

/** Schemas of 1 to 9 fields in any order, with names that would hurt a careless code generator. */
export function schemas(): fc.Arbitrary<Schema<AnyRow>> {
  const types = fc.constantFrom<FieldType>(
    'f64',
    'f32',
    'i32',
    'i64',
    'bool',
    'time',
    'string',
    'bytes',
    'obj',
  );
  const name = fc.oneof(
    fc.constantFrom(
      'constructor',
      'i',
      'row',
      's0',
      'v0',
      'c1',
      '"',
      '\\',
      '`${1}`',
      '\u2028',
      "*/ '",
      'toString',
    ),
    fc.string({ minLength: 1, maxLength: 12, unit: 'binary' }).filter((text) => text !== '__proto__'),
  );
  const field = fc.record({ name, type: types, nullable: fc.boolean() });
  return fc
    .tuple(
      fc.uniqueArray(field, { maxLength: 8, selector: (it) => it.name }),
      fc.uniqueArray(fc.integer({ min: 1, max: 65_535 }), { minLength: 9, maxLength: 9 }),
      fc.nat(),
    )
    .map(([plain, ids, turn]) => {
      const others: Omit<NamedField, 'id'>[] = plain.map((it) => ({ ...it, eventTime: false }));
      const timeName = plain.some((it) => it.name === 'ts') ? 'event time' : 'ts';
      others.splice(turn % (others.length + 1), 0, {
        name: timeName,
        type: 'time',
        nullable: false,
        eventTime: true,
      });
      return schemaOf(
        'any',
        others.map((it, i) => ({ ...it, id: ids[i] as number })),
      ) as Schema<AnyRow>;
    });
}

/** Values of a type as they come back: f32 rounded already. */
export function valuesOf(type: FieldType): fc.Arbitrary<unknown> {
  switch (type) {
    case 'f64':
      return doubles();
    case 'f32':
      return fc.float();
    case 'time':
      return fc.oneof(
        fc.integer({ min: 1_700_000_000_000, max: 1_700_000_100_000 }),
        fc.double({ min: -8.64e15, max: 8.64e15, noNaN: true }),
      );
    case 'i32':
      return fc.oneof(fc.integer(), fc.constant(7));
    case 'i64':
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    case 'bool':
      return fc.boolean();
    case 'string':
      return strings();
    case 'bytes':
      return fc.uint8Array({ maxLength: 40 });
    case 'obj':
      return objValues();
  }
}

/** Numbers as devices send them (few decimals, counters, constants) and as they should not. */
export function doubles(): fc.Arbitrary<number> {
  return fc.oneof(
    fc
      .tuple(fc.integer({ min: -1_000_000, max: 1_000_000 }), fc.integer({ min: 0, max: 9 }))
      .map(([i, k]) => i / 10 ** k),
    fc.integer({ min: 2 ** 40, max: 2 ** 40 + 1000 }),
    fc.constantFrom(
      0,
      -0,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      5e-324,
      2 ** 53,
      0.1 + 0.2,
    ),
    fc.double(),
  );
}

/** Few distinct ones and many; with a byte order mark, emoji, NUL. */
export function strings(): fc.Arbitrary<string> {
  return fc.oneof(
    fc.integer({ min: 0, max: 5 }).map((i) => `device-${i}`),
    fc.constantFrom('', '\u0000', '\uFEFFx', 'ß', '𝄞', 'x'.repeat(100)),
    fc.string({ unit: 'binary', maxLength: 20 }),
  );
}

/** What an `obj` cell gives back as it went in. */
function objValues(): fc.Arbitrary<unknown> {
  const key = fc.string({ unit: 'binary', maxLength: 6 }).filter((text) => text !== '__proto__');
  return fc
    .letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 4, withCrossShrink: true },
        fc.oneof(
          fc.constant(null),
          fc.boolean(),
          fc.double().map((n) => (Object.is(n, -0) ? 0 : n)),
          fc.integer(),
          strings(),
          fc.uint8Array({ maxLength: 8 }),
          fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n }),
          fc.date({ noInvalidDate: true }),
        ),
        fc.array(tie('value'), { maxLength: 4 }),
        fc.dictionary(key, tie('value'), { maxKeys: 4, noNullPrototype: true }),
      ),
    }))
    .value.filter((value) => value !== null);
}
