import t from 'tap';
import { ColumnsInUse } from '../../../engine/wire/decoded-batch.ts';
import {
  BatchBuilder,
  decodeFrame,
  encodeFrame,
  eventTime,
  f64,
  readEnvelope,
  schema,
  string,
  verifyFrame,
} from '#wire';
import { resigned, withColumnCrcs } from '../../support/frame-signing.ts';

const Reading = schema('reading', { ts: eventTime(1), device: string(2), value: f64(3), note: string(4) });
const DEVICE = 1;
const VALUE = 2;
const NOTE = 3;
/** More than are decoded whole. */
const FRAMES = 40;

function frameOf(first: number): Uint8Array {
  const builder = new BatchBuilder(Reading);
  for (let i = 0; i < 10; i++)
    builder.append({ ts: first + i, device: `d${i % 3}`, value: i / 4, note: `n${i}` });
  return encodeFrame(builder.finish(), { producer: 'edge', epoch: 1, prev: first - 1, first });
}

/** The frame with the last code of a string column beyond its dictionary, and CRCs that say that it must be so. */
function brokenIn(column: number, frame: Uint8Array): Uint8Array {
  const bytes = Buffer.from(frame);
  const { headerBytes } = readEnvelope(frame);
  let at = headerBytes + 8 + 4 * 24;
  for (let c = 0; c <= column; c++) at += (bytes.readUInt32LE(headerBytes + 8 + c * 24 + 8) + 7) & ~7;
  const padding = -bytes.readUInt32LE(headerBytes + 8 + column * 24 + 8) & 7;
  bytes.writeUInt16LE(999, at - padding - 2);
  return resigned(bytes);
}

/** Reads frames as a job does that looks at two columns of each. */
function reader() {
  const inUse = new ColumnsInUse();
  return (frame: Uint8Array) => {
    const { batch } = decodeFrame(frame, () => Reading, inUse);
    for (const c of [DEVICE, VALUE]) batch.column(c);
    return batch;
  };
}

void t.test(
  'CU1: what a stream is read for is checked with each frame, the rest when it is asked for',
  async (test) => {
    const read = reader();
    for (const column of [DEVICE, NOTE])
      test.throws(
        () => read(brokenIn(column, frameOf(1))),
        { code: 'MR_FRAME_CORRUPT' },
        'first frames are checked whole',
      );
    for (let f = 0; f < FRAMES; f++) read(frameOf(1 + 10 * f));
    test.throws(() => read(brokenIn(DEVICE, frameOf(1_001))), { code: 'MR_FRAME_CORRUPT' });
    const batch = read(brokenIn(NOTE, frameOf(1_011)));
    test.throws(() => batch.column(NOTE), { code: 'MR_FRAME_CORRUPT' });
    test.throws(() => read(brokenIn(NOTE, frameOf(1_021))), { code: 'MR_FRAME_CORRUPT' }, 'it is in use now');
  },
);

void t.test(
  'a flipped bit in a column that nobody reads disturbs nobody, and is found where frames are stored',
  async (test) => {
    const damaged = (first: number) => {
      const bytes = Buffer.from(withColumnCrcs(frameOf(first)));
      bytes[bytes.length - 10] = (bytes[bytes.length - 10] as number) ^ 4;
      return new Uint8Array(bytes);
    };
    const corrupt = { code: 'MR_FRAME_CORRUPT', message: /CRC/ };
    const read = reader();
    test.throws(() => read(damaged(1)), corrupt, 'first frames are checked whole');
    for (let f = 0; f < FRAMES; f++) read(withColumnCrcs(frameOf(1 + 10 * f)));
    const batch = read(damaged(1_001));
    const sound = decodeFrame(frameOf(1_001), () => Reading).batch;
    for (const c of [DEVICE, VALUE]) test.strictSame(batch.column(c), sound.column(c));
    test.throws(() => batch.column(NOTE), corrupt, 'who asks for it is told');
    test.throws(() => verifyFrame(damaged(1_011)), corrupt);
    test.throws(() => read(damaged(1_011)), corrupt, 'it is in use now');
  },
);

void t.test('a column is the same however late it is asked for', async (test) => {
  const read = reader();
  for (let f = 0; f < FRAMES; f++) {
    const frame = frameOf(1 + 10 * f);
    const late = read(frame);
    const whole = decodeFrame(frame, () => Reading).batch;
    for (let c = 0; c < Reading.fields.length; c++) {
      test.strictSame(late.column(c), whole.column(c));
      test.equal(late.column(c), late.column(c));
    }
  }
});
