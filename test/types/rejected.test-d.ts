import {
  avg,
  count,
  defineJob,
  defineOperator,
  max,
  partitionLog,
  sum,
  tumbling,
  type,
  valueState,
} from '#operators';
import { eventTime, f64, type Infer, i64, nullable, obj, schema, string } from '#wire';
import { sinkOf } from './sinks.ts';

/** What must not compile: each directive is an error of its own when the line below it is accepted. Checked by tsc; never run. */
const Reading = schema('reading', {
  ts: eventTime(1),
  tenant: string(2),
  temperature: nullable(f64(3)),
  region: nullable(string(4)),
  serial: i64(5),
  tags: obj<readonly string[]>(6),
});
type Reading = Infer<typeof Reading>;
const log = partitionLog('telemetry', Reading);

const perTenant = defineOperator({
  key: type<{ readonly tenant: string }>(),
  input: type<Reading>(),
  output: type<number>(),
  state: { count: valueState<number>() },
  sides: { odd: type<Reading>() },
  onRecord(reading, { key, state, emit, side, timers }) {
    // @ts-expect-error state has the type it was declared with
    state.count.set('one');
    // @ts-expect-error only declared state exists
    state.total.get();
    // @ts-expect-error output has the type it was declared with
    emit('text');
    // @ts-expect-error only declared sides exist
    side.even(reading);
    // @ts-expect-error a side takes its own type
    side.odd(1);
    // @ts-expect-error the key has the declared fields only
    key.device.trim();
    // @ts-expect-error a timer is set for a time
    timers.at('soon');
  },
});

defineJob('rejected', { guarantee: 'exactly-once' }, (job) => {
  const readings = job.source('in', log);
  // @ts-expect-error a duration has a unit that exists
  job.source('x', log, { outOfOrderness: '5 minutes' });
  // @ts-expect-error settings are known by name
  job.source('x', log, { outOfOrdernes: '5m' });
  // @ts-expect-error a window's size is a duration
  tumbling('ten seconds');
  // @ts-expect-error so is its offset
  tumbling('10s', { offset: '1min' });
  // @ts-expect-error the row has no such field
  readings.keyBy('device');
  // @ts-expect-error one of two fields is unknown
  readings.keyBy('tenant', 'device');
  // @ts-expect-error a nullable field is no key
  readings.keyBy('region');
  // @ts-expect-error an object is no key
  readings.keyBy('tags');
  // @ts-expect-error no key function may return an object
  readings.keyBy((reading) => ({ tenant: reading.tenant }));
  // @ts-expect-error nor null
  readings.keyBy((reading) => reading.region);
  // @ts-expect-error a stream needs a key before it can have windows
  readings.window(tumbling('10s'));
  // @ts-expect-error nor can it be processed without one
  readings.process('p', perTenant);
  // @ts-expect-error a keyed stream goes to no sink
  readings.keyBy('tenant').to('out', log);
  // @ts-expect-error windows are aggregated before they go on
  readings.keyBy('tenant').window(tumbling('10s')).to('out', log);

  const windows = readings.keyBy('tenant').window(tumbling('10s'));
  // @ts-expect-error the row has no such field
  windows.aggregate('a', { hum: avg('humidity') });
  // @ts-expect-error text cannot be summed
  windows.aggregate('a', { t: sum('tenant') });
  // @ts-expect-error nor can a bigint, which would not fit a number
  windows.aggregate('a', { s: max('serial') });
  // @ts-expect-error a function of another row
  windows.aggregate('a', { s: max((row: { readonly humidity: number }) => row.humidity) });
  // @ts-expect-error an id is needed
  windows.aggregate({ n: count() });
  // @ts-expect-error lateness is a duration
  windows.allowedLateness('long');

  const counted = windows.aggregate('counted', { n: count() });
  // @ts-expect-error the result has no such aggregate
  counted.map(({ value }) => value.total);
  // @ts-expect-error the only side of a window is `late`
  counted.side.early.to('early', log);
  // @ts-expect-error a result is no reading
  counted.to('out', log);
  counted.side.late.to('late', log);

  // @ts-expect-error the rows are not what the sink takes
  readings.to('out', sinkOf<{ readonly device: string }, 'exactly-once'>('exactly-once'));
  // @ts-expect-error a sink that promises less must be accepted by name
  readings.to('live', sinkOf<Reading, 'idempotent'>('idempotent'));
  // @ts-expect-error by its own name
  readings.to('live', sinkOf<Reading, 'idempotent'>('idempotent'), { accept: 'exactly-once' });
  // @ts-expect-error nothing to accept where nothing is weaker
  readings.to('lake', sinkOf<Reading, 'exactly-once'>('exactly-once'), { accept: 'idempotent' });

  // @ts-expect-error the operator is keyed by tenant
  readings.keyBy('serial').process('p', perTenant);
  const other = readings.map((reading) => ({ tenant: reading.tenant }));
  // @ts-expect-error the operator takes readings
  other.keyBy('tenant').process('p', perTenant);
  const processed = readings.keyBy('tenant').process('p', perTenant);
  // @ts-expect-error the operator has no such side
  processed.side.even.to('even', log);
  // @ts-expect-error a filter answers yes or no
  readings.filter((reading) => reading.tenant);
  // @ts-expect-error flatMap gives a list
  readings.flatMap(() => 1);
});

// @ts-expect-error a job says what it promises
defineJob('no-guarantee', {}, () => {});
// @ts-expect-error and promises what exists
defineJob('wrong-guarantee', { guarantee: 'at-least-once' }, () => {});
// @ts-expect-error a topic's rows are its schema's
partitionLog('telemetry', Reading) satisfies ReturnType<typeof partitionLog<{ readonly device: string }>>;
