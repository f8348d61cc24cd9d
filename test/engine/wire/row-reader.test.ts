import { deepStrictEqual } from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { BatchBuilder, rowReader } from '../../../engine/wire/index.ts';
import { tables } from '../../support/wire-arbitraries.ts';

await t.test('generated and interpreted readers give the same rows, fields in schema order', async (t) => {
  fc.assert(
    fc.property(tables(), ({ schema, rows }) => {
      const builder = new BatchBuilder(schema);
      for (const row of rows) builder.append(row);
      const batch = builder.finish();
      const generated = rowReader(schema);
      const interpreted = rowReader(schema, { codeGeneration: 'never' });
      for (let i = 0; i < batch.count; i++) {
        deepStrictEqual(generated(batch, i), rows[i]);
        deepStrictEqual(interpreted(batch, i), rows[i]);
        deepStrictEqual(
          JSON.stringify(Object.keys(generated(batch, i))),
          JSON.stringify(Object.keys(interpreted(batch, i))),
        );
      }
      deepStrictEqual(
        new Set(Object.keys(generated(batch, 0))),
        new Set(schema.fields.map((field) => field.name)),
      );
    }),
    { numRuns: 300 },
  );
  t.pass();
});
