import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import {
  createKeySpace,
  type Element,
  type KeySelector,
  keyGroupOf,
  recordCount,
  rowAt,
  subtaskOf,
  timeAt,
} from '#engine';
import { hashKey, type Key } from '../../../engine/key/key.ts';
import { Channel } from '../../../engine/runtime/channel.ts';
import { createRouter } from '../../../engine/runtime/router.ts';
import { createOperatorBench } from '../../support/operator-bench.ts';
import { form, forms, type Sample, samples, stages } from '../../support/row-arbitraries.ts';
import { propertyRuns } from '../../support/property-runs.ts';

const MAX_PARALLELISM = 128;

const selectors: readonly (readonly [KeySelector, (row: Sample) => unknown])[] = [
  [{ kind: 'fields', fields: ['tenant'] }, (row) => row.tenant],
  [{ kind: 'fields', fields: ['device'] }, (row) => row.device],
  [{ kind: 'fields', fields: ['level'] }, (row) => row.level],
  [{ kind: 'fields', fields: ['tenant', 'device'] }, (row) => [row.tenant, row.device]],
  [{ kind: 'fields', fields: ['tenant', 'level', 'ok'] }, (row) => [row.tenant, row.level, row.ok]],
  [{ kind: 'function', select: (row) => (row as Sample).value }, (row) => row.value],
  [
    { kind: 'function', select: (row) => [(row as Sample).level, (row as Sample).tenant] },
    (row) => [row.level, row.tenant],
  ],
];

const hasKey = (key: unknown): key is Key => {
  const parts = Array.isArray(key) ? key : [key];
  return parts.every((part) => part !== null && !Number.isNaN(part));
};
const targetOf = (key: Key, parallelism: number) =>
  subtaskOf(keyGroupOf(hashKey(key), MAX_PARALLELISM), parallelism, MAX_PARALLELISM);

const drain = (channel: Channel): (readonly [unknown, number])[] => {
  const got: [unknown, number][] = [];
  for (let element = channel.shift(); element !== null; element = channel.shift()) {
    if (element.kind !== 'records') continue;
    const { records } = element;
    for (let k = 0; k < recordCount(records); k++) got.push([rowAt(records, k), timeAt(records, k)]);
  }
  return got;
};

void t.test(
  'every record goes, in order, to the subtask that owns its key group; those without a key to the handler',
  async () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...selectors),
        fc.array(fc.tuple(samples(), form()), { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 1, max: 5 }),
        fc.boolean(),
        ([keys, keyOf], input, parallelism, interpreted) => {
          const channels = Array.from({ length: parallelism }, () => new Channel());
          const bench = createOperatorBench({ maxParallelism: MAX_PARALLELISM, interpreted });
          const router = createRouter({ kind: 'hash', keys }, channels, bench.context);
          for (const [rows, how] of input) router.records(forms(rows, how));
          const all = input.flatMap(([rows]) => rows);
          const expected = channels.map((_, i) =>
            all
              .filter((row) => hasKey(keyOf(row)) && targetOf(keyOf(row) as Key, parallelism) === i)
              .map((row) => [row, row.ts]),
          );
          const refused = all.filter((row) => !hasKey(keyOf(row)));
          return (
            isDeepStrictEqual(channels.map(drain), expected) &&
            isDeepStrictEqual(
              bench.errors.map(({ code, row }) => [code, row]),
              refused.map((row) => ['MR_KEY_INVALID', row]),
            )
          );
        },
      ),
      { numRuns: propertyRuns(500) },
    );
  },
);

void t.test('router and receiver agree about the owner of every key', async () => {
  fc.assert(
    fc.property(fc.constantFrom(...selectors), samples(), ([keys, keyOf], rows) => {
      const space = createKeySpace(keys, MAX_PARALLELISM);
      return rows.every((row) => {
        const key = keyOf(row);
        return (
          !hasKey(key) || space.group(space.slotOfRow(row)) === keyGroupOf(hashKey(key), MAX_PARALLELISM)
        );
      });
    }),
    { numRuns: propertyRuns(300) },
  );
});

void t.test('stages in front of a router: the same records whether generated or interpreted', async () => {
  fc.assert(
    fc.property(fc.constantFrom(...selectors), stages(), samples(), form(), ([keys], steps, rows, how) => {
      const run = (interpreted: boolean) => {
        const channels = Array.from({ length: 3 }, () => new Channel());
        const bench = createOperatorBench({ interpreted, stages: steps });
        createRouter({ kind: 'hash', keys }, channels, bench.context).records(forms(rows, how));
        return [channels.map(drain), bench.errors];
      };
      return isDeepStrictEqual(run(false), run(true));
    }),
    { numRuns: propertyRuns(300) },
  );
});

void t.test('time, idleness and the end go to every subtask', async (test) => {
  const channels = [new Channel(), new Channel()];
  const router = createRouter(
    { kind: 'hash', keys: { kind: 'fields', fields: ['tenant'] } },
    channels,
    createOperatorBench().context,
  );
  router.watermark(7);
  router.idle();
  router.end?.();
  const all: Element[] = [{ kind: 'watermark', time: 7 }, { kind: 'idle' }, { kind: 'end' }];
  for (const channel of channels) test.same([channel.shift(), channel.shift(), channel.shift()], all);
});
