import { type Batch, decodeFrame, rowReader } from '#wire';
import { bloomSize, bloomSteps } from './bloom-filter.ts';
import type { Dataflow } from './engine.ts';
import type { ResultSum } from './result-sum.ts';
import { OBSERVED, SenmlRow } from './senml.ts';
import { logLogPlace, LOGLOG_ALPHA, replacedItem, STATS } from './stats.ts';
import type { Registry } from './workload.ts';

/** Adds up what a dataflow must publish of these frames: plain loops and maps, without the engine and its operators. */
export function recount(
  dataflow: Dataflow,
  frames: readonly Uint8Array[],
  registry: Registry,
  sum: ResultSum,
): void {
  const isRegistered = membership(registry);
  const take = dataflow === 'etl' ? etl(registry, sum) : stats(sum);
  for (const message of messagesOf(frames)) if (isRegistered(message.source)) take(message);
}

interface Message {
  readonly at: number;
  readonly source: string;
  readonly longitude: string;
  readonly latitude: string;
  /** In the order of {@link OBSERVED}. */
  readonly values: readonly number[];
}

function* messagesOf(frames: readonly Uint8Array[]): Generator<Message> {
  const read = rowReader(SenmlRow);
  for (const frame of frames) {
    const { batch } = decodeFrame(frame, () => SenmlRow);
    for (let i = 0; i < batch.count; i++) {
      const { pack } = read(batch as Batch<SenmlRow>, i);
      const { e, bt } = JSON.parse(pack) as { e: { n: string; v?: string; sv?: string }[]; bt: number };
      const fields: Record<string, string> = {};
      for (const { n, v, sv } of e) fields[n] = (sv ?? v) as string;
      yield {
        at: bt,
        source: fields['source'] as string,
        longitude: fields['longitude'] as string,
        latitude: fields['latitude'] as string,
        values: OBSERVED.map(({ name }) => Number(fields[name])),
      };
    }
  }
}

/** Whom a Bloom filter of the registry lets through: the set of its bits. */
function membership(registry: Registry): (sensor: string) => boolean {
  const { bits, hashes } = bloomSize(registry.size);
  const bitsOf = (sensor: string) => {
    const { first, step } = bloomSteps(sensor);
    return Array.from({ length: hashes }, (_, i) => (first + i * step) % bits);
  };
  const set = new Set([...registry.keys()].flatMap(bitsOf));
  const seen = new Map<string, boolean>();
  return (sensor) => {
    const known = seen.get(sensor) ?? bitsOf(sensor).every((bit) => set.has(bit));
    seen.set(sensor, known);
    return known;
  };
}

function etl(registry: Registry, sum: ResultSum): (message: Message) => void {
  const believed = new Map<string, number[]>();
  return ({ at, source, longitude, latitude, values }) => {
    const e: object[] = [
      { n: 'source', u: 'string', sv: source },
      { n: 'longitude', u: 'lon', v: longitude },
      { n: 'latitude', u: 'lat', v: latitude },
    ];
    for (const [i, { name, unit, low, high }] of OBSERVED.entries()) {
      const history = historyOf(believed, `${source} ${name}`);
      let value = values[i] as number;
      if (value < low || value > high) {
        const last = history.slice(-5);
        value = last.length === 0 ? 0 : total(last) / last.length;
      } else history.push(value);
      e.push({ n: name, u: unit, v: String(value) });
    }
    const [location, kind] = registry.get(source)?.split(',') ?? [];
    if (location !== undefined)
      e.push({ n: 'location', u: 'string', sv: location }, { n: 'type', u: 'string', sv: kind });
    sum.add(JSON.stringify({ bt: at, e }));
  };
}

interface Series {
  readonly values: number[];
  readonly smoothed: number[];
  error: number;
  readonly sample: { value: number; count: number }[];
}

function stats(sum: ResultSum): (message: Message) => void {
  const all = new Map<string, Series>();
  const seen = OBSERVED.map((): Distinct => ({ ranks: new Map(), sum: 0 }));
  return ({ source: sensor, values }) => {
    for (const [i, { name: type }] of OBSERVED.entries()) {
      const value = values[i] as number;
      const key = `${sensor} ${type}`;
      const series = all.get(key) ?? {
        values: [],
        smoothed: [],
        error: STATS.kalman.firstError,
        sample: [],
      };
      all.set(key, series);
      series.values.push(value);
      if (series.values.length % STATS.block === 0)
        sum.add({
          kind: 'average',
          sensor,
          type,
          values: [total(series.values.slice(-STATS.block)) / STATS.block],
        });
      smooth(series, value);
      if (series.smoothed.length > STATS.trained)
        sum.add({
          kind: 'prediction',
          sensor,
          type,
          values: lineThrough(series.smoothed.slice(-STATS.trained)),
        });
      sum.add({ kind: 'moment', sensor, type, values: [secondMoment(series, value)] });
      sum.add({
        kind: 'distinct',
        sensor,
        type,
        values: [distinctSoFar(seen[i] as Distinct, sensor)],
      });
    }
  };
}

function smooth(series: Series, value: number): void {
  const { processNoise, sensorNoise } = STATS.kalman;
  const last = series.smoothed.at(-1) ?? 0;
  const error = series.error + processNoise;
  const gain = error / (error + sensorNoise);
  series.error = (1 - gain) * error;
  series.smoothed.push(last + gain * (value - last));
}

/** Least squares; the places of the values, counted from their middle, add up to 0. */
function lineThrough(values: readonly number[]): number[] {
  const mean = total(values) / values.length;
  const places = values.map((_, i) => i - (values.length - 1) / 2);
  const slope =
    total(values.map((value, i) => (places[i] as number) * (value - mean))) /
    total(places.map((place) => place * place));
  const next = (places.at(-1) as number) + 1;
  return Array.from({ length: STATS.predicted }, (_, i) => mean + slope * (next + i));
}

function secondMoment({ values, sample }: Series, value: number): number {
  const seen = values.length;
  const known = sample.find((item) => item.value === value);
  if (known !== undefined) known.count++;
  else if (sample.length < STATS.momentItems) sample.push({ value, count: 1 });
  else sample[replacedItem(seen)] = { value, count: 1 };
  return total(sample.map(({ count }) => seen * (2 * count - 1))) / sample.length;
}

interface Distinct {
  readonly ranks: Map<number, number>;
  sum: number;
}

function distinctSoFar(seen: Distinct, sensor: string): number {
  const { bucket, rank } = logLogPlace(sensor);
  const before = seen.ranks.get(bucket) ?? 0;
  seen.ranks.set(bucket, Math.max(before, rank));
  seen.sum += Math.max(before, rank) - before;
  const buckets = 2 ** STATS.bucketBits;
  return Math.floor(LOGLOG_ALPHA * buckets * 2 ** (seen.sum / buckets));
}

function historyOf(histories: Map<string, number[]>, key: string): number[] {
  const history = histories.get(key) ?? [];
  histories.set(key, history);
  return history;
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
