import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import {
  createKeySpace,
  type Element,
  type KeySelector,
  keyGroupOf,
  type Records,
  recordCount,
  rowAt,
  subtaskOf,
  timeAt,
} from '#engine';
import { LIMITS } from '../../../engine/base/limits.ts';
import { hashKey, type Key } from '../../../engine/key/key.ts';
import { Channel } from '../../../engine/runtime/channel.ts';
import { createRouter } from '../../../engine/runtime/router.ts';
import { createOperatorBench, rowRecords } from '../../support/operator-bench.ts';
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
  [{ kind: 'function', select: (row) => (row as Sample).device }, (row) => row.device],
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
        fc.integer({ min: 2, max: 5 }),
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

void t.test(
  'one subtask owns all keys: it gets what came as it came, and looks at the keys itself',
  async (test) => {
    const { context, errors } = createOperatorBench({});
    const channel = new Channel();
    const select = () => test.fail('asked for a key');
    const router = createRouter({ kind: 'hash', keys: { kind: 'function', select } }, [channel], context);
    const records = rowRecords([{ id: Number.NaN }, { id: 1 }], [1, 2]);
    router.records(records);
    test.same(channel.shift(), { kind: 'records', records });
    test.same(errors, []);
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

/** What a channel was given, batch by batch. */
const batchesOf = (channel: Channel): Records[] => {
  const batches: Records[] = [];
  for (let element = channel.shift(); element !== null; element = channel.shift())
    if (element.kind === 'records') batches.push(element.records);
  return batches;
};

void t.test('rebalance deals whole batches in turn, from the subtask of the sender on', async (test) => {
  const one = { level: 1 } as Sample;
  for (const [subtask, expected] of [
    [0, [[0, 3], [1], [2]]],
    [2, [[1], [2], [0, 3]]],
    [4, [[2], [0, 3], [1]]],
  ] as const) {
    const channels = Array.from({ length: 3 }, () => new Channel());
    const { context } = createOperatorBench({ subtask });
    const router = createRouter({ kind: 'rebalance' }, channels, context);
    const batches = [0, 1, 2, 3].map((level) => rowRecords([{ ...one, level }, one], [level, level]));
    for (const batch of batches) router.records(batch);
    const got = channels.map((channel) => batchesOf(channel).map((batch) => batches.indexOf(batch)));
    test.same(got, expected);
  }
});

void t.test(
  'rebalance deals a batch beyond LIMITS.emitRecordsMax in pieces, every record once and in order',
  async () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 * LIMITS.emitRecordsMax }),
        form(),
        fc.integer({ min: 1, max: 4 }),
        (count, how, parallelism) => {
          const rows = Array.from({ length: count }, (_, ts): Sample => {
            return { ts, tenant: 'acme', device: null, value: null, level: 1, ok: null };
          });
          const channels = Array.from({ length: parallelism }, () => new Channel());
          createRouter({ kind: 'rebalance' }, channels, createOperatorBench().context).records(
            forms(rows, how),
          );
          const dealt = channels.map(batchesOf);
          const pieces = Array.from({ length: dealt.flat().length }, (_, i) => {
            return dealt[i % parallelism]?.[Math.floor(i / parallelism)] as Records;
          });
          const sizes = pieces.map(recordCount);
          const times = pieces.flatMap((piece) =>
            Array.from({ length: recordCount(piece) }, (_, k) => timeAt(piece, k)),
          );
          return (
            pieces.length === Math.ceil(count / LIMITS.emitRecordsMax) &&
            Math.max(...sizes) <= LIMITS.emitRecordsMax &&
            Math.max(...sizes) - Math.min(...sizes) <= 1 &&
            isDeepStrictEqual(
              times,
              rows.map((row) => row.ts),
            )
          );
        },
      ),
      { numRuns: propertyRuns(60) },
    );
  },
);

void t.test('stages in front of a rebalance run before records are dealt', async (test) => {
  const run = (row: unknown) => (row as Sample).level > 0;
  const channels = [new Channel(), new Channel()];
  const { context } = createOperatorBench({ stages: [{ kind: 'filter', run }] });
  const router = createRouter({ kind: 'rebalance' }, channels, context);
  for (const level of [0, 1, 0, 2, 3]) router.records(rowRecords([{ level }], [level]));
  test.same(
    channels.map((channel) => batchesOf(channel).flatMap((batch) => rowAt(batch, 0))),
    [[{ level: 1 }, { level: 3 }], [{ level: 2 }]],
  );
});

void t.test('one record that a stage makes many of goes on in batches of bounded size', async (test) => {
  const copies = 3 * LIMITS.emitRecordsMax + 5;
  const run = (row: unknown) => Array.from({ length: copies }, () => row);
  const channel = new Channel();
  const { context } = createOperatorBench({ stages: [{ kind: 'flatMap', run }] });
  const keys = { kind: 'fields', fields: ['level'] } as const;
  createRouter({ kind: 'hash', keys }, [channel], context).records(rowRecords([{ level: 1 }], [1]));
  const counts = batchesOf(channel).map(recordCount);
  test.equal(counts.length, 4);
  test.ok(Math.max(...counts) <= LIMITS.emitRecordsMax);
  test.equal(
    counts.reduce((sum, count) => sum + count),
    copies,
  );
});

void t.test(
  'a channel that refuses a batch fails the call, and no record goes to the handler for it',
  async (test) => {
    const refusing = {
      full: false,
      push() {
        throw new Error('refused');
      },
    };
    const run = (row: unknown) => Array.from({ length: 2 * LIMITS.emitRecordsMax }, () => row);
    for (const kind of ['forward', 'broadcast', 'rebalance', 'hash'] as const) {
      const { context, errors } = createOperatorBench({ stages: [{ kind: 'flatMap', run }] });
      const partitioning =
        kind === 'hash' ? { kind, keys: { kind: 'fields', fields: ['level'] } as const } : { kind };
      const router = createRouter(partitioning, [refusing], context);
      test.throws(() => router.records(rowRecords([{ level: 1 }], [1])), { message: 'refused' });
      test.same(errors, []);
    }
  },
);
