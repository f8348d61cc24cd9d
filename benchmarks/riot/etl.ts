import {
  defineJob,
  defineOperator,
  type JobDefinition,
  mapState,
  partitionLog,
  type,
  valueState,
} from '#operators';
import type { Sink } from '#engine';
import { BloomFilter } from './bloom-filter.ts';
import { OBSERVED, type Observation, parseSenml, SenmlRow, senmlOfLine, TOPIC } from './senml.ts';
import type { Registry } from './workload.ts';

/** An observation, or that there is none to be believed. */
interface Checked extends Omit<Observation, 'value'> {
  readonly value: number | null;
}

interface Line {
  readonly sensor: string;
  readonly text: string;
}

/** Values that a missing one is the mean of. */
const RECENT = 5;
const RANGES = new Map<string, { readonly low: number; readonly high: number }>(
  OBSERVED.map(({ name, low, high }) => [name, { low, high }]),
);

/** An observation out of its range is missing from then on. */
function inRange(observation: Observation): Checked {
  const range = RANGES.get(observation.type);
  const { value } = observation;
  return range === undefined || (value >= range.low && value <= range.high)
    ? observation
    : { ...observation, value: null };
}

/** A missing value becomes the mean of the last five of its sensor and type, 0 where there was none yet. */
const interpolate = defineOperator({
  key: type<{ readonly sensor: string; readonly type: string }>(),
  input: type<Checked>(),
  output: type<Observation>(),
  state: { recent: valueState<readonly number[]>() },
  onRecord(observation, { state, emit }) {
    const recent = state.recent.get() ?? [];
    const { value } = observation;
    if (value === null) return emit({ ...observation, value: meanOf(recent) });
    state.recent.set(recent.length < RECENT ? [...recent, value] : [...recent.slice(1), value]);
    emit({ ...observation, value });
  },
});

function meanOf(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The observations of a message as one line, once all have come. */
const join = defineOperator({
  key: type<{ readonly message: number }>(),
  input: type<Observation>(),
  output: type<Line>(),
  state: { values: mapState<string, number>() },
  onRecord({ at, sensor, longitude, latitude, type: observed, value }, { state, emit }) {
    const { values } = state;
    values.set(observed, value);
    if (values.size < OBSERVED.length) return;
    const all = OBSERVED.map(({ name }) => values.get(name));
    values.clear();
    emit({ sensor, text: [at, sensor, longitude, latitude, ...all].join(',') });
  },
});

/** Parse, range filter, Bloom filter, interpolation, join, annotation, SenML again (RIoTBench's ETL). */
export function etlJob(registry: Registry, sink: Sink<string, 'exactly-once'>): JobDefinition {
  const registered = new BloomFilter([...registry.keys()]);
  const annotated = ({ sensor, text }: Line) => {
    const annotation = registry.get(sensor);
    return annotation === undefined ? text : `${text},${annotation}`;
  };
  return defineJob('riot-etl', { guarantee: 'exactly-once', checkpointInterval: '1s' }, (job) => {
    job
      .source('rows', partitionLog(TOPIC, SenmlRow), { idleAfter: '1h' })
      .flatMap(parseSenml)
      .map(inRange)
      .filter(({ sensor }) => registered.has(sensor))
      .keyBy('sensor', 'type')
      .process('interpolate', interpolate)
      .keyBy('message')
      .process('join', join)
      .map(annotated)
      .map(senmlOfLine)
      .to('publish', sink);
  });
}
