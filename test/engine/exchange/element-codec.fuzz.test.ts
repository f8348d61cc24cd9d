import { deepStrictEqual } from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import { type Element, type Records, recordCount } from '#engine';
import {
  bool,
  eventTime,
  f32,
  f64,
  i32,
  i64,
  nullable,
  obj,
  rowReader,
  type Random,
  schema,
  seededRandom,
  string,
} from '#wire';
import { hasCode } from '../../../engine/base/errors.ts';
import { ElementDecoder, ElementEncoder } from '../../../engine/exchange/element-codec.ts';
import { ThreadCodecs } from '../../../engine/exchange/thread-codecs.ts';
import { columnRecords, rowRecords } from '../../support/operator-bench.ts';

/*
 * Bytes from nowhere and elements made hostile. Nothing signs an element of an exchange, so every change reaches the decoder. Allowed
 * outcomes: MR_FRAME_CORRUPT, or an element that reads whole and encodes like any other. MILLRACE_FUZZ_INPUTS sets how many inputs
 * (default 10 000), MILLRACE_FUZZ_SEED replays a run.
 */
const inputs = Number(process.env['MILLRACE_FUZZ_INPUTS'] ?? 10_000);
const seed = Number(process.env['MILLRACE_FUZZ_SEED'] ?? 20_240_229);
if (inputs > 100_000) t.setTimeout(3_600_000);

const All = schema('all', {
  ts: eventTime(1),
  a: f64(2),
  b: nullable(f32(3)),
  c: i32(4),
  d: i64(5),
  e: nullable(bool(6)),
  f: nullable(string(7)),
  g: nullable(obj<unknown>(8)),
  h: string(9),
});
const EDGE_WORDS = [
  0, 1, 2, 3, 7, 8, 24, 31, 255, 256, 65_535, 65_536, 0x1000000, 0x7fffffff, 0x80000000, 0xffffffff,
];
const RECORDS_MAX = 65_536;

/** Elements of every form, as one channel sends them; decoders are given those before the one that is changed. */
function elements(random: Random): Element[] {
  const pick = <T>(...of: readonly T[]) => of[Math.floor(random() * of.length)] as T;
  const times = Array.from({ length: 1 + Math.floor(random() * 20) }, (_, i) => pick(i, 5, 1.5));
  const rows = times.map((ts, i) => ({
    ts,
    a: pick(1, 0.5),
    b: pick(null, 1),
    c: i,
    d: pick(1n, 2n),
    e: pick(true, false, null),
    f: pick(null, 'x', 'yy'),
    g: pick<unknown>(null, { k: [1, 'x'] }, 5),
    h: pick('device-1', 'device-2', 'ß'),
  }));
  const results = times.map((end) => ({
    key: pick({ device: 'a' }, { device: 'b' }),
    window: pick({ start: 0, end }, null, undefined),
    n: pick(1, 2, null),
    ok: pick(true, false),
    odd: pick<unknown>(1n, [1, undefined], new Map([[1, new Date(1)]]), new Float64Array(2), { x: 'y' }),
    none: undefined,
  }));
  return [
    { kind: 'records', records: columnRecords(All, rows) },
    { kind: 'records', records: rowRecords(results, times) },
    { kind: 'records', records: columnRecords(All, rows, pick(null, [0])) },
    { kind: 'records', records: rowRecords(results.slice(0, 1), times.slice(0, 1)) },
    { kind: 'watermark', time: 5 },
  ];
}

function damaged(bytes: Uint8Array, random: Random): Uint8Array {
  const below = (n: number) => Math.floor(random() * n);
  let hostile = bytes.slice();
  for (let changes = 1 + below(3); changes > 0 && hostile.length > 0; changes--) {
    const view = new DataView(hostile.buffer, 0, hostile.length);
    // Headers and directories decide most; half of the changes go there.
    const at = below(random() < 0.5 ? Math.min(hostile.length, 320) : hostile.length);
    const word = at & ~3;
    switch (below(6)) {
      case 0:
        view.setUint8(at, view.getUint8(at) ^ (1 << below(8)));
        break;
      case 1:
        view.setUint8(at, below(256));
        break;
      case 2:
        if (word + 4 <= hostile.length)
          view.setUint32(word, EDGE_WORDS[below(EDGE_WORDS.length)] as number, true);
        break;
      case 3:
        hostile = hostile.slice(0, at);
        break;
      case 4:
        hostile.copyWithin(at, below(hostile.length), below(hostile.length));
        break;
      default:
        hostile = Uint8Array.from([...hostile, ...new Uint8Array(below(20))]);
    }
  }
  return hostile;
}

/** Touches everything of an element, as operators would. */
function read(element: Element, codecs: ThreadCodecs): void {
  if (element.kind !== 'records') return;
  const { records } = element;
  const count = recordCount(records);
  if (count < 1 || count > RECORDS_MAX) throw new Error(`an element of ${count} records`);
  if (records.kind === 'columns') {
    const reader = rowReader(records.batch.schema, { codeGeneration: 'never' });
    for (let i = 0; i < count; i++) reader(records.batch, i);
  } else deepStrictEqual([records.rows.length, records.times.length], [count, count]);
  new ElementEncoder(codecs).encode(element);
}

void t.test(
  `EX2: ${inputs} damaged elements (seed ${seed}) are refused by code, or read whole`,
  async (t) => {
    const random = seededRandom(seed);
    const codecs = new ThreadCodecs({ codeGeneration: 'never' });
    const channels = Array.from({ length: 16 }, () => {
      const encoder = new ElementEncoder(codecs);
      return elements(random).map((element) => encoder.encode(element));
    });
    let refused = 0;
    for (let input = 0; input < inputs; input++) {
      const sent = channels[input % channels.length] as readonly Uint8Array[];
      const decoder = new ElementDecoder(input % 500 === 0 ? new ThreadCodecs() : codecs);
      const target = Math.floor(random() * sent.length);
      for (const bytes of sent.slice(0, target)) decoder.decode(bytes.slice());
      const bytes = damaged(sent[target] as Uint8Array, random);
      const copy = Buffer.from(bytes);
      try {
        read(decoder.decode(bytes), codecs);
      } catch (error) {
        refused++;
        if (!hasCode(error, 'MR_FRAME_CORRUPT')) {
          t.fail(`input ${input}: ${String(error)}`, { bytes: copy.toString('base64'), target });
          throw error;
        }
      }
      if (input % 500 === 0) await turn();
    }
    t.ok(refused > inputs / 2 && refused < inputs, `${refused} refused`);
  },
);

void t.test('EX2: bytes from nowhere are refused', async (t) => {
  const random = seededRandom(seed);
  for (let input = 0; input < 2_000; input++) {
    const bytes = Uint8Array.from({ length: Math.floor(random() * 200) }, () => Math.floor(random() * 256));
    t.throws(() => new ElementDecoder().decode(bytes), { code: 'MR_FRAME_CORRUPT' }, { diagnostic: false });
  }
});

void t.test('EX2: few bytes cannot ask for much memory', async (t) => {
  const one = (records: Records) => new ElementEncoder().encode({ kind: 'records', records });
  const deep = Array.from({ length: 100 }).reduce<Record<string, unknown>>(
    (inner, _, i) => ({ [`f${i}`]: i, ...inner }),
    {},
  );
  const claims: readonly (readonly [string, Uint8Array])[] = [
    ['constant columns', one(rowRecords([deep, deep], [1, 1]))],
    ['rows of nothing', one(rowRecords([{ a: null, b: { c: {}, d: {} } }], [1]))],
    ['values', one(rowRecords([[[[[]]]]], [1]))],
  ];
  for (const [what, bytes] of claims) {
    new DataView(bytes.buffer).setUint32(12, RECORDS_MAX, true);
    const before = process.memoryUsage();
    t.throws(() => new ElementDecoder().decode(bytes), { code: 'MR_FRAME_CORRUPT' }, what);
    const after = process.memoryUsage();
    t.ok(after.heapUsed + after.external - before.heapUsed - before.external < 32 * 1024 * 1024, what);
  }
  // An array in an array …, each of which claims to hold as many values as there are bytes left.
  const claim = 4_000_000;
  const bytes = one(rowRecords([new Uint8Array(claim)], [1]));
  const body = Buffer.from(bytes.buffer);
  for (let level = 0, at = body.indexOf(Buffer.from([10, 0])); level < 60; level++, at += 5)
    body.set([11, 0x80, 0x88, 0xf4, 0x01], at);
  const before = process.memoryUsage().heapTotal;
  t.throws(() => new ElementDecoder().decode(bytes), { code: 'MR_FRAME_CORRUPT' });
  t.ok(process.memoryUsage().heapTotal - before < 256 * 1024 * 1024);
});
