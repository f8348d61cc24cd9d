import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { GroupEncoder } from '../../../engine/checkpoint/group-encoder.ts';
import { packr } from '../../../engine/checkpoint/packr.ts';
import { finish, STEP_ITEMS } from '../../../engine/state/steps.ts';
import { propertyRuns } from '../../support/property-runs.ts';

const leaf = fc.oneof(
  fc.string(),
  fc.double(),
  fc.integer(),
  fc.boolean(),
  fc.constantFrom(null, undefined),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.uint8Array(),
  fc.float64Array(),
  fc.int32Array(),
  fc.date({ noInvalidDate: true }),
  fc.dictionary(fc.string(), fc.nat()).map((it) => new Map(Object.entries(it))),
);
/** Around what lists are cut by, and what headers have room for. */
const long = fc
  .tuple(fc.constantFrom(15, 16, STEP_ITEMS, STEP_ITEMS + 1, 2 * STEP_ITEMS + 15, 3_000), leaf)
  .map(([length, item]) => Array.from({ length }, (_, i) => (i % 7 === 0 ? item : [i, i / 2])));
const name = fc.string({ minLength: 1 }).filter((it) => it !== '__proto__' && it !== 'toJSON');
const group = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    leaf,
    { weight: 1, arbitrary: long },
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(name, tie('value'), { maxKeys: 40, noNullPrototype: true }),
  ),
})).value;

void t.test('E7: what is encoded in pieces reads like what is encoded in one go', async () => {
  const encoder = new GroupEncoder();
  fc.assert(
    fc.property(group, (value) => {
      const pieces = packr.unpack(finish(encoder.encode(value)).slice()) as unknown;
      const whole = packr.unpack(packr.pack(value)) as unknown;
      return isDeepStrictEqual(pieces, whole);
    }),
    { numRuns: propertyRuns(40) },
  );
});

void t.test('lists and objects of any length have their headers', async (test) => {
  for (const length of [0, 1, 15, 16, 31, 32, 33, STEP_ITEMS, STEP_ITEMS + 15, 65_535, 65_536, 70_001]) {
    const list = new Array(length).fill(7);
    const object = Object.fromEntries(list.slice(0, 40).map((it, i) => [`field ${i}`, it]));
    const bytes = finish(new GroupEncoder().encode({ list, object }));
    test.ok(isDeepStrictEqual(packr.unpack(bytes), { list, object }), `${length}`);
  }
});

void t.test('others may pack between two steps', async (test) => {
  const list = Array.from({ length: 4 * STEP_ITEMS }, (_, i) => `item ${i}`);
  const encoder = new GroupEncoder();
  const steps = encoder.encode({ list });
  let [step, count] = [steps.next(), 0];
  for (; step.done !== true; step = steps.next(), count++) packr.pack({ other: list });
  test.equal(count, 4);
  test.strictSame(packr.unpack(step.value), { list });
});
