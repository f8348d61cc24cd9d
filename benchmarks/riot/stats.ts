import {
  avg,
  countWindow,
  defineJob,
  defineOperator,
  type JobDefinition,
  partitionLog,
  type,
  valueState,
} from '#operators';
import type { Sink } from '#engine';
import { fmix32 } from '#wire';
import { BloomFilter } from './bloom-filter.ts';
import type { Statistic } from './result-sum.ts';
import { type Observation, parseSenml, SenmlRow, TOPIC } from './senml.ts';
import { textHash } from './text-hash.ts';
import type { Registry } from './workload.ts';

/** What the dataflow is set to, as RIoTBench sets it for sensed cities; blocks of ten as its paper has them. */
export const STATS = {
  block: 10,
  kalman: { processNoise: 0.125, sensorNoise: 0.32, firstError: 30 },
  trained: 10,
  predicted: 10,
  momentItems: 10,
  bucketBits: 10,
} as const;

type SeriesKey = { readonly sensor: string; readonly type: string };

const inSeries = { key: type<SeriesKey>(), input: type<Observation>() };

/** The observed value smoothed by a Kalman filter of one dimension. */
const kalman = defineOperator({
  ...inSeries,
  output: type<Observation>(),
  state: { estimate: valueState<{ readonly value: number; readonly error: number }>() },
  onRecord(observation, { state, emit }) {
    const { processNoise, sensorNoise, firstError } = STATS.kalman;
    const before = state.estimate.get() ?? { value: 0, error: firstError };
    const error = before.error + processNoise;
    const gain = error / (error + sensorNoise);
    const value = before.value + gain * (observation.value - before.value);
    state.estimate.set({ value, error: (1 - gain) * error });
    emit({ ...observation, value });
  },
});

/** The next ten values by a line through the last ten, with every value from the eleventh on. */
const regression = defineOperator({
  ...inSeries,
  output: type<Statistic>(),
  state: { recent: valueState<readonly number[]>() },
  onRecord({ sensor, type: observed, value }, { state, emit }) {
    const recent = state.recent.get() ?? [];
    if (recent.length < STATS.trained) return state.recent.set([...recent, value]);
    const trained = [...recent.slice(1), value];
    state.recent.set(trained);
    emit({ kind: 'prediction', sensor, type: observed, values: continued(trained) });
  },
});

function continued(values: readonly number[]): number[] {
  const middle = (values.length - 1) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  let [products, squares] = [0, 0];
  for (const [x, value] of values.entries()) {
    products += (x - middle) * (value - mean);
    squares += (x - middle) * (x - middle);
  }
  const slope = products / squares;
  return Array.from({ length: STATS.predicted }, (_, i) => mean + slope * (values.length + i - middle));
}

interface Sampled {
  readonly seen: number;
  readonly items: readonly number[];
  readonly counts: readonly number[];
}

/**
 * How uneven a series' values are: its second moment, estimated from ten of them with counts (Alon, Matias, Szegedy). RIoTBench replaces one
 * at random; here the number of the record decides, so that all runs are equal.
 */
const moment = defineOperator({
  ...inSeries,
  output: type<Statistic>(),
  state: { sampled: valueState<Sampled>() },
  onRecord({ sensor, type: observed, value }, { state, emit }) {
    const before = state.sampled.get() ?? { seen: 0, items: [], counts: [] };
    const [seen, items, counts] = [before.seen + 1, [...before.items], [...before.counts]];
    const known = items.indexOf(value);
    if (known >= 0) counts[known] = (counts[known] as number) + 1;
    else {
      const at = items.length < STATS.momentItems ? items.length : replacedItem(seen);
      items[at] = value;
      counts[at] = 1;
    }
    state.sampled.set({ seen, items, counts });
    const sum = counts.reduce((total, count) => total + seen * (2 * count - 1), 0);
    emit({ kind: 'moment', sensor, type: observed, values: [sum / items.length] });
  },
});

/** Which of the items gives way to the value of record number `seen`. */
export const replacedItem = (seen: number): number => (fmix32(seen) >>> 0) % STATS.momentItems;

const BUCKETS = 2 ** STATS.bucketBits;
/** Durand's and Flajolet's constant, for ranks from 0. */
export const LOGLOG_ALPHA = 0.79402;

interface LogLog {
  readonly ranks: readonly number[];
  readonly sum: number;
}

/** How many sensors have observed something of a type so far, about (LogLog, Durand and Flajolet 2003). */
const distinct = defineOperator({
  key: type<{ readonly type: string }>(),
  input: type<Observation>(),
  output: type<Statistic>(),
  state: { seen: valueState<LogLog>() },
  onRecord({ sensor, type: observed }, { state, emit }) {
    let seen = state.seen.get() ?? { ranks: new Array<number>(BUCKETS).fill(0), sum: 0 };
    const { bucket, rank } = logLogPlace(sensor);
    const before = seen.ranks[bucket] as number;
    if (rank > before) {
      seen = { ranks: seen.ranks.with(bucket, rank), sum: seen.sum + rank - before };
      state.seen.set(seen);
    }
    const estimate = Math.floor(LOGLOG_ALPHA * BUCKETS * 2 ** (seen.sum / BUCKETS));
    emit({ kind: 'distinct', sensor, type: observed, values: [estimate] });
  },
});

/** The bucket of a text's hash, and the number of zeros that the rest of it ends with. */
export function logLogPlace(text: string): { readonly bucket: number; readonly rank: number } {
  const hash = textHash(text, 4);
  const rest = hash >> STATS.bucketBits;
  return { bucket: hash & (BUCKETS - 1), rank: rest === 0 ? 31 : 31 - Math.clz32(rest & -rest) };
}

/** Parse, Bloom filter, then side by side block average, Kalman filter with sliding regression, second moment, distinct count (RIoTBench's STATS). */
export function statsJob(registry: Registry, sink: Sink<Statistic, 'exactly-once'>): JobDefinition {
  const registered = new BloomFilter([...registry.keys()]);
  return defineJob('riot-stats', { guarantee: 'exactly-once', checkpointInterval: '1s' }, (job) => {
    const observations = job
      .source('rows', partitionLog(TOPIC, SenmlRow), { idleAfter: '1h' })
      .flatMap(parseSenml)
      .filter(({ sensor }) => registered.has(sensor));
    const series = observations.keyBy('sensor', 'type');
    const averages = series
      .window(countWindow(STATS.block))
      .aggregate('average', { mean: avg('value') })
      .map(({ key, value }): Statistic => ({ kind: 'average', ...key, values: [value.mean ?? Number.NaN] }));
    const predictions = series
      .process('kalman', kalman)
      .keyBy('sensor', 'type')
      .process('regression', regression);
    const moments = series.process('moment', moment);
    const counts = observations.keyBy('type').process('distinct', distinct);
    averages.union(predictions, moments, counts).to('publish', sink);
  });
}
