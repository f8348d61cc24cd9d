import { Packr } from 'msgpackr';
import t from 'tap';
import { CELL_DEPTH_MAX, objCellBytes, packObjCell, unpackObjCell } from '../../../engine/wire/obj-cell.ts';

await t.test('the measured size is never below the packed one', async (t) => {
  for (const value of [
    0,
    -1,
    2 ** 40,
    1.5,
    'ß'.repeat(300),
    [1, [2]],
    { a: { b: 'c' } },
    new Date(),
    2n ** 63n - 1n,
    undefined,
    new Uint8Array(300),
  ]) {
    t.ok(Number(objCellBytes([value])) >= packObjCell([value]).length, typeof value);
  }
});

await t.test('extensions that build more than plain values are refused unread', async (t) => {
  const generous = new Packr({ structuredClone: true, moreTypes: true });
  for (const value of [
    /a+/,
    new Set([1]),
    new Map([[1, 2]]),
    new Error('x'),
    new Float64Array(2),
    2n ** 80n,
  ]) {
    t.equal(unpackObjCell(generous.pack([value])), undefined, value.constructor.name);
  }
  t.equal(
    unpackObjCell(new Packr({ useRecords: true }).pack({ a: 1 })),
    undefined,
    'records with shared structure',
  );
  t.equal(unpackObjCell(Uint8Array.of(0x81, 0x01, 0x01)), undefined, 'keys that are not strings');
  t.equal(unpackObjCell(Uint8Array.of(0xc1)), undefined);
});

await t.test('claimed lengths beyond the bytes, rests and deep nests are refused', async (t) => {
  for (const head of [0xdd, 0xdf, 0xdb, 0xc6])
    t.equal(unpackObjCell(Uint8Array.of(head, 255, 255, 255, 255)), undefined);
  t.equal(unpackObjCell(Uint8Array.of(0x01, 0x02)), undefined, 'two values');
  t.equal(unpackObjCell(new Uint8Array(0)), undefined);
  const nest = (depth: number) => Uint8Array.from([...new Array<number>(depth).fill(0x91), 0x01]);
  t.ok(unpackObjCell(nest(CELL_DEPTH_MAX)));
  t.equal(unpackObjCell(nest(CELL_DEPTH_MAX + 1)), undefined);
  t.equal(unpackObjCell(nest(500_000)), undefined, 'no stack overflow');
});

await t.test('a key __proto__ cannot reach a prototype', async (t) => {
  const bytes = Buffer.concat([
    Uint8Array.of(0x81, 0xa9),
    Buffer.from('__proto__'),
    Uint8Array.of(0x81, 0xa1, 0x78, 0x01),
  ]);
  const cell = unpackObjCell(bytes);
  t.notOk(cell !== undefined && 'x' in (cell.value as object));
  t.equal(objCellBytes(JSON.parse('{"__proto__":{"x":1}}')), "it holds the key '__proto__'");
});
