import { throws } from 'node:assert/strict';
import t from 'tap';
import type { Batch } from '../../../engine/wire/batch.ts';
import { BatchBuilder } from '../../../engine/wire/batch-builder.ts';
import { decodeFrame, encodeFrame } from '../../../engine/wire/frame.ts';
import { JsonScanner } from '../../../engine/wire/json-scanner.ts';
import { rowReader } from '../../../engine/wire/row-reader.ts';
import {
  eventTime,
  f64,
  i32,
  i64,
  type Infer,
  nullable,
  type Schema,
  schema,
  string,
} from '../../../engine/wire/schema.ts';
import { FORMS } from '../../support/json-scanner-forms.ts';

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
