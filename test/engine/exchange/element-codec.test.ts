import { deepStrictEqual } from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { type Element, type Records, recordCount, rowAt, timeAt } from '#engine';
import { eventTime, i64, nullable, obj, schema, string } from '#wire';
import { checkpointId } from '../../../engine/base/brand.ts';
import { ElementDecoder, ElementEncoder } from '../../../engine/exchange/element-codec.ts';
import { ThreadCodecs } from '../../../engine/exchange/thread-codecs.ts';
import { Channel } from '../../../engine/runtime/channel.ts';
import { createRouter } from '../../../engine/runtime/router.ts';
import { columnRecords, createOperatorBench, rowRecords } from '../../support/operator-bench.ts';
import { keyTrail, plainValues, shapedRows } from '../../support/plain-values.ts';
import { propertyRuns } from '../../support/property-runs.ts';
import { form, forms, samples, stages } from '../../support/row-arbitraries.ts';
import { type AnyRow, doubles, tables } from '../../support/wire-arbitraries.ts';

/** Both ends of a channel. */
function ends(codecs?: ThreadCodecs) {
  const encoder = new ElementEncoder(codecs);
  const decoder = new ElementDecoder(codecs);
  const through = (records: Records): Records => {
    const element = decoder.decode(encoder.encode({ kind: 'records', records }));
    if (element.kind !== 'records') throw new Error(`records came as ${element.kind}`);
    return element.records;
  };
  return { encoder, decoder, through };
}

const interpreted = () => new ThreadCodecs({ codeGeneration: 'never' });

function contentOf(records: Records): readonly (readonly [unknown, number])[] {
  return Array.from({ length: recordCount(records) }, (_, k) => [rowAt(records, k), timeAt(records, k)]);
}

void t.test('EX1: any selection of any columns comes out as those records, as columns', async () => {
  const selections = fc.option(fc.array(fc.nat(), { minLength: 1, maxLength: 60 }), { freq: 3 });
  fc.assert(
    fc.property(fc.array(fc.tuple(tables(), selections), { minLength: 1, maxLength: 3 }), (batches) => {
      const { through } = ends();
      for (const [{ schema: of, rows }, picks] of batches) {
        const selection = picks?.map((pick) => pick % rows.length).sort((a, b) => a - b) ?? null;
        const records = columnRecords<AnyRow>(of, rows, selection);
        const back = through(records);
        deepStrictEqual(back.kind === 'columns' && back.batch.schema, of);
        deepStrictEqual(contentOf(back), contentOf(records));
        deepStrictEqual(contentOf(through(back)), contentOf(records));
      }
    }),
    { numRuns: propertyRuns(200) },
  );
});

void t.test(
  'EX1: what has been through an exchange runs through generated loops like what has not',
  async () => {
    fc.assert(
      fc.property(samples(), form(), stages(), (rows, how, steps) => {
        const { through } = ends();
        const run = (records: Records) => {
          const channels = Array.from({ length: 3 }, () => new Channel());
          const bench = createOperatorBench({ stages: steps });
          const keys = { kind: 'fields', fields: ['tenant', 'device'] } as const;
          createRouter({ kind: 'hash', keys }, channels, bench.context).records(records);
          const drained = channels.map((channel) => {
            const element = channel.shift();
            return element?.kind === 'records' ? contentOf(element.records) : null;
          });
          return [drained, bench.errors];
        };
        deepStrictEqual(run(through(forms(rows, how))), run(forms(rows, how)));
      }),
      { numRuns: propertyRuns(200) },
    );
  },
);

for (const [name, codecs] of [
  ['generated', undefined],
  ['interpreted', interpreted],
] as const) {
  void t.test(`EX1: plain rows come out equal to the bit, keys in order (${name})`, async () => {
    const batches = fc.oneof(
      shapedRows(),
      fc.array(fc.array(plainValues(), { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 3 }),
    );
    fc.assert(
      fc.property(fc.array(batches, { minLength: 1, maxLength: 2 }), doubles(), (streams, time) => {
        const { through } = ends(codecs?.());
        for (const rows of streams.flat()) {
          const records = rowRecords(
            rows,
            rows.map((_, i) => (i % 3 === 0 ? time : i)),
          );
          const back = through(records);
          deepStrictEqual(back, records);
          deepStrictEqual(keyTrail('rows' in back ? back.rows : null), keyTrail(rows));
        }
      }),
      { numRuns: propertyRuns(name === 'generated' ? 400 : 250) },
    );
  });
}

void t.test('EX1: generated and interpreted ends understand each other, byte by byte', async () => {
  fc.assert(
    fc.property(shapedRows(), (batches) => {
      const one = new ElementEncoder(new ThreadCodecs());
      const other = new ElementEncoder(interpreted());
      const decoder = new ElementDecoder(interpreted());
      for (const rows of batches) {
        const element: Element = {
          kind: 'records',
          records: rowRecords(rows, rows.map(Number.isNaN).map(Number)),
        };
        const bytes = one.encode(element);
        deepStrictEqual(other.encode(element), bytes);
        deepStrictEqual(decoder.decode(bytes), element);
      }
    }),
    { numRuns: propertyRuns(150) },
  );
});

void t.test('signals come out as they went in, between records, each in bytes of its own', async (t) => {
  const { encoder, decoder } = ends();
  const elements: Element[] = [
    { kind: 'watermark', time: -5.5 },
    { kind: 'records', records: rowRecords([{ a: 1 }], [3]) },
    { kind: 'watermark', time: Number.POSITIVE_INFINITY },
    { kind: 'idle' },
    { kind: 'barrier', checkpoint: checkpointId(2 ** 40 + 1) },
    { kind: 'end' },
  ];
  const bytes = elements.map((element) => encoder.encode(element));
  t.ok(
    bytes.every(
      (each) => each.byteOffset === 0 && each.buffer.byteLength === each.length && each.length % 8 === 0,
    ),
  );
  t.equal(bytes[0]?.length, 32);
  // As a socket gives them: at any place of a larger buffer.
  const stream = Buffer.concat([Buffer.from('x'), ...bytes]);
  let at = 1;
  for (const [i, element] of elements.entries()) {
    const { length } = bytes[i] as Uint8Array;
    t.same(decoder.decode(stream.subarray(at, at + length)), element);
    at += length;
  }
});

void t.test('schemas and shapes travel once per channel', async (t) => {
  const { encoder } = ends();
  const Reading = schema('reading', {
    ts: eventTime(1),
    device: string(2),
    count: i64(3),
    note: nullable(obj<string>(4)),
  });
  const columns = columnRecords(Reading, [{ ts: 1, device: 'd', count: 3n, note: null }]);
  const rows = rowRecords([{ key: { device: 'd' }, window: { start: 0, end: 10 }, value: { n: 1 } }], [9]);
  for (const [records, text] of [
    [columns, '"reading"'],
    [rows, '"window"'],
  ] as const) {
    const [first, second] = [1, 2].map(() => Buffer.from(encoder.encode({ kind: 'records', records })));
    t.ok(first?.includes(text));
    t.notOk(second?.includes(text));
  }
});

void t.test(
  'a channel remembers few shapes: rows of any further one travel value by value, and come out equal',
  async () => {
    const { through } = ends(new ThreadCodecs());
    for (let i = 0; i < 200; i++) {
      const records = rowRecords([{ [`field-${i}`]: i, same: 'x' }], [i]);
      deepStrictEqual(through(records), records);
      deepStrictEqual(through(records), records);
    }
  },
);

void t.test('a channel of more schemas than it numbers goes on', async () => {
  const { through } = ends(new ThreadCodecs());
  for (let i = 0; i < 600; i++) {
    const records = columnRecords(schema(`s${i % 300}`, { ts: eventTime(1), [`f${i % 300}`]: string(2) }), [
      { ts: i, [`f${i % 300}`]: 'x' } as never,
    ]);
    deepStrictEqual(contentOf(through(records)), contentOf(records));
  }
});

void t.test('EX1: what is no plain data is refused, named with its field, and leaves no trace', async (t) => {
  const { encoder, decoder } = ends();
  class Reading {}
  const circle: Record<string, unknown> = {};
  circle['self'] = circle;
  const refused: readonly (readonly [unknown, RegExp])[] = [
    [{ id: 1, x: () => 1 }, /holds a function in field 'x'/],
    [{ id: 1, deep: { list: [1, Symbol('s')] } }, /holds a symbol in field 'deep.list.1'/],
    [new Reading(), /is an instance of Reading/],
    [{ id: 1, m: new Map([['k', new Error('no')]]) }, /holds an instance of Error in field 'm.value 0'/],
    [{ circle }, /holds values nested deeper than 64 levels or in a circle in field/],
  ];
  for (const [row, message] of refused) {
    const records = rowRecords([row], [1]);
    t.throws(() => encoder.encode({ kind: 'records', records }), { code: 'MR_RECORD_INVALID', message });
  }
  for (const row of [
    { id: 1, x: 2 },
    { id: 1, x: 's' },
    { id: 1, deep: { list: [1] } },
  ]) {
    const element: Element = { kind: 'records', records: rowRecords([row, row], [1, 2]) };
    t.strictSame(decoder.decode(encoder.encode(element)), element);
  }
});

void t.test('a batch that is too large is refused, and the channel goes on', async (t) => {
  const { encoder, decoder } = ends();
  const many = Array.from({ length: 65_537 }, () => 1);
  const wide = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`f${i}`, i]));
  for (const rows of [many, Array.from({ length: 20_000 }, () => wide), [new Uint8Array(17 * 1024 * 1024)]]) {
    const records = rowRecords(
      rows,
      rows.map(() => 0),
    );
    t.throws(() => encoder.encode({ kind: 'records', records }), { code: 'MR_FRAME_TOO_LARGE' });
  }
  const element: Element = { kind: 'records', records: rowRecords([wide], [1]) };
  t.strictSame(decoder.decode(encoder.encode(element)), element);
});

void t.test('EX2: an element that is lost, repeated or out of order is noticed', async (t) => {
  const bytesOf = () => {
    const encoder = new ElementEncoder();
    return [1, 2, 3].map((time) => encoder.encode({ kind: 'watermark', time }));
  };
  for (const order of [[1], [0, 0], [0, 2]]) {
    const decoder = new ElementDecoder();
    const all = bytesOf();
    const last = order.at(-1) as number;
    for (const i of order.slice(0, -1)) decoder.decode(all[i] as Uint8Array);
    t.throws(() => decoder.decode(all[last] as Uint8Array), { code: 'MR_FRAME_CORRUPT' });
  }
});
