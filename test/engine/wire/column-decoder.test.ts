import { deepStrictEqual } from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { type Batch, batchOfColumns } from '../../../engine/wire/batch.ts';
import { DictionaryBuilder } from '../../../engine/wire/dictionary-builder.ts';
import { BODY_HEADER_BYTES, COLUMN_ENTRY_BYTES, ENCODING } from '../../../engine/wire/frame-layout.ts';
import {
  BatchBuilder,
  decodeFrame,
  encodeFrame,
  eventTime,
  f64,
  nullable,
  readEnvelope,
  rowReader,
  schema,
  string,
} from '../../../engine/wire/index.ts';
import { resigned } from '../../support/frame-signing.ts';

const Value = schema('value', { ts: eventTime(1), value: nullable(f64(2)) });
const Text = schema('text', { ts: eventTime(1), text: nullable(string(2)) });
const from = { producer: 'edge-1', epoch: 3, prev: 10, first: 11 };

await t.test('decimals within 16 bits of each other take 16 bits and come back bit by bit', async (t) => {
  const numbers = fc
    .record({
      base: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 65_536 }),
      distances: fc.array(fc.option(fc.integer({ min: 0, max: 65_535 }), { nil: null }), { maxLength: 40 }),
      exponent: fc.integer({ min: 0, max: 9 }),
    })
    .map(({ base, distances, exponent }) =>
      [...distances, 0, 65_535].map((it) => (it === null ? null : (base + it) / 10 ** exponent)),
    );
  fc.assert(
    fc.property(numbers, (values) => {
      const frame = framed(values);
      deepStrictEqual(encodingOf(frame), ENCODING.short);
      deepStrictEqual(valuesOf(frame), values);
    }),
    { numRuns: 400 },
  );
  t.pass();
});

await t.test('whole numbers within 16 bits of each other do so wherever they lie', async (t) => {
  const numbers = fc
    .tuple(
      fc.integer({ min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER - 65_535 }),
      fc.array(fc.integer({ min: 0, max: 65_535 }), { maxLength: 40 }),
    )
    .map(([base, distances]) => [0, ...distances, 65_535].map((it) => base + it));
  fc.assert(
    fc.property(numbers, (values) => {
      const frame = framed(values);
      deepStrictEqual(encodingOf(frame), ENCODING.short);
      deepStrictEqual(valuesOf(frame), values);
    }),
  );
  t.pass();
});

await t.test('a base that is not a whole number, and an exponent above nine, are refused', async (t) => {
  const frame = framed([1.5, 2.25]);
  for (const base of [0.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY]) {
    t.throws(() => valuesOf(patched(frame, (body, entry) => body.writeDoubleLE(base, entry + 16))), {
      code: 'MR_FRAME_CORRUPT',
    });
  }
  t.throws(() => valuesOf(patched(frame, (body, entry) => body.writeUInt8(10, entry + 5))), {
    code: 'MR_FRAME_CORRUPT',
  });
  t.throws(() => valuesOf(patched(frame, (body, entry) => body.writeUInt32LE(6, entry + 8))), {
    code: 'MR_FRAME_CORRUPT',
  });
  t.same(valuesOf(patched(frame, (body, entry) => body.writeDoubleLE(-225, entry + 16))), [-2.25, -1.5]);
});

await t.test('strings come back whatever their codes, with nulls and entries that nobody uses', async (t) => {
  const strings = fc.integer({ min: 1, max: 12 }).chain((entries) =>
    fc.record({
      entries: fc.constant(entries),
      codes: fc.array(fc.option(fc.nat({ max: entries - 1 }), { nil: null }), {
        minLength: 1,
        maxLength: 60,
      }),
      compression: fc.constantFrom('none', 'zstd'),
    }),
  );
  fc.assert(
    fc.property(strings, ({ entries, codes, compression }) => {
      const batch = textBatch(entries, codes);
      const frame = encodeFrame(batch, { ...from, compression });
      const { batch: back } = decodeFrame(frame.slice(), () => Text);
      deepStrictEqual(
        textsOf(back),
        codes.map((code) => (code === null ? null : `text ${code}`)),
      );
      const column = back.column(1);
      const used = new Set(codes.filter((code) => code !== null));
      deepStrictEqual(column.kind === 'string' ? column.dictionary.size : -1, used.size);
      deepStrictEqual(encodeFrame(back, { ...from, compression }), frame);
    }),
    { numRuns: 400 },
  );
  t.pass();
});

await t.test('codes by first use say what the others say, and only where they are compressed', async (t) => {
  const batch = textBatch(3, [0, 1, null, 0, 2, 1]);
  const plain = encodeFrame(batch, from);
  const firstUse = encodeFrame(batch, { ...from, compression: 'zstd' });
  t.equal(readEnvelope(firstUse).compression, 'none', 'too small to be worth it');
  t.equal(encodingOf(plain), ENCODING.plain);
  t.same([...codesAt(plain)], [0, 1, 0, 0, 2, 1]);
  t.equal(encodingOf(firstUse), ENCODING.firstUse);
  t.same([...codesAt(firstUse)], [0, 0, 0, 1, 0, 2]);
  t.same(textsOf(decodeFrame(firstUse, () => Text).batch), textsOf(decodeFrame(plain, () => Text).batch));
});

await t.test('codes by first use that cannot be are refused', async (t) => {
  const frame = encodeFrame(textBatch(3, [0, 1, null, 0, 2, 1]), { ...from, compression: 'zstd' });
  const wrong: readonly [string, readonly number[]][] = [
    ['a string that has not come yet', [0, 0, 0, 3, 0, 2]],
    ['itself', [1, 0, 0, 0, 0, 2]],
    ['far away', [0, 0, 0, 65_535, 0, 2]],
    ['a string too few', [0, 0, 0, 1, 1, 2]],
    ['a string too many', [0, 0, 0, 0, 0, 2]],
    ['a null with a code', [0, 0, 1, 1, 0, 2]],
  ];
  for (const [name, codes] of wrong) {
    const bad = patched(
      frame,
      () => {},
      (at) => at.set(codes),
    );
    t.throws(() => decodeFrame(bad, () => Text), { code: 'MR_FRAME_CORRUPT' }, name);
  }
  const right = patched(
    frame,
    () => {},
    (at) => at.set([0, 0, 0, 2, 0, 3]),
  );
  t.same(textsOf(decodeFrame(right, () => Text).batch), [
    'text 0',
    'text 1',
    null,
    'text 1',
    'text 2',
    'text 2',
  ]);
});

function framed(values: readonly (number | null)[]): Uint8Array {
  const builder = new BatchBuilder(Value);
  for (const value of values) builder.append({ ts: 5, value });
  return encodeFrame(builder.finish(), from);
}

function valuesOf(frame: Uint8Array): unknown[] {
  return columnOf(decodeFrame(frame, () => Value).batch, 'value');
}

function textsOf(batch: Batch): unknown[] {
  return columnOf(batch, 'text');
}

function columnOf(batch: Batch, name: string): unknown[] {
  const read = rowReader(batch.schema);
  return Array.from({ length: batch.count }, (_, i) => (read(batch, i) as Record<string, unknown>)[name]);
}

/** A batch with `text 0` … as its dictionary, in that order. */
function textBatch(entries: number, codes: readonly (number | null)[]): Batch {
  const dictionary = new DictionaryBuilder();
  for (let code = 0; code < entries; code++) dictionary.add(`text ${code}`);
  const nulls = new Uint8Array((codes.length + 7) >>> 3);
  for (const [i, code] of codes.entries())
    if (code === null) nulls[i >>> 3] = (nulls[i >>> 3] as number) | (1 << (i & 7));
  const times = new Float64Array(codes.length).fill(5);
  return batchOfColumns(Text, codes.length, [
    { kind: 'f64', values: times, nulls: null },
    {
      kind: 'string',
      codes: Uint16Array.from(codes, (code) => code ?? 9),
      dictionary: dictionary.finish(),
      nulls: nulls.some((bits) => bits > 0) ? nulls : null,
    },
  ]);
}

/** Where the directory entry of the second column of a plainly stored frame starts. */
function entryOf(frame: Uint8Array): number {
  return readEnvelope(frame).headerBytes + BODY_HEADER_BYTES + COLUMN_ENTRY_BYTES;
}

function encodingOf(frame: Uint8Array): number {
  return frame[entryOf(frame) + 3] as number;
}

/** The codes that end the section of the second column. */
function codesAt(frame: Uint8Array): Uint16Array {
  const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.length);
  const entry = entryOf(frame);
  const end = entry + COLUMN_ENTRY_BYTES + bytes.readUInt32LE(entry + 8);
  const records = readEnvelope(frame).records;
  return new Uint16Array(frame.buffer, frame.byteOffset + end - 2 * records, records);
}

/** The frame with another directory entry or other codes, signed. */
function patched(
  frame: Uint8Array,
  change: (bytes: Buffer, entry: number) => void,
  recode: (codes: Uint16Array) => void = () => {},
): Uint8Array {
  const bad = frame.slice();
  change(Buffer.from(bad.buffer), entryOf(bad));
  recode(codesAt(bad));
  return resigned(bad);
}
