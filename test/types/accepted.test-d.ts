import {
  type AggregateFunction,
  avg,
  count,
  type DataStream,
  defineJob,
  defineOperator,
  max,
  p99,
  partitionLog,
  sum,
  tumbling,
  type,
  valueState,
  type WindowResult,
} from '#operators';
import { bool, eventTime, f64, i64, type Infer, nullable, schema, string } from '#wire';
import { hasType, sinkOf } from './sinks.ts';

/** What must compile, and the types that must come of it. Checked by tsc; never run. */
const Reading = schema('reading', {
  ts: eventTime(1),
  tenant: string(2),
  deviceId: string(3),
  temperature: nullable(f64(4)),
  rpm: f64(5),
  serial: i64(6),
  ok: bool(7),
});
type Reading = Infer<typeof Reading>;

hasType<number | null>()({} as Reading['temperature']);
hasType<bigint>()({} as Reading['serial']);

interface Peak {
  readonly value: number;
  readonly at: number;
}
const peak: AggregateFunction<Reading, Peak | null, Peak> = {
  createAccumulator: () => null,
  add: (reading, best) =>
    best !== null && best.value >= reading.rpm ? best : { value: reading.rpm, at: reading.ts },
  getResult: (best) => best ?? { value: 0, at: 0 },
};

const firstSeen = defineOperator({
  key: type<{ readonly deviceId: string }>(),
  input: type<Reading>(),
  output: type<{ readonly device: string; readonly at: number }>(),
  state: { seen: valueState<boolean>(), hits: valueState<number>() },
  sides: { again: type<Reading>(), count: type<number>() },
  onRecord(reading, { key, state, timers, emit, side, timestamp }) {
    hasType<Reading>()(reading);
    hasType<string>()(key.deviceId);
    hasType<boolean | undefined>()(state.seen.get());
    hasType<number | undefined>()(state.hits.get());
    state.hits.set((state.hits.get() ?? 0) + 1);
    timers.at(timestamp + 1000);
    emit({ device: key.deviceId, at: timestamp });
    side.again(reading);
    side.count(1);
  },
  onTimer(firedAt, { key, emit }) {
    emit({ device: key.deviceId, at: firedAt });
  },
});

defineJob('accepted', { guarantee: 'exactly-once' }, (job) => {
  const readings = job.source('readings', partitionLog('telemetry', Reading), {
    outOfOrderness: '2s',
    idleAfter: 500,
  });
  hasType<DataStream<Reading, 'exactly-once'>>()(readings);

  const perDevice = readings
    .keyBy('tenant', 'deviceId')
    .window(tumbling('10s', { offset: '1.5s' }))
    .allowedLateness('5s')
    .aggregate('per-device', {
      n: count(),
      temp: avg('temperature'),
      hot: max((r: Reading) => r.rpm),
      vib: p99('rpm'),
    });
  perDevice.map((result) => {
    hasType<{ readonly tenant: string; readonly deviceId: string }>()(result.key);
    hasType<number>()(result.window.end);
    hasType<number>()(result.value.n);
    hasType<number | null>()(result.value.temp);
    hasType<number | null>()(result.value.vib);
    return result;
  });
  hasType<DataStream<Reading, 'exactly-once'>>()(perDevice.side.late);
  perDevice.side.late.to('late', partitionLog('late', Reading));
  perDevice.to(
    'live',
    sinkOf<WindowResult<{ readonly tenant: string }, { readonly n: number }>, 'idempotent'>('idempotent'),
    {
      accept: 'idempotent',
    },
  );

  readings
    .keyBy((reading) => [reading.tenant, reading.serial] as const)
    .window(tumbling(60_000))
    .aggregate('peaks', peak)
    .map((result) => {
      hasType<readonly [string, bigint]>()(result.key);
      hasType<Peak>()(result.value);
      return result.value;
    })
    .to('peaks', sinkOf<Peak, 'exactly-once'>('exactly-once'));

  const warm = readings.filter(
    (r): r is Reading & { readonly temperature: number } => r.temperature !== null,
  );
  hasType<DataStream<Reading & { readonly temperature: number }, 'exactly-once'>>()(warm);
  warm
    .keyBy('ok')
    .window(tumbling('1h'))
    .aggregate('warm', { total: sum('temperature') });

  const seen = readings.keyBy('deviceId').process('first-seen', firstSeen);
  hasType<DataStream<Reading, 'exactly-once'>>()(seen.side.again);
  hasType<DataStream<number, 'exactly-once'>>()(seen.side.count);
  seen.map((it) => hasType<{ readonly device: string; readonly at: number }>()(it));

  hasType<DataStream<string, 'exactly-once'>>()(
    readings.flatMap((r) => [r.tenant]).asyncMap('wait', async (tenant) => tenant.trim(), { concurrency: 3 }),
  );
  // A sink of a wider row takes a narrower one.
  readings.to('any', sinkOf<{ readonly tenant: string }, 'exactly-once'>('exactly-once'));
});

defineJob('weaker', { guarantee: 'idempotent' }, (job) => {
  const readings = job.source('readings', partitionLog('telemetry', Reading));
  readings.to('live', sinkOf<Reading, 'idempotent'>('idempotent'));
  readings.to('lake', sinkOf<Reading, 'exactly-once'>('exactly-once'));
});
