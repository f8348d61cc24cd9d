import { globSync, readFileSync } from 'node:fs';
import t from 'tap';
import { type JobGraph, partitionLog } from '#engine';
import {
  count,
  countWindow,
  type DataStream,
  defineBroadcastOperator,
  defineCoOperator,
  defineJob,
  defineOperator,
  defineWindowFunction,
  distinct,
  emitEarly,
  mapState,
  pattern,
  session,
  sliding,
  sum,
  tumbling,
  type,
  valueState,
} from '#operators';
import { eventTime, f64, type Infer, schema, string } from '#wire';
import { input, testJob, watermark } from '../../operators/testing/index.ts';

t.setTimeout(120_000);

const Event = schema('event', { at: eventTime(1), key: string(2), value: f64(3), kind: string(4) });
type Event = Infer<typeof Event>;
const log = partitionLog('events', Event);
type Stream = DataStream<Event, 'exactly-once'>;
/** A stream of any records. */
interface Sendable {
  readonly to: (id: string, sink: never) => void;
}
type Key = { readonly key: string };

/** 26 events of 5 keys over about a minute of event time, out of order by up to 4 s, a few far too late. */
function events(seed: number): Event[] {
  return Array.from({ length: 26 }, (_, i) => {
    const jitter = ((i * 7 + seed * 13) % 9) * 500;
    const late = i % 9 === 8 ? 30_000 : 0;
    const n = (i * 31 + seed * 17) % 100;
    return {
      at: i * 2_300 - jitter - late,
      key: `k${(i * 3 + seed) % 5}`,
      value: n,
      kind: n % 3 === 0 ? 'x' : 'y',
    };
  });
}

const running = defineOperator({
  key: type<Key>(),
  input: type<Event>(),
  output: type<object>(),
  state: { total: valueState<number>() },
  onRecord(event, { key, state, timers, timestamp, emit }) {
    const total = (state.total.get() ?? 0) + event.value;
    state.total.set(total);
    timers.at(timestamp + 5_000);
    emit({ key: key.key, total });
  },
  onTimer(firedAt, { key, state, emit }) {
    emit({ key: key.key, firedAt, total: state.total.get() });
  },
});

const pairs = defineCoOperator({
  key: type<Key>(),
  left: type<Event>(),
  right: type<Event>(),
  output: type<object>(),
  state: { left: valueState<number>() },
  onLeft: (event, { state }) => state.left.set(event.value),
  onRight: (event, { state, emit }) =>
    emit({ key: event.key, left: state.left.get() ?? null, right: event.value }),
});

const limits = defineBroadcastOperator({
  key: type<Key>(),
  input: type<Event>(),
  broadcast: type<Event>(),
  output: type<object>(),
  state: { seen: valueState<number>() },
  broadcastState: { limits: mapState<string, number>() },
  onRecord(event, { broadcast, state, emit }) {
    state.seen.set((state.seen.get() ?? 0) + 1);
    emit({ event, seen: state.seen.get(), limit: broadcast.limits.get(event.kind) ?? null });
  },
  onBroadcast: (rule, { broadcast }) => broadcast.limits.set(rule.kind, rule.value),
});

/** One use of every operator, by name; each gives its main output and its side outputs. */
const uses: Readonly<Record<string, (left: Stream, right: Stream) => readonly Sendable[]>> = {
  union: (left, right) => [left.union(right)],
  rebalance: (left) => [left.filter((event) => event.kind === 'x').rebalance()],
  split: (left) => {
    const parts = left.split({ big: (event) => event.value > 60, x: (event) => event.kind === 'x' });
    return [parts, parts.side.big, parts.side.x];
  },
  'async map': (left) => [left.asyncMap('use', async (event) => ({ ...event, value: event.value + 1 }))],
  process: (left) => [left.keyBy('key').process('use', running)],
  'co-process': (left, right) => [left.keyBy('key').connect(right.keyBy('key')).process('use', pairs)],
  'broadcast, keyed': (left, right) => [left.keyBy('key').connect(right.broadcast()).process('use', limits)],
  reduce: (left) => [left.keyBy('key').reduce('use', (a, b) => (a.value > b.value ? a : b))],
  distinct: (left) => [left.keyBy('key').distinct('use', { ttl: '10s', of: 'kind' })],
  'top-n, running': (left) => [left.keyBy('kind').topN('use', { n: 3, by: 'value', id: 'key' })],
  'top-n, windowed': (left) => {
    const tops = left.keyBy('kind').topN('use', { n: 2, by: 'value', windows: tumbling('15s') });
    return [tops, tops.side.late];
  },
  'lookup join': (left) => [
    left.lookupJoin('use', {
      key: (event) => event.key,
      load: async (key) => (key === 'k3' ? null : key.toUpperCase()),
      type: 'left',
      join: (event, name) => ({ ...event, name }),
      cache: { entries: 3, ttl: '1m' },
    }),
  ],
  'interval join': (left, right) => {
    const joined = left.keyBy('key').intervalJoin('use', right.keyBy('key'), {
      lower: '-3s',
      upper: '4s',
      type: 'full',
      join: (a, b) => ({ left: a?.at ?? null, right: b?.at ?? null }),
    });
    return [joined, joined.side.lateLeft, joined.side.lateRight];
  },
  'window join': (left, right) => {
    const joined = left.keyBy('key').windowJoin('use', right.keyBy('key'), {
      windows: session('3s'),
      allowedLateness: '2s',
      join: (a, b) => ({ left: a.at, right: b.at }),
    });
    return [joined, joined.side.lateLeft, joined.side.lateRight];
  },
  'co-group': (left, right) => {
    const joined = left.keyBy('key').coGroup('use', right.keyBy('key'), {
      windows: tumbling('10s'),
      group: (key, window, lefts, rights) => [
        { key: key.key, window, lefts: lefts.length, rights: rights.length },
      ],
    });
    return [joined, joined.side.lateLeft, joined.side.lateRight];
  },
  'temporal join': (left, right) => {
    const joined = left.keyBy('key').temporalJoin('use', right.keyBy('key'), {
      type: 'left',
      join: (fact, version) => ({ at: fact.at, version: version?.at ?? null }),
    });
    return [joined, joined.side.lateLeft, joined.side.lateRight];
  },
  pattern: (left) => {
    const matches = left.keyBy('key').match('use', {
      pattern: pattern<Event>()
        .start('high', (event) => event.value > 50)
        .followedBy('low', (event, { captures }) => event.value < captures.high.value)
        .within('20s'),
      select: ({ high, low }, { key }) => ({ key: key.key, high: high.at, low: low.at }),
    });
    return [matches, matches.side.late, matches.side.timedOut];
  },
  'sliding windows': (left) => {
    const windows = left
      .keyBy('key')
      .window(sliding('10s', '4s'))
      .allowedLateness('2s')
      .aggregate('use', { n: count(), total: sum('value') });
    return [windows, windows.side.late];
  },
  'windows with early results': (left) => {
    const windows = left
      .keyBy('key')
      .window(tumbling('20s'))
      .trigger(emitEarly({ everyRecords: 2, mode: 'discard' }))
      .aggregate('use', { n: count() });
    return [windows, windows.side.late];
  },
  'session windows': (left) => {
    const windows = left.keyBy('key').window(session('4s')).aggregate('use', { n: count() });
    return [windows, windows.side.late];
  },
  'count windows': (left) => [
    left
      .keyBy('key')
      .window(countWindow(4))
      .aggregate('use', { total: sum('value') }),
  ],
  'window function': (left) => {
    const spread = defineWindowFunction({
      input: type<Event>(),
      output: type<number>(),
      process(elements, { emit }) {
        const values = Array.from(elements, (event) => event.value);
        emit(Math.max(...values) - Math.min(...values));
      },
    });
    const windows = left.keyBy('key').window(tumbling('10s')).process('use', spread);
    return [windows, windows.side.late];
  },
  'all windows': (left) => {
    const windows = left.windowAll(tumbling('10s')).aggregate('use', { n: count(), keys: distinct('key') });
    return [windows, windows.side.late];
  },
  'tumbling windows': (left) => {
    const windows = left
      .keyBy('key')
      .window(tumbling('10s'))
      .allowedLateness('3s')
      .aggregate('use', { n: count(), total: sum('value') });
    return [windows, windows.side.late];
  },
};

function jobOf(use: (typeof uses)[string]) {
  return defineJob('job', { guarantee: 'exactly-once' }, (job) => {
    const left = job.source('left', log, { outOfOrderness: '2s' });
    const right = job.source('right', log, { outOfOrderness: '2s' });
    right.filter(() => false).to('nothing', log);
    for (const [i, stream] of use(left, right).entries()) stream.to(`out-${i}`, log as never);
  });
}

const inputs = {
  left: input(Event, [...events(1), watermark(90_000)]),
  right: input(Event, [...events(2), watermark(90_000)]),
};

/** As a multiset: the order between keys is nobody's promise. */
const sorted = (records: readonly unknown[]) => records.map((record) => JSON.stringify(record)).sort();

for (const [name, use] of Object.entries(uses)) {
  void t.test(
    `E12: ${name}: restored after every step, at other parallelisms, interpreted: the same results`,
    async (test) => {
      const job = jobOf(use);
      const sinks = job.graph().nodes.flatMap((node) => (node.kind === 'sink' ? [node.id] : []));
      const plain = await testJob(job, { inputs });
      test.ok(
        sinks.some((sink) => plain.records(sink).length > 0),
        'there are results',
      );
      for (const changes of [
        { interpreted: true },
        { parallelism: 3 },
        { restoreAfterEveryStep: true },
        { restoreAfterEveryStep: true, rescale: [2, 3, 1], interpreted: true },
      ]) {
        const other = await testJob(job, { inputs, ...changes });
        for (const sink of sinks)
          test.same(
            sorted(other.records(sink)),
            sorted(plain.records(sink)),
            `${sink} ${JSON.stringify(changes)}`,
          );
      }
    },
  );
}

void t.test('E12: no operator is left out', async (test) => {
  const definition = /\bkind: '([a-z-]+)',\s+sides\b|\btwoInputOperator\('([a-z-]+)'/g;
  const defined = globSync('operators/**/*.ts').flatMap((file) =>
    [...readFileSync(file, 'utf8').matchAll(definition)].map((match) => match[1] ?? match[2]),
  );
  const kindsOf = ({ nodes }: JobGraph) =>
    nodes.flatMap((node) => (node.kind === 'operator' ? [node.operator.kind] : []));
  const used = new Set<string | undefined>(Object.values(uses).flatMap((use) => kindsOf(jobOf(use).graph())));
  test.ok(defined.length >= 12);
  test.same(
    defined.filter((kind) => !used.has(kind)),
    [],
  );
});
