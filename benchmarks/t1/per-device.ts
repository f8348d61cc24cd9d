import { defineOperator, mapState, type } from '#operators';
import type { ResultRow } from './outcome.ts';
import { type Measure, WINDOW_MS } from './workload.ts';

const FIELDS = ['temperature', 'humidity', 'pressure', 'battery'] as const;

/** How often, then sum, minimum and maximum of each field. */
type Sums = number[];

function emptySums(): Sums {
  return [0, ...FIELDS.flatMap(() => [0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])];
}

/** T1 as an operator of its own: the windows of a device in map state, each given by a timer. */
export const perDevice = defineOperator({
  key: type<{ device: string }>(),
  input: type<Measure>(),
  output: type<ResultRow>(),
  state: { windows: mapState<number, Sums>() },
  onRecord({ ts, temperature, humidity, pressure, battery }, { state, timers }) {
    const start = ts - (ts % WINDOW_MS);
    let sums = state.windows.get(start);
    if (sums === undefined) {
      sums = emptySums();
      timers.at(start + WINDOW_MS - 1);
    }
    sums[0] = (sums[0] as number) + 1;
    add(sums, 1, temperature);
    add(sums, 4, humidity);
    add(sums, 7, pressure);
    add(sums, 10, battery);
    state.windows.set(start, sums);
  },
  onTimer(at, { key: { device }, state, emit }) {
    const start = at + 1 - WINDOW_MS;
    const values = state.windows.get(start);
    if (values === undefined) return;
    const n = values[0] as number;
    for (let sum = 1; sum < values.length; sum += 3) values[sum] = (values[sum] as number) / n;
    emit({ device, start, values });
    state.windows.delete(start);
  },
});

function add(sums: Sums, at: number, value: number): void {
  sums[at] = (sums[at] as number) + value;
  if (value < (sums[at + 1] as number)) sums[at + 1] = value;
  if (value > (sums[at + 2] as number)) sums[at + 2] = value;
}
