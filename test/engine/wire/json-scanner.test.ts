import { deepStrictEqual, throws } from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { errorText, MillraceError } from '../../../engine/base/errors.ts';
import type { Batch } from '../../../engine/wire/batch.ts';
import { BatchBuilder } from '../../../engine/wire/batch-builder.ts';
import type { GenerationOptions } from '../../../engine/wire/code-generation.ts';
import { decodeFrame, encodeFrame } from '../../../engine/wire/frame.ts';
import { JsonScanner } from '../../../engine/wire/json-scanner.ts';
import { parseJsonRecord } from '../../../engine/wire/record-parser.ts';
import { rowReader } from '../../../engine/wire/row-reader.ts';
import {
  bool,
  bytes,
  eventTime,
  f32,
  f64,
  i32,
  i64,
  type Infer,
  nullable,
  obj,
  type Schema,
  schema,
  string,
  time,
} from '../../../engine/wire/schema.ts';
import { propertyRuns } from '../../support/property-runs.ts';
import { type AnyRow, tables } from '../../support/wire-arbitraries.ts';

const FORMS: readonly Required<GenerationOptions>[] = [
  { codeGeneration: 'auto' },
  { codeGeneration: 'never' },
];

const Everything = schema('everything', {
  ts: eventTime(1),
  f64: nullable(f64(2)),
  f32: nullable(f32(3)),
  i32: nullable(i32(4)),
  i64: nullable(i64(5)),
  bool: nullable(bool(6)),
  time: nullable(time(7)),
  string: nullable(string(8)),
  bytes: nullable(bytes(9)),
  obj: nullable(obj<unknown>(10)),
  größe: nullable(f64(11)),
  '\ufffd': nullable(f64(12)),
  'quo"te': nullable(f64(13)),
});

type Outcome = { readonly row: unknown } | { readonly refused: string };

/** What JSON.parse, the record parser and the builder make of a text. */
function expected(of: Schema, text: Buffer): Outcome {
  const { builder, read } = scannerOf(of, { codeGeneration: 'auto' });
  try {
    builder.append(parseJsonRecord(of, text.toString()));
  } catch (error) {
    return { refused: refusalText(error) };
  }
  return { row: read(builder.finish(), 0) };
}

/** What the scanner makes of it. One scanner sees all texts of a schema, so that traces of earlier ones would show. */
function scanned(of: Schema, text: Buffer, form: Required<GenerationOptions>): Outcome {
  const { builder, scanner, read } = scannerOf(of, form);
  try {
    scanner.append(text);
  } catch (error) {
    deepStrictEqual(builder.count, 0);
    return { refused: refusalText(error) };
  }
  const batch = builder.finish();
  deepStrictEqual(batch.count, 1);
  return { row: read(batch, 0) };
}

function makeScanner(of: Schema, form: GenerationOptions) {
  const builder = new BatchBuilder(of);
  return { builder, scanner: new JsonScanner(builder, form), read: rowReader(of) };
}

const scanners = new Map<string, ReturnType<typeof makeScanner>>();

function scannerOf(of: Schema, form: Required<GenerationOptions>): ReturnType<typeof makeScanner> {
  const key = `${of.id} ${form.codeGeneration}`;
  const made = scanners.get(key) ?? makeScanner(of, form);
  scanners.set(key, made);
  return made;
}

function refusalText(error: unknown): string {
  if (!(error instanceof MillraceError) || error.code !== 'MR_RECORD_INVALID') throw error;
  return errorText(error);
}

function same(of: Schema, text: string | Buffer): Outcome {
  const buffer = Buffer.from(text);
  const outcome = expected(of, buffer);
  for (const form of FORMS)
    deepStrictEqual(scanned(of, buffer, form), outcome, `${form.codeGeneration}: ${buffer.toString()}`);
  return outcome;
}

/** Whether a text was read without JSON.parse. */
function readPlainly(of: Schema, text: string): boolean {
  const parse = JSON.parse;
  let calls = 0;
  JSON.parse = (...given) => {
    calls++;
    return parse(...given) as unknown;
  };
  try {
    new JsonScanner(new BatchBuilder(of)).append(Buffer.from(text));
  } catch {
    return false;
  } finally {
    JSON.parse = parse;
  }
  return calls === 0;
}

void t.test('JS1 JC1: numbers of every form have the value that JSON.parse gives them', async (test) => {
  const numbers = `0 -0 0.0 -0.0 1 -1 12.5 0.1 0.10 1e3 1E-3 -1.5e+2 1e400 -1e400 5e-324 1e-400
    9007199254740991 9007199254740992 9007199254740993 9223372036854775807 0.1234567890123456789012
    0.30000000000000004 123456789012345678901234567890 0.00000000000000000000001 1.7976931348623157e308
    00 01 -01 .5 5. -.5 - + +1 1e 1e+ 0x10 1_0 NaN Infinity -Infinity 1.5.5 2147483647 2147483648 -2147483648
    -2147483649 8640000000000000 8640000000000001 1700000000000.25 179769313486231580793e289`.split(/\s+/);
  for (const number of numbers) {
    for (const field of [
      'f64',
      'f32',
      'i32',
      'i64',
      'bool',
      'time',
      'string',
      'bytes',
      'obj',
      'other',
      'größe',
    ])
      same(Everything, `{"ts":1,"${field}":${number}}`);
    same(Everything, `{"ts":${number}}`);
  }
  test.ok('row' in same(Everything, '{"ts":1,"f64":-0,"i64":-0}'));
});

void t.test('JS1: random numbers too, to the last bit', async (test) => {
  const digits = fc.stringMatching(/^-?\d{1,20}(\.\d{1,24})?([eE][+-]?\d{1,3})?$/);
  fc.assert(
    fc.property(
      fc.oneof(digits, fc.double({ noNaN: true, noDefaultInfinity: true }).map(String)),
      (number) => {
        for (const field of ['f64', 'i64', 'obj']) same(Everything, `{"ts":1,"${field}":${number}}`);
      },
    ),
    { numRuns: propertyRuns(500) },
  );
  test.pass();
});

void t.test(
  'JS1 JC1 JC2: hostile texts are accepted, refused and reported as by JSON.parse and the record parser',
  async (test) => {
    const texts = [
      '',
      ' ',
      '{',
      '}',
      '{}',
      '[]',
      'null',
      '1',
      '"x"',
      '{"ts":1',
      '{"ts":1}}',
      '{"ts":1} x',
      '{"ts":1}\n',
      ' \t\r\n{ "ts" : 1 } ',
      '{"ts":1,}',
      '{,"ts":1}',
      '{"ts" 1}',
      '{"ts":1 "f64":2}',
      '{ts:1}',
      "{'ts':1}",
      '{"ts":1,"ts":2}',
      '{"ts":null,"ts":2}',
      '{"ts":2,"ts":"x"}',
      '{"ts":1,"f64":1,"f64":null}',
      '{"ts":1,"other":1,"other":2}',
      '{"\\u0074s":1}',
      '{"ts":1,"\\u0074s":2}',
      '{"ts":1,"string":"a\\u0062\\n\\"\\\\\\/"}',
      '{"ts":1,"string":"\\ud83d\\ude00"}',
      '{"ts":1,"string":"\\ud83d"}',
      '{"ts":1,"string":"\\x"}',
      '{"ts":1,"string":"a\nb"}',
      '{"ts":1,"string":"a\u0000b"}',
      '{"ts":1,"string":"\u007f\u2028ß𝄞"}',
      '{"ts":1,"string":"open',
      '{"ts":1,"string":"open\\',
      '{"ts":1,"other":"open}',
      '{"ts":1,"other":"esc\\"aped"}',
      '{"ts":1,"other":tru}',
      '{"ts":1,"other":truex}',
      '{"ts":1,"other":true}',
      '{"ts":1,"other":nul}',
      '{"ts":1,"other":{"a":[1,"]}"]}}',
      '{"ts":1,"other":{"a":[1,2}}',
      '{"ts":1,"other":[1,]}',
      '{"ts":1,"other":01}',
      '{"ts":1,"other":}',
      '{"ts":1,"other":"\\q"}',
      '{"ts":1,"obj":{"a":{"b":[null,true,"}",1e2]}}}',
      '{"ts":1,"obj":{"__proto__":1}}',
      '{"ts":1,"obj":[}',
      '{"ts":1,"obj":"x"}',
      '{"ts":1,"obj":{"a":1,"a":2}}',
      '{"ts":1,"obj":null}',
      '{"ts":1,"obj":"\\ud800"}',
      '{"__proto__":{"ts":5},"ts":1}',
      '{"constructor":1,"ts":1}',
      '{"ts":true}',
      '{"ts":"2026-01-31T12:00:00Z"}',
      '{"ts":"2026-02-30T12:00:00Z"}',
      '{"ts":[1]}',
      '{"ts":1,"bool":1}',
      '{"ts":1,"bool":true}',
      '{"ts":1,"bool":false }',
      '{"ts":1,"bool":"true"}',
      '{"ts":1,"bool":null}',
      '{"ts":1,"bool":nulll}',
      '{"ts":1,"string":null}',
      '{"ts":1,"string":5}',
      '{"ts":1,"i64":"9223372036854775807"}',
      '{"ts":1,"i64":"9223372036854775808"}',
      '{"ts":1,"i64":1.5}',
      '{"ts":1,"bytes":"AQI="}',
      '{"ts":1,"bytes":"AQI"}',
      '{"ts":1,"größe":5}',
      '{"ts":1,"gr\\u00f6\\u00dfe":5}',
      '{"ts":1,"quo\\"te":5}',
      '{"ts":1,"\ufffd":5}',
      '\ufeff{"ts":1}',
      '{"ts":1,"f32":3.4e38}',
      '{"ts":1,"f32":340282350000000000000000000000000000001}',
      `{"ts":1,"obj":${'['.repeat(70)}${']'.repeat(70)}}`,
      `{"ts":1,"other":${'['.repeat(20_000)}${']'.repeat(20_000)}}`,
      `{"ts":1,"string":"${'x'.repeat(1024 * 1024)}"}`,
      `{"ts":1,"string":"${'x'.repeat(1024 * 1024 + 1)}"}`,
      `{"ts":1,"string":"${'ß'.repeat(600_000)}"}`,
    ];
    for (const text of texts) same(Everything, text);
    for (const raw of ['c3', 'c328', '80', 'ff', 'eda080', 'f09f98', 'e282']) {
      const wild = Buffer.from(raw, 'hex');
      for (const [before, after] of [
        ['{"ts":1,"string":"a', '"}'],
        ['{"ts":1,"', '":5}'],
        ['{"ts":1,"other":"', 'x"}'],
        ['{"ts":1', '}'],
      ] as const)
        same(Everything, Buffer.concat([Buffer.from(before), wild, Buffer.from(after)]));
    }
    test.pass();
  },
);

/** JSON of a row as its parser takes it, with odd spacing, order and escapes. */
const spelled = (row: AnyRow) =>
  fc
    .tuple(
      fc.shuffledSubarray(Object.keys(row), { minLength: 0 }),
      fc.constantFrom('', ' ', '\n\t'),
      fc.boolean(),
    )
    .map(([keys, gap, escape]) => {
      const parts = keys.map((key) => {
        const value = row[key];
        const json = JSON.stringify(
          typeof value === 'bigint'
            ? String(value)
            : value instanceof Uint8Array
              ? Buffer.from(value).toString('base64')
              : value,
          (_, inner: unknown) => (typeof inner === 'bigint' ? Number(inner) : inner),
        );
        const name = escape
          ? `"${Array.from(key, (c) => (c.length === 1 ? `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}` : c)).join('')}"`
          : JSON.stringify(key);
        return `${gap}${name}${gap}:${gap}${json ?? 'null'}${gap}`;
      });
      return `{${parts.join(',')}}`;
    });

/** Cuts, doubles, replaces and inserts bytes. */
const mutation = fc.record({
  at: fc.nat(),
  kind: fc.constantFrom('none', 'cut', 'drop', 'replace', 'insert', 'double'),
  byte: fc.oneof(
    fc.constantFrom(...Buffer.from('"\\{}[],:0123456789eE+-. \ntfn')),
    fc.integer({ min: 0, max: 255 }),
  ),
});

function mutated(text: Buffer, { at, kind, byte }: { at: number; kind: string; byte: number }): Buffer {
  const p = at % (text.length + 1);
  const [before, after] = [text.subarray(0, p), text.subarray(p)];
  switch (kind) {
    case 'cut':
      return before;
    case 'drop':
      return Buffer.concat([before, after.subarray(1)]);
    case 'replace':
      return Buffer.concat([before, Buffer.of(byte), after.subarray(1)]);
    case 'insert':
      return Buffer.concat([before, Buffer.of(byte), after]);
    case 'double':
      return Buffer.concat([before, after, after]);
    default:
      return text;
  }
}

void t.test(
  'JS1 JS2: equal to JSON.parse, record parser and builder on valid and mutated records of any schema, generated and interpreted',
  async (test) => {
    fc.assert(
      fc.property(
        tables(4).chain(({ schema: of, rows }) =>
          fc.record({
            of: fc.constant(of),
            texts: fc.tuple(...rows.map(spelled)),
            mutations: fc.array(mutation, { minLength: 1, maxLength: 8 }),
          }),
        ),
        ({ of, texts, mutations }) => {
          const inputs = texts.flatMap((text, i) => {
            const whole = Buffer.from(text);
            return [whole, mutated(whole, mutations[i % mutations.length] as (typeof mutations)[number])];
          });
          const reference = new BatchBuilder(of);
          const builders = FORMS.map(() => new BatchBuilder(of));
          const scanners = builders.map(
            (builder, i) => new JsonScanner(builder, FORMS[i] as GenerationOptions),
          );
          for (const input of inputs) {
            const refusal = attempt(() => reference.append(parseJsonRecord(of, input.toString())));
            for (const scanner of scanners)
              deepStrictEqual(
                attempt(() => scanner.append(input)),
                refusal,
              );
          }
          if (reference.count === 0) return;
          const rows = rowsOf(reference.finish(), of);
          for (const builder of builders) deepStrictEqual(rowsOf(builder.finish(), of), rows);
        },
      ),
      { numRuns: propertyRuns(400) },
    );
    test.pass();
  },
);

function attempt(act: () => void): string | null {
  try {
    act();
    return null;
  } catch (error) {
    return refusalText(error);
  }
}

/** Through a frame and back: what the columns hold is encodable too. */
function rowsOf(batch: Batch, of: Schema): unknown[] {
  const frame = encodeFrame(batch, { producer: 'p', epoch: 1, prev: 0, first: 1 });
  const decoded = decodeFrame(frame, (id) => (id === of.id ? of : undefined)).batch;
  const read = rowReader(of);
  return Array.from({ length: decoded.count }, (_, i) => read(decoded, i));
}

const Reading = schema('reading', {
  ts: eventTime(1),
  device: string(2),
  value: f64(3),
  unit: nullable(string(4)),
  seq: i32(5),
  big: nullable(i64(6)),
});

void t.test(
  'plain records in any order and spacing need no JSON.parse, one that is not plain needs it for one value',
  async (test) => {
    for (const text of [
      '{"ts":1700000000000,"device":"urn:dev:mac:0024befffe804ff1","value":-12.75,"unit":"Cel","seq":7}',
      ' { "unit" : null , "other" : "x" , "more":1.5,"seq":7,"value":0,"ts":5,"device":"Zürich" } ',
      '{"ts":1,"device":"","value":1,"seq":-1,"big":9007199254740991}',
    ])
      test.equal(readPlainly(Reading, text), true, text);
    test.equal(readPlainly(Reading, '{"ts":1,"device":"a\\n","value":1,"seq":1}'), false);
  },
);

void t.test('recurring strings are one string; strings that never recur are right too', async (test) => {
  const builder = new BatchBuilder(Reading);
  const scanner = new JsonScanner(builder);
  const total = 40_000;
  for (let i = 0; i < total; i++)
    scanner.append(
      Buffer.from(`{"ts":${i},"device":"device-${i * 7919}","value":1,"unit":"u${i % 1_000}","seq":${i}}`),
    );
  const batch = builder.finish();
  const read = rowReader(Reading);
  for (let i = 0; i < total; i++) {
    const { device, unit } = read(batch, i);
    if (device !== `device-${i * 7919}` || unit !== `u${i % 1_000}`)
      test.fail(`record ${i}: ${device} ${String(unit)}`);
  }
  test.equal(batch.count, total);
});

void t.test('a full builder refuses as it does by rows', async (test) => {
  const Tiny = schema('tiny', { ts: eventTime(1) });
  const builder = new BatchBuilder(Tiny);
  const scanner = new JsonScanner(builder);
  const record = Buffer.from('{"ts":1}');
  for (let i = 0; i < 65_536; i++) scanner.append(record);
  test.throws(() => scanner.append(record), { code: 'MR_FRAME_TOO_LARGE' });
  test.equal(builder.finish().count, 65_536);
  scanner.append(record);
  test.equal(builder.count, 1);
});

for (const options of FORMS) {
  void t.test(
    `strings recur over batches that the dictionary forgets them in, and in refused records: ${options.codeGeneration}`,
    async (test) => {
      const builder = new BatchBuilder(Reading);
      const scanner = new JsonScanner(builder, options);
      const read = rowReader(Reading);
      for (let batch = 0; batch < 10; batch++) {
        const written: string[] = [];
        for (let i = 0; i < 8_000; i++) {
          // Most come again and again; the others fill the dictionary until it forgets all.
          const device = i % 4 > 0 ? `d-${i % 100}` : `device-${batch * 8_000 + i}`;
          const text = (value: string) => `{"ts":${i},"device":"${value}","value":1,"seq":1}`;
          if (i % 100 === 0)
            throws(() => scanner.append(Buffer.from(text(`${device}r`).replace('1}', '"x"}'))));
          if (i % 11 === 0) scanner.append(Buffer.from(text(`\\u0064${device.slice(1)}`)));
          else scanner.append(Buffer.from(text(device)));
          written.push(device);
        }
        const frame = encodeFrame(builder.finish(), { producer: 'p', epoch: 0, prev: 0, first: 1 });
        const { batch: decoded } = decodeFrame(frame, () => Reading);
        const devices = written.map((_, i) => read(decoded as Batch<Infer<typeof Reading>>, i).device);
        test.strictSame(devices, written);
      }
    },
  );
}
