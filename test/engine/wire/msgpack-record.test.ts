import { deepStrictEqual } from 'node:assert/strict';
import fc from 'fast-check';
import { Packr } from 'msgpackr';
import t from 'tap';
import { BatchBuilder, encodeFrame, recordParser } from '#wire';
import { hasCode } from '../../../engine/base/errors.ts';
import { parseMsgpackRecord } from '../../../engine/wire/msgpack-record.ts';
import { eventTime, f32, f64, i32, i64, nullable, obj, schema, time } from '../../../engine/wire/schema.ts';
import { propertyRuns } from '../../support/property-runs.ts';
import { tables } from '../../support/wire-arbitraries.ts';

const packr = new Packr({ useRecords: false });
const Numbers = schema('numbers', {
  ts: eventTime(1),
  a: f64(2),
  b: f32(3),
  c: i32(4),
  d: i64(5),
  seen: nullable(time(6)),
  any: nullable(obj<unknown>(7)),
});

void t.test('rows of any schema come back from their msgpack as they went in', async (test) => {
  fc.assert(
    fc.property(tables(3), ({ schema: of, rows }) => {
      for (const row of rows) {
        // msgpack writes −0 as the integer 0.
        const expected = recordParser(of)(
          Object.fromEntries(Object.entries(row).map(([name, it]) => [name, Object.is(it, -0) ? 0 : it])),
        );
        const found = parseMsgpackRecord(of, packr.pack(row));
        const builders = [new BatchBuilder(of), new BatchBuilder(of)];
        for (const [i, it] of [expected, found].entries()) builders[i]?.append(it);
        const [a, b] = builders.map((builder) =>
          encodeFrame(builder.finish(), { producer: 'p', epoch: 1, prev: 0, first: 1 }),
        );
        deepStrictEqual(b, a);
      }
    }),
    { numRuns: propertyRuns(200) },
  );
  test.pass();
});

void t.test('numbers may be 64-bit integers and times timestamps, but must fit exactly', async (test) => {
  const row = { ts: 1_700_000_000_000n, a: 2n ** 60n, b: 3n, c: -4n, d: 5, seen: new Date(1_234), any: 7n };
  test.same(parseMsgpackRecord(Numbers, packr.pack(row)), {
    ts: 1_700_000_000_000,
    a: 2 ** 60,
    b: 3,
    c: -4,
    d: 5n,
    seen: 1_234,
    any: 7n,
  });
  for (const wrong of [
    { a: 2n ** 60n + 1n },
    { c: 2n ** 31n },
    { ts: new Date(Number.NaN) },
    { ts: 2n ** 62n },
    { a: new Date(1) },
    { d: 1.5 },
    { ts: null },
  ])
    test.throws(() => parseMsgpackRecord(Numbers, packr.pack({ ...row, ...wrong })), {
      code: 'MR_RECORD_INVALID',
    });
});

void t.test('anything else is refused with a message for people', async (test) => {
  for (const value of [1, null, 'x', [1], new Date(1), Uint8Array.of(1), new Map([[1, 2]])])
    test.throws(() => parseMsgpackRecord(Numbers, packr.pack(value)), {
      code: 'MR_RECORD_INVALID',
      message: /one msgpack map/,
    });
  for (const bytes of [[], [0xc1], [0x81], [0x81, 0xa1], [0x80, 0x80]])
    test.throws(() => parseMsgpackRecord(Numbers, Uint8Array.from(bytes)), { code: 'MR_RECORD_INVALID' });
});

void t.test('bytes from anywhere give a row or MR_RECORD_INVALID', async (test) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      try {
        parseMsgpackRecord(Numbers, bytes);
      } catch (error) {
        if (!hasCode(error, 'MR_RECORD_INVALID')) throw error;
      }
    }),
    { numRuns: propertyRuns(1_000) },
  );
  test.pass();
});
