import { deepStrictEqual } from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import type { Batch } from '../../../engine/wire/batch.ts';
import { BatchBuilder } from '../../../engine/wire/batch-builder.ts';
import type { GenerationOptions } from '../../../engine/wire/code-generation.ts';
import { decodeFrame, encodeFrame } from '../../../engine/wire/frame.ts';
import { JsonScanner } from '../../../engine/wire/json-scanner.ts';
import { parseJsonRecord } from '../../../engine/wire/record-parser.ts';
import { rowReader } from '../../../engine/wire/row-reader.ts';
import type { Schema } from '../../../engine/wire/schema.ts';
import { FORMS, refusalText } from '../../support/json-scanner-forms.ts';
import { propertyRuns } from '../../support/property-runs.ts';
import { type AnyRow, tables } from '../../support/wire-arbitraries.ts';

/** JSON of a row as its parser takes it, with odd spacing, order and escapes. */
const spelled = (row: AnyRow) =>
  fc
    .tuple(
      fc.shuffledSubarray(Object.keys(row), { minLength: 0 }),
      fc.constantFrom('', ' ', '\n\t'),
      fc.boolean(),
    )
    .map(([keys, gap, escape]) => {
      const parts = keys.map((key) => {
        const value = row[key];
        const json = JSON.stringify(
          typeof value === 'bigint'
            ? String(value)
            : value instanceof Uint8Array
              ? Buffer.from(value).toString('base64')
              : value,
          (_, inner: unknown) => (typeof inner === 'bigint' ? Number(inner) : inner),
        );
        const name = escape
          ? `"${Array.from(key, (c) => (c.length === 1 ? `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}` : c)).join('')}"`
          : JSON.stringify(key);
        return `${gap}${name}${gap}:${gap}${json ?? 'null'}${gap}`;
      });
      return `{${parts.join(',')}}`;
    });

/** Cuts, doubles, replaces and inserts bytes. */
const mutation = fc.record({
  at: fc.nat(),
  kind: fc.constantFrom('none', 'cut', 'drop', 'replace', 'insert', 'double'),
  byte: fc.oneof(
    fc.constantFrom(...Buffer.from('"\\{}[],:0123456789eE+-. \ntfn')),
    fc.integer({ min: 0, max: 255 }),
  ),
});

function mutated(text: Buffer, { at, kind, byte }: { at: number; kind: string; byte: number }): Buffer {
  const p = at % (text.length + 1);
  const [before, after] = [text.subarray(0, p), text.subarray(p)];
  switch (kind) {
    case 'cut':
      return before;
    case 'drop':
      return Buffer.concat([before, after.subarray(1)]);
    case 'replace':
      return Buffer.concat([before, Buffer.of(byte), after.subarray(1)]);
    case 'insert':
      return Buffer.concat([before, Buffer.of(byte), after]);
    case 'double':
      return Buffer.concat([before, after, after]);
    default:
      return text;
  }
}

void t.test(
  'JS1 JS2: equal to JSON.parse, record parser and builder on valid and mutated records of any schema, generated and interpreted',
  async (test) => {
    fc.assert(
      fc.property(
        tables(4).chain(({ schema: of, rows }) =>
          fc.record({
            of: fc.constant(of),
            texts: fc.tuple(...rows.map(spelled)),
            mutations: fc.array(mutation, { minLength: 1, maxLength: 8 }),
          }),
        ),
        ({ of, texts, mutations }) => {
          const inputs = texts.flatMap((text, i) => {
            const whole = Buffer.from(text);
            return [whole, mutated(whole, mutations[i % mutations.length] as (typeof mutations)[number])];
          });
          const reference = new BatchBuilder(of);
          const builders = FORMS.map(() => new BatchBuilder(of));
          const scanners = builders.map(
            (builder, i) => new JsonScanner(builder, FORMS[i] as GenerationOptions),
          );
          for (const input of inputs) {
            const refusal = attempt(() => reference.append(parseJsonRecord(of, input.toString())));
            for (const scanner of scanners)
              deepStrictEqual(
                attempt(() => scanner.append(input)),
                refusal,
              );
          }
          if (reference.count === 0) return;
          const rows = rowsOf(reference.finish(), of);
          for (const builder of builders) deepStrictEqual(rowsOf(builder.finish(), of), rows);
        },
      ),
      { numRuns: propertyRuns(400) },
    );
    test.pass();
  },
);

function attempt(act: () => void): string | null {
  try {
    act();
    return null;
  } catch (error) {
    return refusalText(error);
  }
}

/** Through a frame and back: what the columns hold is encodable too. */
function rowsOf(batch: Batch, of: Schema): unknown[] {
  const frame = encodeFrame(batch, { producer: 'p', epoch: 1, prev: 0, first: 1 });
  const decoded = decodeFrame(frame, (id) => (id === of.id ? of : undefined)).batch;
  const read = rowReader(of);
  return Array.from({ length: decoded.count }, (_, i) => read(decoded, i));
}
