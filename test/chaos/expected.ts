import { type ChaosEvent, eventAt, MARK_EVERY, tickOf, WINDOW_MS, type Workload } from './workload.ts';

export interface ExpectedWindow {
  count: number;
  sum: number;
}

/** What a job that has processed every record once must have given. */
export interface Expected {
  readonly records: number;
  /** Records that windows or the late stream must hold. */
  readonly windowed: number;
  /** By {@link windowName}. */
  readonly windows: ReadonlyMap<string, ExpectedWindow>;
  /** Names of marks and ticks, {@link markName}. */
  readonly marks: ReadonlySet<string>;
  /** Late records that are in the late stream, and what is there beyond them: doubled, or nothing that was sent late. */
  readonly late: number;
  readonly lateWrong: number;
  readonly lanes: readonly ExpectedLane[];
}

/** What the lake must hold of one (feeder, lane). */
export interface ExpectedLane {
  readonly feeder: number;
  readonly lane: number;
  readonly rows: number;
  readonly valueSum: number;
  readonly timeSum: number;
}

export const windowName = (device: string, start: number): string => `${device}@${start}`;
export const markName = (device: string, kind: string, which: number): string => `${device} ${kind} ${which}`;

/** Makes all `due` records of every (feeder, lane) again. Which of the late ones count is told by the late stream. */
export function expect(workload: Workload, due: number, late: readonly ChaosEvent[]): Expected {
  const left = new Map<string, number>();
  for (const event of late) left.set(identity(event), (left.get(identity(event)) ?? 0) + 1);
  const windows = new Map<string, ExpectedWindow>();
  const counts = new Map<string, number>();
  const marks = new Set<string>();
  let [windowed, lateFound] = [0, 0];
  for (const event of allEvents(workload, due)) {
    const seen = (counts.get(event.device) ?? 0) + 1;
    counts.set(event.device, seen);
    if (event.cold ? seen > 1 : seen % MARK_EVERY === 0) marks.add(markName(event.device, 'mark', seen));
    if (event.cold) continue;
    windowed++;
    if (!event.late) marks.add(markName(event.device, 'tick', tickOf(event.at)));
    const times = left.size === 0 || !event.late ? 0 : (left.get(identity(event)) ?? 0);
    if (times > 0) {
      left.set(identity(event), times - 1);
      lateFound++;
    } else count(windows, event);
  }
  return {
    records: due * workload.feeders * workload.lanes,
    windowed,
    windows,
    marks,
    late: lateFound,
    lateWrong: late.length - lateFound,
    lanes: expectedLanes(workload, due),
  };
}

export function expectedLanes(workload: Workload, due: number): readonly ExpectedLane[] {
  const lanes: ExpectedLane[] = [];
  for (let feeder = 0; feeder < workload.feeders; feeder++) {
    for (let lane = 0; lane < workload.lanes; lane++) {
      let [valueSum, timeSum] = [0, 0];
      for (let n = 1; n <= due; n++) {
        const { at, value } = eventAt(workload, feeder, lane, n);
        valueSum += value;
        timeSum += at % 9_973;
      }
      lanes.push({ feeder, lane, rows: due, valueSum, timeSum });
    }
  }
  return lanes;
}

function* allEvents(workload: Workload, due: number): Iterable<ChaosEvent> {
  for (let feeder = 0; feeder < workload.feeders; feeder++) {
    for (let lane = 0; lane < workload.lanes; lane++) {
      for (let n = 1; n <= due; n++) yield eventAt(workload, feeder, lane, n);
    }
  }
}

function identity({ feeder, lane, n }: ChaosEvent): string {
  return `${feeder}/${lane}/${n}`;
}

function count(windows: Map<string, ExpectedWindow>, { device, at, value }: ChaosEvent): void {
  const name = windowName(device, Math.floor(at / WINDOW_MS) * WINDOW_MS);
  const window = windows.get(name);
  if (window === undefined) windows.set(name, { count: 1, sum: value });
  else {
    window.count++;
    window.sum += value;
  }
}
