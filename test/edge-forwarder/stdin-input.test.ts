import { Readable } from 'node:stream';
import fc from 'fast-check';
import t from 'tap';
import type { InputPort } from '../../edge-forwarder/input.ts';
import { stdinInput } from '../../edge-forwarder/stdin-input.ts';
import { BatchBuilder, eventTime, f64, type Infer, nullable, schema, string } from '#wire';

const Row = schema('row', { ts: eventTime(1), id: string(2), v: nullable(f64(3)) });
type Row = Infer<typeof Row>;

interface Seen {
  readonly accepted: Row[];
  readonly rejected: { readonly line: number; readonly reason: string; readonly text: string }[];
  lines: number;
}

/** Feeds the bytes in the given pieces, into a port that checks rows as the real one does. */
async function feed(
  pieces: readonly Uint8Array[],
  more: { readonly lineBytesMax?: number; readonly resumeAt?: number } = {},
): Promise<Seen> {
  const seen: Seen = { accepted: [], rejected: [], lines: 0 };
  const builder = new BatchBuilder(Row);
  const port: InputPort<Row> = {
    position: more.resumeAt ?? 0,
    accept(row) {
      builder.append(row);
      seen.accepted.push(row);
      seen.lines++;
    },
    reject: (reason, text) => seen.rejected.push({ line: seen.lines++, reason, text }),
    skip: () => seen.lines++,
    blocked: () => null,
  };
  const stream = Readable.from(pieces.map((piece) => Buffer.from(piece)));
  const { lineBytesMax = 1_000, resumeAt } = more;
  await stdinInput({ stream, schema: Row, lineBytesMax, resume: resumeAt !== undefined }).run(
    port,
    new AbortController().signal,
  );
  return seen;
}

const text = (value: string) => [Buffer.from(value)];

await t.test('JSON lines become rows; the last needs no line ending, CR LF counts as one', async (t) => {
  const seen = await feed(text('{"ts":1,"id":"a","v":2}\r\n\n{"ts":"2026-01-31T00:00:00Z","id":"b"}'));
  t.same(seen.accepted, [
    { ts: 1, id: 'a', v: 2 },
    { ts: Date.UTC(2026, 0, 31), id: 'b', v: null },
  ]);
  t.equal(seen.lines, 3, 'the empty line counts as a line');
  t.same(seen.rejected, []);
});

await t.test('bad lines are told apart and never stop it', async (t) => {
  const lines = [
    '{"ts":1,',
    '{"id":"x"}',
    '{"ts":"soon","id":"x"}',
    '{"ts":1,"id":5}',
    '[1]',
    'null',
    `"${'x'.repeat(2_000)}"`,
    '{"ts":9,"id":"ok"}',
  ];
  const bytes = Buffer.concat([Buffer.from(`${lines.join('\n')}\n`), Buffer.from([0x22, 0xff, 0x22, 0x0a])]);
  const seen = await feed([bytes]);
  t.same(seen.accepted, [{ ts: 9, id: 'ok', v: null }]);
  t.equal(seen.rejected.length, 8);
  t.same(
    seen.rejected.map(({ line }) => line),
    [0, 1, 2, 3, 4, 5, 6, 8],
  );
  t.match(seen.rejected[0]?.reason, /not JSON/);
  t.match(seen.rejected[1]?.reason, /'ts'/);
  t.match(seen.rejected[3]?.reason, /'id'/);
  t.match(seen.rejected[6]?.reason, /longer than 1000 bytes/);
  t.match(seen.rejected[7]?.reason, /UTF-8/);
});

await t.test('a resumed feed skips exactly the lines that are stored, whatever they were', async (t) => {
  const lines = ['{"ts":1,"id":"a"}', 'bad', '', 'y'.repeat(3_000), '{"ts":2,"id":"b"}', '{"ts":3,"id":"c"}'];
  for (let from = 0; from <= lines.length; from++) {
    const all = await feed(text(`${lines.join('\n')}\n`));
    const rest = await feed(text(`${lines.join('\n')}\n`), { resumeAt: from });
    t.equal(rest.lines, all.lines - from, `from line ${from}`);
    t.same(
      rest.accepted,
      all.accepted.filter(({ ts }) => ts >= [1, 2, 2, 2, 2, 3, 4][from]!),
    );
  }
});

await t.test('any bytes in any pieces give the same as the whole at once, line by line', async () => {
  const line = fc.oneof(
    fc
      .record({
        ts: fc.integer({ min: 0, max: 1e12 }),
        id: fc.string({ unit: 'grapheme' }),
        v: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true })),
      })
      .map((row) => Buffer.from(JSON.stringify(row))),
    fc.uint8Array({ maxLength: 90 }).map((bytes) => Buffer.from(bytes)),
    fc.json({ maxDepth: 2 }).map((json) => Buffer.from(json)),
    fc.integer({ min: 60, max: 70 }).map((n) => Buffer.alloc(n, 'z')),
  );
  const ending = fc.constantFrom('\n', '\r\n');
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(line, ending), { maxLength: 12 }),
      fc.boolean(),
      fc.infiniteStream(fc.integer({ min: 1, max: 40 })),
      async (lines, cut, sizes) => {
        const whole = Buffer.concat(lines.flatMap(([bytes, end]) => [bytes, Buffer.from(end)]));
        const bytes = cut ? whole.subarray(0, -1) : whole;
        const pieces: Buffer[] = [];
        for (let at = 0; at < bytes.length; ) {
          const size = sizes.next().value;
          pieces.push(bytes.subarray(at, at + size));
          at += size;
        }
        const parts = await feed(pieces, { lineBytesMax: 64 });
        const once = await feed([bytes], { lineBytesMax: 64 });
        if (JSON.stringify(parts) !== JSON.stringify(once)) throw new Error('pieces matter');
        if (parts.lines !== countLines(bytes))
          throw new Error(`${parts.lines} lines seen of ${countLines(bytes)}`);
      },
    ),
    { numRuns: 150 },
  );
});

function countLines(bytes: Buffer): number {
  const ends = bytes.filter((byte) => byte === 10).length;
  return bytes.length === 0 || bytes.at(-1) === 10 ? ends : ends + 1;
}
