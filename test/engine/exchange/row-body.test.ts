import t from 'tap';
import { decodeRows, encodeRows } from '../../../engine/exchange/row-body.ts';
import { RowCodec } from '../../../engine/exchange/row-codec.ts';
import { NOTHING, widened } from '../../../engine/exchange/row-shape.ts';
import { BodyWriter } from '../../../engine/wire/body-writer.ts';
import { BODY_HEADER_BYTES, COLUMN_ENTRY_BYTES, ENCODING } from '../../../engine/wire/frame-layout.ts';

await t.test('rows are read whichever form their numbers have', async (t) => {
  const rows = Array.from({ length: 64 }, (_, i) => ({ a: i, b: 2 * i, c: 3 * i, d: 65_535 - i }));
  const times = Float64Array.from(rows, (_, i) => 1000 * i);
  const codec = new RowCodec(widened(NOTHING, rows), {});
  const writer = new BodyWriter();
  t.ok(encodeRows(codec, rows, times, writer));
  const body = shortened(writer.bytes.slice(0, writer.length), rows.length);
  const back = decodeRows(codec, body, rows.length);
  t.same(back.rows, rows);
  t.same([...back.times], [...times]);
});

/** A body of whole numbers in 32 bits, from 0 to 65 535, with the same numbers in 16. */
function shortened(body: Uint8Array, count: number): Uint8Array {
  const view = new DataView(body.buffer);
  const columns = view.getUint32(0, true);
  const from = BODY_HEADER_BYTES + columns * COLUMN_ENTRY_BYTES;
  const parts = [body.subarray(0, from)];
  for (let c = 0; c < columns; c++) {
    const entry = BODY_HEADER_BYTES + c * COLUMN_ENTRY_BYTES;
    const ints = new Int32Array(body.buffer, from + c * count * 4, count);
    view.setUint8(entry + 3, ENCODING.short);
    view.setUint32(entry + 8, count * 2, true);
    parts.push(new Uint8Array(Uint16Array.from(ints).buffer));
  }
  return new Uint8Array(Buffer.concat(parts));
}
