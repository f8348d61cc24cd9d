import fc from 'fast-check';
import t from 'tap';
import {
  eventTime,
  f64,
  nullable,
  parseSchemaText,
  schema,
  schemaOf,
  schemaText,
  string,
} from '../../../engine/wire/schema.ts';
import { schemas } from '../../support/wire-arbitraries.ts';

await t.test('a schema comes back from its text with the same id', async (t) => {
  fc.assert(
    fc.property(schemas(), (any) => {
      const back = parseSchemaText(schemaText(any));
      return back.id === any.id && schemaText(back) === schemaText(any) && back.timeIndex === any.timeIndex;
    }),
  );
  t.pass();
});

await t.test('the id is the content: equal wherever it is made, other when anything differs', async (t) => {
  const make = () => schema('a', { ts: eventTime(1), v: f64(2) });
  t.equal(make().id, make().id);
  t.equal(make().id, '44a03b19e22c2420', 'as it was in the first release');
  t.not(make().id, schema('b', { ts: eventTime(1), v: f64(2) }).id);
  t.not(make().id, schema('a', { ts: eventTime(1), v: nullable(f64(2)) }).id);
  t.not(make().id, schema('a', { ts: eventTime(1), v: f64(3) }).id);
  t.not(make().id, schema('a', { v: f64(2), ts: eventTime(1) }).id);
});

await t.test('schemas that cannot be are refused', async (t) => {
  const ts = { name: 'ts', ...eventTime(1) };
  const wrong = [
    [],
    [{ name: 'v', ...f64(1) }],
    [ts, { ...ts, name: 'second', id: 2 }],
    [ts, { name: 'v', ...f64(1) }],
    [ts, { name: 'ts', ...f64(2) }],
    [ts, { name: '', ...f64(2) }],
    [ts, { name: 'x'.repeat(129), ...f64(2) }],
    [ts, { name: '__proto__', ...f64(2) }],
    [ts, { name: 'v', ...f64(0) }],
    [ts, { name: 'v', ...f64(65_536) }],
    [ts, { name: 'v', ...f64(1.5) }],
    [ts, { name: 'v', ...string(2), type: 'text' as 'string' }],
    [{ ...ts, nullable: true }],
    [ts, ...Array.from({ length: 512 }, (_, i) => ({ name: `v${i}`, ...f64(i + 2) }))],
  ];
  for (const [i, fields] of wrong.entries())
    t.throws(() => schemaOf('s', fields), { code: 'MR_SCHEMA_INVALID' }, `${i}`);
  t.throws(() => schemaOf('', [ts]), { code: 'MR_SCHEMA_INVALID' });
  for (const text of ['', '{}', '[]', 'null', '{"name":"a","fields":[1]}', '{"name":"a","fields":{}}']) {
    t.throws(() => parseSchemaText(text), { code: 'MR_SCHEMA_INVALID' }, text);
  }
});
