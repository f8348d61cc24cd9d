import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import { hasCode } from '../../../engine/base/errors.ts';
import { type Random, seededRandom } from '../../../engine/base/random.ts';
import {
  BatchBuilder,
  bool,
  bytes,
  decodeFrame,
  encodeFrame,
  eventTime,
  f32,
  f64,
  i32,
  i64,
  nullable,
  obj,
  type RowReader,
  rowReader,
  type Schema,
  schema,
  string,
  time,
  verifyFrame,
} from '../../../engine/wire/index.ts';
import { bodyAt, resigned, withColumnCrcs } from '../../support/frame-signing.ts';

/*
 * Bytes from nowhere and frames made hostile: damaged, then signed again, so that not the CRCs but the decoder's own checks
 * stand against them. Allowed outcomes: an MR_FRAME_* or MR_SCHEMA_* error, or a batch that reads and encodes like any other.
 * MILLRACE_FUZZ_INPUTS sets how many inputs (default 20 000), MILLRACE_FUZZ_SEED replays a run.
 */
const inputs = Number(process.env['MILLRACE_FUZZ_INPUTS'] ?? 20_000);
const seed = Number(process.env['MILLRACE_FUZZ_SEED'] ?? 20_240_229);

if (inputs > 100_000) t.setTimeout(3_600_000);

const All = schema('all', {
  ts: eventTime(1),
  a: f64(2),
  b: f32(3),
  c: i32(4),
  d: i64(5),
  e: bool(6),
  f: nullable(time(7)),
  g: string(8),
  h: nullable(bytes(9)),
  i: nullable(obj<unknown>(10)),
  j: nullable(string(11)),
  k: nullable(f64(12)),
  l: nullable(i32(13)),
});
const Small = schema('small', { ts: eventTime(1), key: string(2), value: nullable(f64(3)) });
const byId = new Map<string, Schema>([All, Small].map((it) => [it.id, it]));
const readers = new Map<string, RowReader<unknown>>(
  [All, Small].map((it) => [it.id, rowReader<unknown>(it)]),
);
const HEADER_BYTES = 104;
const EDGE_WORDS = [
  0, 1, 2, 3, 7, 8, 9, 24, 255, 256, 65_535, 65_536, 65_537, 0x1000000, 0x7fffffff, 0x80000000, 0xfffffff8,
  0xffffffff,
];
const EDGE_DOUBLES = [
  0,
  -0,
  1,
  -1,
  0.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  2 ** 53,
  2 ** 53 + 2,
  8.64e15,
  8.65e15,
  -8.65e15,
  5e-324,
];

await t.test(
  `${inputs} damaged frames (seed ${seed}) are refused by code or read whole, within bounds`,
  async (t) => {
    const random = seededRandom(seed);
    const seeds = seedFrames();
    const outcomes = new Map<string, number>();
    const rssBefore = process.resourceUsage().maxRSS;
    let slowestMs = 0;
    for (let n = 0; n < inputs; n++) {
      // zlib lets go of its handles in the next turn; a loop that never ends one would only measure that.
      if (n % 100 === 0) await turn();
      const frame = damaged(random, seeds);
      const { outcome, cpuMs } = timed(frame);
      // A collection or compilation may have fallen into it; what is slow by itself is slow again.
      if (cpuMs > slowestMs) slowestMs = Math.max(slowestMs, Math.min(cpuMs, timed(frame).cpuMs));
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      if (outcome.startsWith('!'))
        t.fail(`input ${n}: ${outcome}`, { frame: Buffer.from(frame).toString('base64') });
    }
    t.comment(
      `outcomes ${JSON.stringify(Object.fromEntries(outcomes))}, slowest ${slowestMs.toFixed(1)} ms of CPU`,
    );
    for (const reached of [
      'read',
      'MR_FRAME_CORRUPT',
      'MR_FRAME_TRUNCATED',
      'MR_FRAME_TOO_LARGE',
      'MR_SCHEMA_MISMATCH',
      'MR_SCHEMA_UNKNOWN',
    ]) {
      t.ok(outcomes.has(reached), `${reached} was reached`);
    }
    const grownMiB = (process.resourceUsage().maxRSS - rssBefore) / 1024;
    t.ok(grownMiB < 256, `peak memory grew by ${grownMiB.toFixed(0)} MiB`);
    t.ok(slowestMs < 200, `no input took long (${slowestMs.toFixed(1)} ms)`);
  },
);

await t.test(
  'every bit of a small frame, flipped and signed again, is refused by code or read whole',
  async (t) => {
    for (const frame of seedFrames().filter((it) => it.length < 1500)) {
      for (let bit = 64; bit < frame.length * 8; bit++) {
        const bad = frame.slice();
        bad[bit >>> 3] = (bad[bit >>> 3] as number) ^ (1 << (bit & 7));
        const outcome = decode(resigned(bad));
        if (outcome.startsWith('!')) t.fail(`bit ${bit}: ${outcome}`);
      }
    }
    t.pass();
  },
);

await t.test('sizes of 4 GB inside a signed body are refused before anything is allocated', async (t) => {
  const plain = seedFrames()[0] as Uint8Array;
  for (const frame of [plain, withColumnCrcs(plain)]) {
    for (let at = HEADER_BYTES; at < frame.length - 4; at += 4) {
      const bad = Buffer.from(frame);
      bad.writeUInt32LE(0xffffffff, at);
      const signed = resigned(bad);
      const before = process.memoryUsage().arrayBuffers;
      const outcome = decode(signed);
      const grown = process.memoryUsage().arrayBuffers - before;
      if (outcome.startsWith('!') || grown > 4 * 1024 * 1024) t.fail(`at ${at}: ${outcome}, ${grown} bytes`);
    }
  }
  t.pass();
});

function timed(frame: Uint8Array): { readonly outcome: string; readonly cpuMs: number } {
  const start = process.cpuUsage();
  const outcome = decode(frame);
  const { user, system } = process.cpuUsage(start);
  return { outcome, cpuMs: (user + system) / 1000 };
}

/** 'read', the code of the refusal, or '!' and what went wrong. */
function decode(frame: Uint8Array): string {
  const verified = outcomeOf(() => verifyFrame(frame));
  const read = outcomeOf(() => {
    const { batch } = decodeFrame(frame, (id) => byId.get(id));
    const rowOf = readers.get(batch.schema.id) as RowReader<unknown>;
    const builder = new BatchBuilder<unknown>(batch.schema, { codeGeneration: 'never' });
    for (let i = 0; i < batch.count; i++) builder.append(rowOf(batch, i));
    decodeFrame(encodeFrame(batch, { producer: 'p', epoch: 0, prev: 0, first: 1 }), () => batch.schema);
  });
  if (verified.startsWith('!')) return verified;
  return read === 'read' && verified !== 'read' ? `!verified as ${verified}, and yet read` : read;
}

function outcomeOf(act: () => void): string {
  try {
    act();
    return 'read';
  } catch (error) {
    const known = [
      'MR_FRAME_CORRUPT',
      'MR_FRAME_TRUNCATED',
      'MR_FRAME_VERSION',
      'MR_FRAME_TOO_LARGE',
    ] as const;
    if (hasCode(error, ...known, 'MR_SCHEMA_MISMATCH', 'MR_SCHEMA_UNKNOWN')) return error.code;
    return `!${error instanceof Error ? error.stack : String(error)}`;
  }
}

function damaged(random: Random, seeds: readonly Uint8Array[]): Uint8Array {
  const frame = Buffer.from(pick(random, seeds));
  switch (Math.floor(random() * 8)) {
    case 0:
      return Uint8Array.from({ length: Math.floor(random() * 300) }, () => random() * 256);
    case 1:
      return frame.subarray(0, Math.floor(random() * frame.length));
    case 2:
      return scribble(random, frame, 0, frame.length);
    case 3:
      return resigned(scribble(random, frame, 8, HEADER_BYTES));
    case 4:
      return resigned(resized(random, frame));
    case 5:
      return repacked(random, frame);
    default:
      return resigned(scribble(random, frame, HEADER_BYTES, frame.length));
  }
}

/** One to four changes: a bit, a byte, a word or a double that sits at some edge. */
function scribble(random: Random, frame: Buffer, from: number, to: number): Buffer {
  for (let n = Math.ceil(random() * 4); n > 0; n--) {
    const at = from + Math.floor(random() * (to - from));
    const kind = random();
    if (kind < 0.3) frame[at] = (frame[at] as number) ^ (1 << Math.floor(random() * 8));
    else if (kind < 0.5) frame[at] = random() * 256;
    else if (kind < 0.8 && (at & ~3) + 4 <= to) frame.writeUInt32LE(pick(random, EDGE_WORDS), at & ~3);
    else if ((at & ~7) + 8 <= to) frame.writeDoubleLE(pick(random, EDGE_DOUBLES), at & ~7);
  }
  return frame;
}

/** Bytes inserted, removed or copied inside the body, with lengths that agree in the envelope. */
function resized(random: Random, frame: Buffer): Buffer {
  const at = HEADER_BYTES + Math.floor((random() * (frame.length - HEADER_BYTES)) / 8) * 8;
  const extra = frame.subarray(HEADER_BYTES, HEADER_BYTES + 8 * Math.ceil(random() * 4));
  const parts =
    random() < 0.5
      ? [frame.subarray(0, at), extra, frame.subarray(at)]
      : [frame.subarray(0, at), frame.subarray(at + extra.length)];
  const bytes = Buffer.concat(parts);
  const stored = Math.max(0, bytes.length - HEADER_BYTES);
  bytes.writeUInt32LE(Math.max(0, stored - (bodyAt(frame) - HEADER_BYTES)), 20);
  bytes.writeUInt32LE(stored, 24);
  return bytes;
}

/** A body that is damaged before it is compressed. */
function repacked(random: Random, frame: Buffer): Uint8Array {
  const body =
    frame.readUInt16LE(10) === 1
      ? zstdDecompressSync(frame.subarray(HEADER_BYTES))
      : Buffer.from(frame.subarray(bodyAt(frame)));
  const packed = zstdCompressSync(scribble(random, body, 0, body.length), {
    params: { [constants.ZSTD_c_compressionLevel]: 1 },
  });
  const bytes = Buffer.concat([frame.subarray(0, HEADER_BYTES), packed]);
  bytes.writeUInt16LE(1, 8);
  bytes.writeUInt16LE(1, 10);
  bytes.writeUInt32LE(body.length + (random() < 0.1 ? 8 : 0), 20);
  bytes.writeUInt32LE(packed.length, 24);
  return resigned(bytes);
}

function pick<T>(random: Random, values: readonly T[]): T {
  return values[Math.floor(random() * values.length)] as T;
}

function seedFrames(): readonly Uint8Array[] {
  const header = { producer: 'fuzz', epoch: 1, prev: 4, first: 5, watermark: 3 };
  const all = (count: number) => {
    const builder = new BatchBuilder(All);
    for (let n = 0; n < count; n++) {
      builder.append({
        ts: 1_700_000_000_000 + n * 20,
        a: n / 100,
        b: n,
        c: n * 3,
        d: BigInt(n),
        e: n % 3 === 0,
        f: n % 2 === 0 ? null : n,
        g: `device-${n % 5}`,
        h: n % 4 === 0 ? null : Uint8Array.of(n),
        i:
          n % 5 === 0
            ? null
            : {
                n,
                list: [n, 'text', { deep: [true, null, 1.5, new Date(5)] }],
                big: 2n ** 60n,
                none: undefined,
              },
        j: n % 3 === 0 ? null : `note ${n}`,
        k: n % 2 === 0 ? null : Math.sqrt(n),
        l: null,
      });
    }
    return builder.finish();
  };
  const small = new BatchBuilder(Small);
  for (let n = 0; n < 9; n++)
    small.append({ ts: n, key: `ключ ${n % 4}`, value: n % 2 === 0 ? null : n / 3 });
  const smallBatch = small.finish();
  // Numbers too far apart for 16 bits.
  for (let n = 0; n < 9; n++)
    small.append({ ts: 1_700_000_000_000 + n * 86_400_000, key: 'k', value: n * 12_345.67 });
  const wide = small.finish();
  // Too small to be compressed, so that its codes by first use lie open.
  for (let n = 0; n < 6; n++) small.append({ ts: n, key: `k${n % 3}`, value: null });
  const firstUse = small.finish();
  return [
    encodeFrame(all(12), header),
    encodeFrame(all(1), header),
    encodeFrame(all(300), { ...header, compression: 'zstd' }),
    encodeFrame(all(300), header),
    encodeFrame(smallBatch, header),
    withColumnCrcs(encodeFrame(smallBatch, header)),
    encodeFrame({ ...smallBatch, count: 1 }, header),
    encodeFrame(wide, header),
    encodeFrame(firstUse, { ...header, compression: 'zstd' }),
  ];
}
