import { deepStrictEqual } from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { BatchBuilder } from '../../../engine/wire/batch-builder.ts';
import type { GenerationOptions } from '../../../engine/wire/code-generation.ts';
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
  nullable,
  obj,
  type Schema,
  schema,
  string,
  time,
} from '../../../engine/wire/schema.ts';
import { FORMS, refusalText } from '../../support/json-scanner-forms.ts';
import { propertyRuns } from '../../support/property-runs.ts';

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

function same(of: Schema, text: string | Buffer): Outcome {
  const buffer = Buffer.from(text);
  const outcome = expected(of, buffer);
  for (const form of FORMS)
    deepStrictEqual(scanned(of, buffer, form), outcome, `${form.codeGeneration}: ${buffer.toString()}`);
  return outcome;
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
