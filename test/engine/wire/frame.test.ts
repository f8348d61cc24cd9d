import { deepStrictEqual } from 'node:assert/strict';
import { crc32, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import t from 'tap';
import { type ErrorCode, hasCode } from '../../../engine/base/errors.ts';
import { LIMITS } from '../../../engine/base/limits.ts';
import type { Batch, Column } from '../../../engine/wire/batch.ts';
import {
  BatchBuilder,
  decodeFrame,
  encodeFrame,
  eventTime,
  FRAME_CRC_AT,
  FRAME_EPOCH_AT,
  FRAME_FIRST_AT,
  FRAME_LAST_AT,
  FRAME_PREV_AT,
  FRAME_PRODUCER_AT,
  FRAME_PRODUCER_BYTES_AT,
  FRAME_RECORDS_AT,
  f32,
  f64,
  nullable,
  obj,
  readEnvelope,
  restampFrame,
  rowReader,
  type Schema,
  schema,
  string,
  verifyFrame,
} from '../../../engine/wire/index.ts';
import { bodyAt, resigned, withColumnCrcs } from '../../support/frame-signing.ts';
import { tables } from '../../support/wire-arbitraries.ts';

const Reading = schema('reading', {
  ts: eventTime(1),
  device: string(2),
  value: f64(3),
  note: nullable(string(4)),
});
const from = { producer: 'edge-1', epoch: 3, prev: 10, first: 11 };

await t.test('every table comes back from its frame bit by bit, and its frame from the table', async (t) => {
  fc.assert(
    fc.property(tables(), fc.constantFrom('none', 'zstd'), ({ schema: any, rows }, compression) => {
      const batch = batchOf(any, rows);
      const frame = encodeFrame(batch, { ...from, compression });
      const { batch: back, envelope } = decodeFrame(frame.slice(), () => any);
      deepStrictEqual(rowsOf(back), rows);
      deepStrictEqual(rowsOf(batch), rows);
      deepStrictEqual(encodeFrame(back, { ...from, compression }), frame);
      const byColumn = withColumnCrcs(encodeFrame(batch, from));
      deepStrictEqual(rowsOf(decodeFrame(byColumn, () => any).batch), rows);
      deepStrictEqual(verifyFrame(byColumn).records, rows.length);
      const times = rows.map(
        (row) => (row as Record<string, number>)[any.fields[any.timeIndex]?.name ?? ''] as number,
      );
      deepStrictEqual(
        [envelope.minTime + 0, envelope.maxTime + 0],
        [Math.min(...times) + 0, Math.max(...times) + 0],
      );
    }),
    { numRuns: 400 },
  );
  t.pass();
});

await t.test('a frame of 65 536 records with as many distinct strings comes back', async (t) => {
  const rows = Array.from({ length: LIMITS.frameRecordsMax }, (_, i) => reading(i, `device-${i}`, i / 7));
  const frame = encodeFrame(batchOf(Reading, rows), { ...from, compression: 'zstd' });
  t.same(rowsOf(decodeFrame(frame, () => Reading).batch), rows);
});

await t.test('what scripts read from an envelope stands at the documented places', async (t) => {
  const frame = encodeFrame(batchOf(Reading, [reading(5), reading(9)]), {
    ...from,
    producer: 'kanté',
    watermark: 4,
  });
  const bytes = Buffer.from(frame);
  t.equal(bytes.readUInt32LE(FRAME_RECORDS_AT), 2);
  t.equal(bytes.readDoubleLE(FRAME_EPOCH_AT), 3);
  t.equal(bytes.readDoubleLE(FRAME_PREV_AT), 10);
  t.equal(bytes.readDoubleLE(FRAME_FIRST_AT), 11);
  t.equal(bytes.readDoubleLE(FRAME_LAST_AT), 12);
  const length = bytes.readUInt16LE(FRAME_PRODUCER_BYTES_AT);
  t.equal(bytes.toString('utf8', FRAME_PRODUCER_AT, FRAME_PRODUCER_AT + length), 'kanté');
  const envelope = readEnvelope(frame);
  t.equal(bytes.readUInt32LE(FRAME_CRC_AT), envelope.frameCrc);
  t.equal(crc32(bytes.subarray(8, envelope.headerBytes)), envelope.frameCrc);
  t.match(envelope, {
    producer: 'kanté',
    epoch: 3,
    prev: 10,
    first: 11,
    last: 12,
    minTime: 5,
    maxTime: 9,
    watermark: 4,
  });
  t.equal(envelope.schemaId, Reading.id);
});

await t.test('the frame CRC stands for the payload too', async (t) => {
  const a = encodeFrame(batchOf(Reading, [reading(5, 'a', 1)]), from);
  const b = encodeFrame(batchOf(Reading, [reading(5, 'a', 2)]), from);
  t.not(readEnvelope(a).frameCrc, readEnvelope(b).frameCrc);
});

await t.test('plain columns of an aligned frame are views of it; an unaligned frame is copied', async (t) => {
  const rows = Array.from({ length: 10 }, (_, i) => reading(i, 'a', Math.PI * i));
  const frame = encodeFrame(batchOf(Reading, rows), from);
  const values = (bytes: Uint8Array) => {
    const column = decodeFrame(bytes, () => Reading).batch.column(2);
    return column.kind === 'f64' ? column.values : new Float64Array();
  };
  t.equal(values(frame).buffer, frame.buffer);
  const shifted = new Uint8Array(frame.length + 1).subarray(1);
  shifted.set(frame);
  t.not(values(shifted).buffer, shifted.buffer);
  t.same([...values(shifted)], [...values(frame)]);
});

await t.test(
  'what a batch encodes to does not depend on garbage at its nulls, in its bitmap or its dictionary',
  async (t) => {
    const clean = batchOf(Reading, [
      reading(1, 'a', 1, 'x'),
      reading(2, 'b', 2, null),
      reading(3, 'b', 3, 'y'),
    ]);
    const note = clean.column(3);
    if (note.kind !== 'string' || note.nulls === null) throw new Error('note has nulls');
    const dirtyNote: Column = {
      ...note,
      codes: Uint16Array.of(0, 1, 1, 9),
      nulls: Uint8Array.of(0b11111010, 255),
    };
    const dirty: Batch = {
      ...clean,
      column: (c) => (c === 3 ? dirtyNote : clean.column(c)),
    };
    t.same(encodeFrame({ ...clean, count: 2 }, from), encodeFrame({ ...dirty, count: 2 }, from));
    const { batch } = decodeFrame(encodeFrame({ ...dirty, count: 2 }, from), () => Reading);
    const decoded = batch.column(3);
    t.equal(
      decoded.kind === 'string' ? decoded.dictionary.size : -1,
      1,
      'entries that no record uses do not travel',
    );
  },
);

await t.test('columns have CRCs of their own where a plain frame has many bytes for each', async (t) => {
  const rows = Array.from({ length: 1000 }, (_, i) => reading(i * i, `device-${i}`, i / 7, `note ${i % 10}`));
  const frame = encodeFrame(batchOf(Reading, rows), from);
  t.equal(Buffer.from(frame).readUInt16LE(8), 2);
  t.equal(readEnvelope(frame).columnCrcBytes, 16);
  t.same(resigned(frame), Buffer.from(frame));
  t.same(rowsOf(decodeFrame(frame, () => Reading).batch), rows);
  const stamped = restampFrame(frame, { epoch: 4, prev: 0 });
  t.equal(verifyFrame(stamped).epoch, 4);
  t.same(rowsOf(decodeFrame(stamped, () => Reading).batch), rows);
  for (const [few, compression] of [
    [rows.slice(0, 10), 'none'],
    [rows, 'zstd'],
  ] as const)
    t.equal(readEnvelope(encodeFrame(batchOf(Reading, few), { ...from, compression })).columnCrcBytes, 0);
});

await t.test('CRCs of columns that are too few, too many or none are refused', async (t) => {
  const frame = withColumnCrcs(encodeFrame(batchOf(Reading, [reading(1), reading(2)]), from));
  const { headerBytes, bodyBytes } = readEnvelope(frame);
  const payload = frame.subarray(bodyAt(frame));
  for (const crcBytes of [0, 8, 12, 24]) {
    const bytes = Buffer.concat([frame.subarray(0, headerBytes), Buffer.alloc(crcBytes), payload]);
    bytes.writeUInt32LE(bodyBytes + crcBytes, 24);
    t.ok(refused(resigned(bytes), 'MR_FRAME_CORRUPT'), `${crcBytes} bytes`);
  }
  const bodiless = Buffer.from(frame.subarray(0, bodyAt(frame)));
  bodiless.writeUInt32LE(0, 20);
  bodiless.writeUInt32LE(16, 24);
  t.ok(refused(resigned(bodiless), 'MR_FRAME_CORRUPT'), 'no body');
  const packed = Buffer.from(frame);
  packed.writeUInt16LE(1, 10);
  t.ok(refused(resigned(packed), 'MR_FRAME_CORRUPT'), 'of a compressed body');
  for (const version of [0, 3]) {
    const other = Buffer.from(frame);
    other.writeUInt16LE(version, 8);
    t.ok(refused(resigned(other), 'MR_FRAME_VERSION'), `version ${version}`);
  }
});

await t.test('zstd is used only where it saves an eighth', async (t) => {
  const same = Array.from({ length: 500 }, (_, i) => reading(i, 'device', i % 10));
  const packed = encodeFrame(batchOf(Reading, same), { ...from, compression: 'zstd' });
  t.equal(readEnvelope(packed).compression, 'zstd');
  t.ok(packed.length < readEnvelope(packed).bodyBytes / 2);
  t.equal(
    readEnvelope(encodeFrame(batchOf(Reading, same.slice(0, 1)), { ...from, compression: 'zstd' }))
      .compression,
    'none',
  );
});

await t.test('every single flipped bit and every truncation of a frame is noticed', async (t) => {
  const rows = Array.from({ length: 60 }, (_, i) =>
    reading(i * 10, `device-${i % 7}`, i / 3, i % 2 ? 'note' : null),
  );
  const plain = encodeFrame(batchOf(Reading, rows), from);
  const frames = {
    plain,
    zstd: encodeFrame(batchOf(Reading, rows), { ...from, compression: 'zstd' }),
    'by column': withColumnCrcs(plain),
  };
  for (const [form, frame] of Object.entries(frames)) {
    for (let bit = 0; bit < frame.length * 8; bit++) {
      const bad = frame.slice();
      bad[bit >>> 3] = (bad[bit >>> 3] as number) ^ (1 << (bit & 7));
      for (const check of [decode, verifyFrame]) {
        if (!refusedBy(check, bad, 'MR_FRAME_CORRUPT', 'MR_FRAME_VERSION', 'MR_FRAME_TRUNCATED'))
          t.fail(`bit ${bit} of ${form}, by ${check.name}`);
      }
    }
    for (let length = 0; length < frame.length; length++) {
      if (!refused(frame.slice(0, length), 'MR_FRAME_TRUNCATED')) t.fail(`length ${length} of ${form}`);
    }
    t.ok(refused(Uint8Array.from([...frame, 0]), 'MR_FRAME_CORRUPT'), 'so is a byte too many');
    t.equal(verifyFrame(frame).records, 60);
  }
});

await t.test('an unknown schema is named, a wrong one refused', async (t) => {
  const frame = encodeFrame(batchOf(Reading, [reading(1)]), from);
  const Other = schema('other', { ts: eventTime(1), device: string(2) });
  t.throws(() => decodeFrame(frame, () => undefined), {
    code: 'MR_SCHEMA_UNKNOWN',
    message: new RegExp(Reading.id),
  });
  t.throws(() => decodeFrame(frame, () => Other), { code: 'MR_SCHEMA_MISMATCH' });
  t.throws(
    () => decodeFrame(frame, () => ({ ...Other, id: Reading.id })),
    { code: 'MR_SCHEMA_MISMATCH' },
    'columns differ',
  );
  const renumbered = Reading.fields.map((field) => (field.id === 3 ? { ...field, id: 9 } : field));
  t.throws(() => decodeFrame(frame, () => ({ ...Reading, fields: renumbered })), {
    code: 'MR_SCHEMA_MISMATCH',
  });
});

await t.test('headers that cannot be are refused before anything is encoded', async (t) => {
  const batch = batchOf(Reading, [reading(1)]);
  const bad = [
    { producer: '' },
    { producer: 'x'.repeat(129) },
    { producer: '\ud800' },
    { epoch: -1 },
    { epoch: 0.5 },
    { prev: -1 },
    { first: 10 },
    { first: 2 ** 53 },
    { watermark: Number.POSITIVE_INFINITY },
  ];
  for (const part of bad)
    t.throws(
      () => encodeFrame(batch, { ...from, ...part }),
      { code: 'MR_CONFIG_INVALID' },
      JSON.stringify(part),
    );
  t.equal(
    readEnvelope(encodeFrame(batch, { ...from, producer: 'x'.repeat(128), prev: 0, first: 7 })).last,
    7,
    'a hole before first is allowed',
  );
});

await t.test('a restamped frame has the same records after another predecessor', async (t) => {
  const frame = encodeFrame(batchOf(Reading, [reading(1), reading(2)]), from);
  const copy = frame.slice();
  const stamped = restampFrame(frame, { epoch: 4, prev: 0 });
  t.same(frame, copy, 'the original is untouched');
  const { envelope, batch } = decodeFrame(stamped, () => Reading);
  t.match(envelope, { epoch: 4, prev: 0, first: 11, last: 12 });
  t.same(rowsOf(batch), [reading(1), reading(2)]);
  t.throws(() => restampFrame(frame, { epoch: 4, prev: 11 }), { code: 'MR_CONFIG_INVALID' });
});

await t.test(
  'sizes beyond the limits are refused from the envelope, before anything is allocated',
  async (t) => {
    const frame = encodeFrame(batchOf(Reading, [reading(1)]), from);
    const before = process.memoryUsage().arrayBuffers;
    const claims: [at: number, value: number, code: ErrorCode][] = [
      [16, 0xffffffff, 'MR_FRAME_TOO_LARGE'],
      [16, LIMITS.frameRecordsMax + 1, 'MR_FRAME_TOO_LARGE'],
      [16, 0, 'MR_FRAME_CORRUPT'],
      [20, 0xfffffff8, 'MR_FRAME_TOO_LARGE'],
      [20, LIMITS.frameBodyBytesMax + 8, 'MR_FRAME_TOO_LARGE'],
      [24, 0xffffffff, 'MR_FRAME_TRUNCATED'],
      [12, 0xffffffff, 'MR_FRAME_CORRUPT'],
    ];
    for (const [at, value, code] of claims) {
      const bad = Buffer.from(frame);
      bad.writeUInt32LE(value, at);
      t.ok(refused(resigned(bad), code), `${value} at ${at}`);
    }
    t.ok(process.memoryUsage().arrayBuffers - before < 1024 * 1024);
  },
);

await t.test(
  'a compressed body may neither unpack to more than it claims, nor ask for a large window, nor leave a rest',
  async (t) => {
    const bomb = zstdCompressSync(Buffer.alloc(64 * 1024 * 1024));
    // A frame header with a window of 2^27 bytes, then one block: 4096 times the same byte.
    const window = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, (27 - 10) << 3, 0x03, 0x80, 0, 0);
    const plain = encodeFrame(batchOf(Reading, [reading(1)]), from);
    for (const [payload, bodyBytes] of [
      [bomb, 8 * 1024],
      [bomb, LIMITS.frameBodyBytesMax],
      [window, 4096],
      [Buffer.concat([zstdCompressSync(Buffer.alloc(4096)), Buffer.from('rest')]), 4096],
      [zstdCompressSync(Buffer.alloc(4096)), 8192],
      [Buffer.from('not zstd'), 4096],
    ] as const) {
      const frame = withPayload(plain, payload, bodyBytes);
      const peak = process.memoryUsage().arrayBuffers + LIMITS.frameBodyBytesMax * 1.2;
      t.ok(refused(frame, 'MR_FRAME_CORRUPT'), `${payload.length} bytes that claim ${bodyBytes}`);
      t.ok(process.memoryUsage().arrayBuffers < peak);
    }
  },
);

await t.test('a claimed section size beyond 2^31 is refused (it once wrapped around)', async (t) => {
  const frame = Buffer.from(encodeFrame(batchOf(Reading, [reading(1), reading(2)]), from));
  const sizeAt = readEnvelope(frame).headerBytes + 8 + 24 + 8;
  frame.writeUInt32LE((frame.readUInt32LE(sizeAt) | 0x80000000) >>> 0, sizeAt);
  t.ok(refused(resigned(frame), 'MR_FRAME_CORRUPT'));
});

await t.test('a constant f32 that is no f32 is refused (it once was not)', async (t) => {
  const Floats = schema('floats', { ts: eventTime(1), value: f32(2) });
  const frame = Buffer.from(encodeFrame(batchOf(Floats, [{ ts: 1, value: 0.5 }]), from));
  const baseAt = readEnvelope(frame).headerBytes + 8 + 24 + 16;
  t.equal(frame.readDoubleLE(baseAt), 0.5);
  for (const value of [0.1, 1e300]) {
    frame.writeDoubleLE(value, baseAt);
    t.throws(() => decodeFrame(resigned(frame), () => Floats), { code: 'MR_FRAME_CORRUPT' });
  }
});

await t.test('obj cells that would not come back are refused when they are encoded', async (t) => {
  const Free = schema('free', { ts: eventTime(1), any: obj<unknown>(2) });
  const batch = batchOf(Free, [{ ts: 1, any: { fine: true } }]);
  const spoilt: Batch = {
    ...batch,
    column: (c) => (c === 1 ? { kind: 'cells', values: [new Map()], nulls: null } : batch.column(c)),
  };
  t.throws(() => encodeFrame(spoilt, from), {
    code: 'MR_RECORD_INVALID',
    details: { field: 'any', record: 0 },
  });
});

await t.test('a body beyond its limit is refused, and the encoder works on', async (t) => {
  const big = 'x'.repeat(LIMITS.cellBytesMax - 16);
  const rows = Array.from({ length: 17 }, (_, i) => reading(i, `${i}${big}`));
  t.throws(() => encodeFrame(batchOf(Reading, rows), from), { code: 'MR_FRAME_TOO_LARGE' });
  t.same(rowsOf(decodeFrame(encodeFrame(batchOf(Reading, [reading(1)]), from), () => Reading).batch), [
    reading(1),
  ]);
});

function reading(ts: number, device = 'd', value = 1.5, note: string | null = null) {
  return { ts, device, value, note };
}

function batchOf<Row>(of: Schema<Row>, rows: readonly Row[]): Batch<Row> {
  const builder = new BatchBuilder(of);
  for (const row of rows) builder.append(row);
  return builder.finish();
}

function rowsOf(batch: Batch): unknown[] {
  const read = rowReader(batch.schema);
  return Array.from({ length: batch.count }, (_, i) => read(batch, i));
}

function decode(frame: Uint8Array): Batch {
  return decodeFrame(frame, () => Reading).batch;
}

function refused(frame: Uint8Array, ...codes: readonly ErrorCode[]): boolean {
  return refusedBy(decode, frame, ...codes);
}

function refusedBy(
  check: (frame: Uint8Array) => unknown,
  frame: Uint8Array,
  ...codes: readonly ErrorCode[]
): boolean {
  try {
    check(frame);
    return false;
  } catch (error) {
    if (hasCode(error, ...codes)) return true;
    throw error;
  }
}

/** `frame` with another, compressed payload, signed. */
function withPayload(frame: Uint8Array, payload: Uint8Array, bodyBytes: number): Uint8Array {
  const { headerBytes } = readEnvelope(frame);
  const bytes = Buffer.concat([frame.subarray(0, headerBytes), payload]);
  bytes.writeUInt16LE(1, 10);
  bytes.writeUInt32LE(bodyBytes, 20);
  bytes.writeUInt32LE(payload.length, 24);
  return resigned(bytes);
}
