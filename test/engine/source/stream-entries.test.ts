import fc from 'fast-check';
import t from 'tap';
import { type StreamEntries, streamsOf } from '../../../engine/source/stream-entries.ts';
import { propertyRuns } from '../../support/property-runs.ts';
import { encodedReply, type PlainReply, scannedReply } from '../../support/resp.ts';

const text = (value: string) => Buffer.from(value);
const bytes = fc.uint8Array({ maxLength: 20 }).map((array) => Buffer.from(array));
const name = fc.constantFrom('data', 'dat', 'data2', 'größe', '').map(text);
const entry = fc.record({
  id: fc.tuple(fc.maxSafeNat(), fc.nat()).map(([ms, seq]) => `${ms}-${seq}`),
  fields: fc.array(fc.tuple(name, bytes), { maxLength: 4 }).map((pairs) => pairs.flat()),
});
const streams = fc.uniqueArray(
  fc.record({ key: fc.string({ unit: 'grapheme' }), entries: fc.array(entry, { maxLength: 5 }) }),
  { selector: ({ key }) => key, maxLength: 4 },
);
const streamsIn = (reply: PlainReply) => streamsOf(scannedReply(encodedReply(reply)));

void t.test('streams, ids, fields and the first field of a name are those of the reply', async (test) => {
  fc.assert(
    fc.property(streams, (given) => {
      const reply = given.map(({ key, entries }) => [
        text(key),
        entries.map(({ id, fields }) => [text(id), fields]),
      ]);
      const found = streamsIn(reply);
      test.strictSame(
        [...found.keys()],
        given.map(({ key }) => key),
      );
      for (const { key, entries } of given) {
        const it = found.get(key) as StreamEntries;
        const all = entries.flatMap(({ fields }) => fields);
        if (it.length !== entries.length || it.fieldBytes !== Buffer.concat(all).length) return false;
        if (it.at(-1) !== entries.at(-1)?.id || it.at(entries.length) !== undefined) return false;
        for (const [i, { id, fields }] of entries.entries()) {
          test.strictSame([it.at(i), it.fields(i)], [id, fields]);
          const at = fields.findIndex((field, f) => f % 2 === 0 && field.toString() === 'data');
          const value = it.find(i, text('data'));
          if (value < 0 !== at < 0) return false;
          if (
            value >= 0 &&
            !it.reply.bytes.subarray(it.start(value), it.end(value)).equals(fields[at + 1] as Buffer)
          )
            return false;
        }
      }
      return true;
    }),
    { numRuns: propertyRuns(200) },
  );
});

void t.test('a reply of another form is refused', async (test) => {
  const key = text('s');
  const id = text('1-0');
  const wrong: readonly PlainReply[] = [
    7,
    [7],
    [[key]],
    [[key, null]],
    [[key, [id]]],
    [[key, [[id]]]],
    [[key, [[id, null]]]],
    [[key, [[id, [key]]]]],
    [[key, [[[id], [key, key]]]]],
    [[key, [[id, [key, [key]]]]]],
  ];
  for (const reply of wrong) test.throws(() => streamsIn(reply), /unknown form/, JSON.stringify(reply));
});
