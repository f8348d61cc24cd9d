import { deepStrictEqual } from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { hasCode } from '../../../engine/base/errors.ts';
import { LIMITS } from '../../../engine/base/limits.ts';
import { BatchBuilder } from '../../../engine/wire/batch-builder.ts';
import { encodeBody } from '../../../engine/wire/frame-body.ts';
import {
  encodeFrame,
  eventTime,
  f64,
  readEnvelope,
  rowReader,
  type Schema,
  schema,
  string,
} from '../../../engine/wire/index.ts';
import { bool, bytes, f32, i32, i64, nullable, obj, time } from '../../../engine/wire/schema.ts';
import { withBodyWriter } from '../../../engine/wire/body-writer.ts';
import { tables } from '../../support/wire-arbitraries.ts';

const Everything = schema('everything', {
  ts: eventTime(1),
  f64: f64(2),
  f32: f32(3),
  i32: i32(4),
  i64: i64(5),
  bool: bool(6),
  time: time(7),
  string: string(8),
  bytes: bytes(9),
  obj: obj<unknown>(10),
  maybe: nullable(f64(11)),
});
const good = {
  ts: 1,
  f64: 1.5,
  f32: 0.5,
  i32: -7,
  i64: 2n ** 62n,
  bool: true,
  time: 2,
  string: 'a',
  bytes: Uint8Array.of(1, 2),
  obj: { a: [1, 'x', null] },
  maybe: null,
};

for (const codeGeneration of ['auto', 'never'] as const) {
  await t.test(
    `code generation ${codeGeneration}: a value of the wrong kind is refused by name and leaves no trace`,
    async (t) => {
      const builder = new BatchBuilder(Everything, { codeGeneration });
      builder.append(good);
      const { count, bytes: size } = builder;
      for (const [name, values] of Object.entries(wrongValues())) {
        for (const value of [...values, null, undefined]) {
          if (name === 'maybe' && value == null) continue;
          const row = { ...good, string: 'never kept', [name]: value };
          t.throws(
            () => builder.append(row as never),
            { code: 'MR_RECORD_INVALID', details: { field: name } },
            `${name}: ${typeof value}`,
          );
        }
      }
      for (const row of [null, undefined, 7, 'row'])
        t.throws(() => builder.append(row as never), { code: 'MR_RECORD_INVALID' });
      t.same([builder.count, builder.bytes], [count, size]);
      t.same(rowsOf(builder.finish()), [good]);
    },
  );

  await t.test(
    `code generation ${codeGeneration}: what fits is kept exactly; undefined is null; f32 rounds`,
    async (t) => {
      const builder = new BatchBuilder(Everything, { codeGeneration });
      const rows = [
        {
          ...good,
          f64: Number.NaN,
          f32: 0.1,
          i32: -(2 ** 31),
          i64: -(2n ** 63n),
          bool: false,
          maybe: -0,
          string: '',
        },
        {
          ...good,
          f64: Number.NEGATIVE_INFINITY,
          f32: Number.POSITIVE_INFINITY,
          ts: -8.64e15,
          maybe: undefined,
          string: '\uFEFF𝄞',
        },
        { ...good, f64: -0, i32: 2 ** 31 - 1, ts: 0.25, obj: 0, maybe: Number.NaN },
      ];
      for (const row of rows) builder.append(row as never);
      deepStrictEqual(rowsOf(builder.finish()), [
        { ...rows[0], f32: Math.fround(0.1) },
        { ...rows[1], maybe: null },
        rows[2],
      ]);
      t.equal(builder.count, 0);
    },
  );
}

await t.test(
  'generated and interpreted builders make the same batches and refuse the same rows',
  async (t) => {
    fc.assert(
      fc.property(
        tables(),
        fc.dictionary(fc.constantFrom('ts', 'a', 'b'), fc.anything()),
        ({ schema: any, rows }, junk) => {
          const generated = new BatchBuilder(any);
          const interpreted = new BatchBuilder(any, { codeGeneration: 'never' });
          for (const row of rows) {
            for (const given of [row, { ...row, ...junk }]) {
              deepStrictEqual(outcome(generated, given), outcome(interpreted, given));
            }
            deepStrictEqual([generated.count, generated.bytes], [interpreted.count, interpreted.bytes]);
          }
          deepStrictEqual(rowsOf(generated.finish()), rowsOf(interpreted.finish()));
        },
      ),
      { numRuns: 200 },
    );
    t.pass();
  },
);

await t.test(
  'a builder is used again and again, over dictionaries it remembers and has to forget',
  async (t) => {
    const Keyed = schema('keyed', { ts: eventTime(1), key: string(2) });
    const builder = new BatchBuilder(Keyed);
    for (let round = 0; round < 8; round++) {
      const rows = Array.from({ length: 9_000 }, (_, i) => ({
        ts: i,
        key: i % 3 === 0 ? `k${i}` : `r${round}-${i}-ß`,
      }));
      for (const row of rows) builder.append(row);
      const batch = builder.finish();
      const read = rowReader(Keyed);
      t.ok(
        rows.every((row, i) => read(batch, i).key === row.key),
        `round ${round}`,
      );
      t.same(readEnvelope(encodeFrame(batch, { producer: 'p', epoch: 0, prev: 0, first: 1 })).records, 9_000);
    }
  },
);

await t.test('a full builder says so and stays whole', async (t) => {
  const Plain = schema('plain', { ts: eventTime(1) });
  const builder = new BatchBuilder(Plain);
  for (let i = 0; i < LIMITS.frameRecordsMax; i++) builder.append({ ts: i });
  t.throws(() => builder.append({ ts: 1 }), { code: 'MR_FRAME_TOO_LARGE' });
  t.equal(builder.finish().count, LIMITS.frameRecordsMax);
  t.throws(() => builder.finish(), { code: 'MR_INVARIANT' }, 'an empty batch does not exist');
});

await t.test('bytes is no less than the body that comes out', async (t) => {
  fc.assert(
    fc.property(tables(), ({ schema: any, rows }) => {
      const builder = new BatchBuilder(any);
      for (const row of rows) builder.append(row);
      const bound = builder.bytes;
      const batch = builder.finish();
      return withBodyWriter((writer) => {
        encodeBody(batch, writer);
        return writer.length <= bound;
      });
    }),
    { numRuns: 200 },
  );
  t.pass();
});

await t.test('bytes are copied in, so the caller may reuse the buffer', async (t) => {
  const builder = new BatchBuilder(Everything);
  const buffer = Uint8Array.of(1, 2, 3);
  builder.append({ ...good, bytes: buffer });
  buffer.fill(9);
  t.same(rowsOf(builder.finish()), [{ ...good, bytes: Uint8Array.of(1, 2, 3) }]);
});

await t.test('a process that forbids code generation interprets', async (t) => {
  const index = new URL('../../../engine/wire/index.ts', import.meta.url).href;
  const program = `
    const { BatchBuilder, decodeFrame, encodeFrame, eventTime, rowReader, schema, string } = await import('${index}');
    const S = schema('s', { ts: eventTime(1), key: string(2) });
    const builder = new BatchBuilder(S);
    builder.append({ ts: 5, key: 'k' });
    const { batch } = decodeFrame(encodeFrame(builder.finish(), { producer: 'p', epoch: 0, prev: 0, first: 1 }), () => S);
    console.log(JSON.stringify(rowReader(S)(batch, 0)));`;
  const flags = ['--disallow-code-generation-from-strings', '--input-type=module', '-e', program];
  const { stdout } = await promisify(execFile)(process.execPath, flags);
  t.equal(stdout.trim(), '{"ts":5,"key":"k"}');
});

function wrongValues(): Readonly<Record<string, readonly unknown[]>> {
  return {
    ts: [Number.NaN, Number.POSITIVE_INFINITY, 8.64e15 + 2, '1', 1n, new Date(0)],
    f64: ['1', 1n, true, {}],
    f32: [1e39, -1e39, '1'],
    i32: [0.5, 2 ** 31, -(2 ** 31) - 1, Number.NaN, Number.POSITIVE_INFINITY, '1', 1n],
    i64: [1, 2n ** 63n, -(2n ** 63n) - 1n, '1'],
    bool: [0, 1, 'true'],
    time: [Number.NaN, -8.64e15 - 2, '2026-01-01'],
    string: [
      1,
      '\ud800',
      'x\udc00y',
      'x'.repeat(LIMITS.cellBytesMax + 1),
      'ß'.repeat(LIMITS.cellBytesMax / 2 + 1),
    ],
    bytes: ['AQ==', [1, 2], new Uint8Array(LIMITS.cellBytesMax + 1), new Uint16Array(1)],
    obj: [
      new Map(),
      () => 1,
      Symbol('s'),
      circle(),
      { a: '\ud800' },
      [2n ** 64n],
      new Array(LIMITS.cellBytesMax).fill(0),
      new Date(Number.NaN),
    ],
    maybe: ['1', {}],
  };
}

function circle(): unknown {
  const value: Record<string, unknown> = {};
  value['self'] = value;
  return value;
}

function outcome<Row>(builder: BatchBuilder<Row>, row: Row): string {
  try {
    builder.append(row);
    return 'kept';
  } catch (error) {
    if (!hasCode(error, 'MR_RECORD_INVALID')) throw error;
    return error.message;
  }
}

function rowsOf<Row>(
  batch: { readonly schema: Schema<Row>; readonly count: number } & Parameters<
    ReturnType<typeof rowReader<Row>>
  >[0],
): Row[] {
  const read = rowReader(batch.schema);
  return Array.from({ length: batch.count }, (_, i) => read(batch, i));
}
