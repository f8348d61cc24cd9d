import { deepStrictEqual } from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { hasCode } from '../../../engine/base/errors.ts';
import {
  BatchBuilder,
  parseJsonRecord,
  recordParser,
  type Schema,
  schema,
} from '../../../engine/wire/index.ts';
import {
  bool,
  bytes,
  eventTime,
  f32,
  f64,
  i32,
  i64,
  nullable,
  obj,
  string,
  time,
} from '../../../engine/wire/schema.ts';
import { tables } from '../../support/wire-arbitraries.ts';

const Everything = schema('everything', {
  ts: eventTime(1),
  f64: f64(2),
  f32: f32(3),
  i32: i32(4),
  i64: i64(5),
  bool: bool(6),
  time: nullable(time(7)),
  string: string(8),
  bytes: bytes(9),
  obj: obj<unknown>(10),
});
const given = {
  ts: 1,
  f64: 1.5,
  f32: 0.5,
  i32: -7,
  i64: 5,
  bool: true,
  string: 'a',
  bytes: 'AQI=',
  obj: { a: [1] },
};
const row = { ...given, i64: 5n, time: null, bytes: Uint8Array.of(1, 2) };
const parse = recordParser(Everything);

await t.test(
  'JSON forms become row values, unknown fields go, missing ones are null where allowed',
  async (t) => {
    deepStrictEqual(parse({ ...given, more: 1 }), row);
    deepStrictEqual(
      parseJsonRecord(Everything, JSON.stringify({ ...given, time: '1970-01-01T00:00:01.5Z' })),
      { ...row, time: 1500 },
    );
    deepStrictEqual(parse({ ...given, i64: '-9223372036854775808', bytes: '' }), {
      ...row,
      i64: -(2n ** 63n),
      bytes: new Uint8Array(),
    });
    deepStrictEqual(
      Object.keys(parse(given)),
      Everything.fields.map((field) => field.name),
    );
    t.pass();
  },
);

await t.test('times with a zone are read to the millisecond; others are refused', async (t) => {
  for (const [text, ms] of [
    ['2026-01-31T12:00:00Z', Date.UTC(2026, 0, 31, 12)],
    ['2026-01-31T12:00:00.25+01:30', Date.UTC(2026, 0, 31, 10, 30, 0, 250)],
    ['2026-01-31T12:00-08:00', Date.UTC(2026, 0, 31, 20)],
    ['2024-02-29T00:00:00.123456789Z', Date.UTC(2024, 1, 29) + 123],
    ['2000-02-29T00:00:00Z', Date.UTC(2000, 1, 29)],
  ] as const) {
    t.equal(parse({ ...given, ts: text }).ts, ms, text);
  }
  for (const text of [
    '2026-01-31T12:00:00',
    '2026-01-31',
    '2026-02-30T00:00:00Z',
    '1900-02-29T00:00:00Z',
    '2025-04-31T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-01-01T25:00:00Z',
    '2026-01-01 00:00:00Z',
    '31 Jan 2026 12:00 GMT',
    '1700000000000',
    '',
    '2026-01-00T00:00:00Z',
    '2026-01-01T00:00:00+0100',
    ' 2026-01-01T00:00:00Z',
  ]) {
    t.throws(
      () => parse({ ...given, ts: text }),
      { code: 'MR_RECORD_INVALID', details: { field: 'ts' } },
      text,
    );
  }
});

await t.test('what is wrong is refused by field and value', async (t) => {
  const wrong: Readonly<Record<string, readonly unknown[]>> = {
    ts: [null, undefined, {}, true, 1e300],
    f64: ['1', null, [1]],
    f32: [1e39],
    i32: [1.5, 2 ** 31, '1'],
    i64: [1.5, 2 ** 53, '9223372036854775808', '1e3', '', ' 1', '1'.repeat(1000)],
    bool: [0, 'true'],
    time: ['yesterday'],
    string: [1, '\ud800'],
    bytes: ['A', 'A===', 'AQI', 'AQ=I', '****', [1], 7],
    obj: [null, undefined, { deep: '\udfff' }],
  };
  for (const [field, values] of Object.entries(wrong)) {
    for (const value of values) {
      t.throws(
        () => parse({ ...given, [field]: value }),
        { code: 'MR_RECORD_INVALID', details: { field } },
        `${field}: ${String(value).slice(0, 20)}`,
      );
    }
  }
  for (const value of [null, undefined, 1, 'x', [given]])
    t.throws(() => parse(value), { code: 'MR_RECORD_INVALID' });
  t.throws(() => parse({ ...given, string: 7, __proto__: { string: 'inherited' } }), {
    code: 'MR_RECORD_INVALID',
  });
  t.throws(() => parse(Object.create(given)), { code: 'MR_RECORD_INVALID' }, 'inherited fields do not count');
});

await t.test('messages carry the value, cut to 80 characters', async (t) => {
  const long = 'ß'.repeat(5_000);
  t.throws(() => parse({ ...given, f64: long }), {
    message: /Field 'f64' \(f64\) of schema 'everything' cannot hold "ß+….*number/,
  });
  try {
    parseJsonRecord(Everything, `{"a":${long}`);
    t.fail('not JSON');
  } catch (error) {
    t.ok(
      hasCode(error, 'MR_RECORD_INVALID') &&
        error.message.length < 200 &&
        String(error.details['value']).length <= 80,
    );
  }
});

await t.test(
  'whatever is parsed, either the row fits its schema or MR_RECORD_INVALID says why not',
  async (t) => {
    fc.assert(
      fc.property(tables(3), fc.anything(), fc.string(), ({ schema: any, rows }, junk, line) => {
        deepStrictEqual(recordParser(any)(rows[0]), rows[0]);
        for (const value of [junk, { ...rows[0], [any.fields[0]?.name ?? '']: junk }])
          fits(any, () => recordParser(any)(value));
        fits(any, () => parseJsonRecord(any, line));
        fits(any, () => parseJsonRecord(any, JSON.stringify({ ts: 1, 'event time': 2, [line]: line })));
      }),
      { numRuns: 300 },
    );
    t.pass();
  },
);

function fits(of: Schema, parseOne: () => unknown): void {
  try {
    new BatchBuilder(of).append(parseOne());
  } catch (error) {
    if (!hasCode(error, 'MR_RECORD_INVALID')) throw error;
  }
}
