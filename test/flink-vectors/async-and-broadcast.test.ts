import t from 'tap';
import {
  type AsyncMapOptions,
  defineBroadcastOperator,
  defineJob,
  mapState,
  partitionLog,
  type,
} from '#operators';
import { asyncMap } from '../../operators/async-map.ts';
import {
  barrier,
  crash,
  input,
  type JobTestOptions,
  testJob,
  watermark,
} from '../../operators/testing/index.ts';
import { createOperatorBench, rowRecords } from '../support/operator-bench.ts';
import { Event, event, type Step, steps } from './windowed.ts';

const events = partitionLog('events', Event);

/**
 * Times of the records as they leave an asyncMap, and of the calls as they were made. A record's `n` is the time of the record
 * whose call answers its own: its own time for at once, −1 for never the first time.
 */
async function called(
  script: readonly Step[],
  call: AsyncMapOptions<Event, Event>,
  options: Partial<JobTestOptions> = {},
) {
  const made: number[] = [];
  const held = new Map<number, () => void>();
  const answer = (row: Event): Event | Promise<Event> => {
    const again = made.includes(row.at);
    made.push(row.at);
    held.get(row.at)?.();
    if (row.n === row.at || (row.n === -1 && again)) return row;
    return new Promise((resolve) => held.set(row.n, () => resolve(row)));
  };
  const job = defineJob('calls', { guarantee: 'exactly-once' }, (build) => {
    build.source('in', events).asyncMap('call', answer, call).to('out', events);
  });
  const { records } = await testJob(job, {
    inputs: { in: input(Event, steps(script), { watermarks: 'from-markers' }) },
    ...options,
  });
  return { left: records<Event>('out').map(({ at }) => at), made };
}

/** A record whose call is answered at once, or when that of the record at `by` is made. */
const at = (time: number, by = time) => event(time, 'k', by);

const orders: readonly (readonly [
  rule: string,
  order: 'ordered' | 'unordered',
  script: readonly Step[],
  left: readonly number[],
])[] = [
  ['ordered results leave in the order of their inputs', 'ordered', [at(1, 3), at(2), at(3)], [1, 2, 3]],
  [
    'unordered results leave as they come: 1 is answered by the call of 3, which is answered itself',
    'unordered',
    [at(1, 3), at(2), at(3)],
    [2, 3, 1],
  ],
  [
    'an unordered result does not pass the watermark before it',
    'unordered',
    [at(1, 4), watermark(1), at(2), at(4)],
    [1, 2, 4],
  ],
  [
    'unordered results pass each other between two watermarks',
    'unordered',
    [at(1, 6), at(2), watermark(2), at(3, 7), at(5), at(6), at(7)],
    [2, 1, 5, 6, 7, 3],
  ],
];

for (const [rule, order, script, left] of orders) {
  void t.test(`§2.11 async: ${rule}`, async (test) => {
    test.same((await called(script, { order })).left, left);
  });
}

void t.test('§2.11 async: at most 100 calls are open unless it is said otherwise', async (test) => {
  for (const [options, most] of [
    [{}, 100],
    [{ concurrency: 7 }, 7],
  ] as const) {
    let made = 0;
    const bench = createOperatorBench();
    const operator = asyncMap(() => {
      made++;
      return new Promise(() => {});
    }, options).create(bench.context);
    const rows = Array.from({ length: 150 }, (_, i) => i);
    operator.records(rowRecords(rows, rows));
    test.equal(made, most);
    test.ok(operator.blocked?.() instanceof Promise, 'and no more input is taken');
    await operator.close?.();
  }
});

for (const rescale of [[1], [3]]) {
  void t.test(
    `§2.11 async: inputs unfinished at the barrier are in the checkpoint and called again, at parallelism ${rescale[0]}`,
    async (test) => {
      const script = [at(1, -1), at(2), barrier(), crash(), at(3)];
      const ordered = await called(script, { order: 'ordered' }, { rescale });
      test.same(ordered.made, [1, 2, 1, 2, 3], '2 was answered, but waited for 1: its result had not left');
      test.same(
        ordered.left.toSorted((a, b) => a - b),
        [1, 2, 3],
        'each once',
      );
      const unordered = await called(script, { order: 'unordered' }, { rescale });
      test.same(unordered.made, [1, 2, 1, 3], '2 had left');
      test.same(
        unordered.left.toSorted((a, b) => a - b),
        [1, 2, 3],
      );
    },
  );
}

const onBroadcastHas: string[][] = [];
const limits = defineBroadcastOperator({
  key: type<{ readonly key: string }>(),
  input: type<Event>(),
  broadcast: type<Event>(),
  output: type<Event>(),
  broadcastState: { limits: mapState<string, number>() },
  onRecord(record, { broadcast, emit }) {
    if (record.n === -1)
      (broadcast.limits as unknown as { set: (k: string, v: number) => void }).set('all', 0);
    for (const limit of broadcast.limits.values()) if (record.n > limit) emit({ ...record, n: limit });
  },
  onBroadcast(rule, context) {
    onBroadcastHas.push(Object.keys(context));
    context.broadcast.limits.set(rule.key, rule.n);
  },
});

async function limited(rules: readonly Event[], records: readonly Event[], options: Partial<JobTestOptions>) {
  const job = defineJob('limited', { guarantee: 'exactly-once', onError: 'dead-letter' }, (build) => {
    build
      .source('in', events)
      .keyBy('key')
      .connect(build.source('rules', events).broadcast())
      .process('limits', limits)
      .to('out', events);
  });
  const result = await testJob(job, {
    inputs: { rules: input(Event, rules), in: input(Event, records) },
    ...options,
  });
  return {
    broken: result.records<Event>('out').map(({ key, n }) => `${key}>${n}`),
    deadLetters: result.deadLetters,
  };
}
const keys = ['a', 'b', 'c', 'd', 'e', 'f'];

for (const options of [
  { parallelism: 1 },
  { parallelism: 3 },
  { parallelism: 2, restoreAfterEveryStep: true, rescale: [3, 1, 2] },
] as const) {
  void t.test(
    `§2.11 broadcast: every subtask has its own copy of what the broadcast side wrote ${JSON.stringify(options)}`,
    async (test) => {
      const records = keys.map((key) => event(1, key, 50));
      const { broken } = await limited([event(0, 'all', 40)], records, options);
      test.same(
        broken.toSorted((a, b) => a.localeCompare(b)),
        keys.map((key) => `${key}>40`),
      );
    },
  );
}

void t.test('§2.11 broadcast: the keyed side reads only: a write is an error of its record', async (test) => {
  const { broken, deadLetters } = await limited(
    [event(0, 'all', 40)],
    [event(1, 'a', -1), event(1, 'a', 50)],
    { parallelism: 3 },
  );
  test.same(broken, ['a>40']);
  test.match(deadLetters, [{ operator: 'limits', record: { n: -1 } }]);
});

void t.test(
  '§2.11 broadcast: the broadcast side has no timers, no key and no state of one key',
  async (test) => {
    onBroadcastHas.length = 0;
    await limited([event(0, 'all', 40)], [], { parallelism: 3 });
    test.equal(onBroadcastHas.length, 3, 'once per subtask');
    for (const has of onBroadcastHas) {
      test.ok(has.includes('forEachKey') && has.includes('broadcast'));
      for (const not of ['timers', 'key', 'state']) test.notOk(has.includes(not), not);
    }
  },
);
