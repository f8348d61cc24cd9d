import fc from 'fast-check';
import t from 'tap';
import { RecordPacker } from '../../../sinks/timeseries/record-packer.ts';
import { decodePoint, recordsOf, storedField } from '../../../sinks/timeseries/series-layout.ts';
import { propertyRuns } from '../../support/property-runs.ts';

const name = fc.oneof(
  fc.constantFrom('n', 'temp', 'é', 'x'.repeat(40), 'x'.repeat(300)),
  fc.string({ maxLength: 5 }),
);
const value = fc.oneof(fc.constantFrom(null, 0, -0, 1, 127, 128, -1, 2 ** 32), fc.double());
const values = fc
  .uniqueArray(fc.tuple(name, value), { maxLength: 20, selector: ([text]) => text })
  .map(
    (fields) =>
      Object.fromEntries(fields.filter(([text]) => text !== '__proto__')) as Record<string, number | null>,
  );
const record = fc.record({
  keyText: fc.oneof(fc.string({ maxLength: 12 }), fc.string({ unit: 'binary', maxLength: 1_024 })),
  end: fc.integer({ min: -8.64e15, max: 8.64e15 }),
  values,
});

await t.test('records come back as they were packed, whatever their keys and fields', async (t) => {
  const packer = new RecordPacker();
  fc.assert(
    fc.property(fc.array(record, { maxLength: 8 }), (records) => {
      for (const { keyText, end, values } of records) packer.add(keyText, end, values);
      const bytes = packer.take();
      const read = [...recordsOf(bytes)].map(({ keyText, point }) => ({
        keyText,
        point: decodePoint(7, point),
      }));
      const written = records.map(({ keyText, end, values }) => ({
        keyText: Buffer.from(keyText).toString(),
        point: { start: 7, end, values },
      }));
      t.strictSame(read, written);
      const field = storedField(Buffer.concat([Buffer.from('12 '), bytes]));
      t.equal(field.order, 12);
      t.equal([...field.records].length, records.length);
    }),
    { numRuns: propertyRuns(200) },
  );
});
