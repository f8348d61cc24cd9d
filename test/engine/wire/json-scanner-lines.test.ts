import t from 'tap';
import { BatchBuilder } from '../../../engine/wire/batch-builder.ts';
import { JsonScanner } from '../../../engine/wire/json-scanner.ts';
import { eventTime, f64, i32, schema, string } from '../../../engine/wire/schema.ts';

const Reading = schema('reading', { ts: eventTime(1), device: string(2), value: f64(3), seq: i32(4) });

void t.test(
  'JC2: whole ones are taken, blank ones passed over, bad ones reported, the unfinished one left',
  async (test) => {
    const line = (n: number) => `{"ts":${n},"device":"d","value":${n},"seq":${n}}`;
    const text = `${line(1)}\n\r\n  \n${line(2)}\r\n{"ts":3\n,"device":"d","value":3,"seq":3}\nnonsense\n${line(4)}\n${line(5)}`;
    for (const codeGeneration of ['auto', 'never'] as const) {
      const builder = new BatchBuilder(Reading);
      const refused: string[] = [];
      const used = new JsonScanner(builder, { codeGeneration }).appendLines(
        new Uint8Array(Buffer.from(text)),
        (_, bad) => refused.push(Buffer.from(bad).toString()),
      );
      test.equal(text.slice(used), line(5));
      test.same(refused, ['{"ts":3', ',"device":"d","value":3,"seq":3}', 'nonsense']);
      test.same([...builder.finish().times.subarray(0, 3)], [1, 2, 4]);
    }
  },
);

void t.test('stops when the builder holds enough, and goes on from there', async (test) => {
  const text = Buffer.from(
    Array.from({ length: 10 }, (_, i) => `{"ts":${i},"device":"d","value":0,"seq":0}\n`).join(''),
  );
  const builder = new BatchBuilder(Reading);
  const scanner = new JsonScanner(builder);
  const counts: number[] = [];
  for (let used = 0; used < text.length; ) {
    used += scanner.appendLines(text.subarray(used), () => test.fail('all are sound'), 4);
    counts.push(builder.finish().count);
  }
  test.same(counts, [4, 4, 2]);
});
