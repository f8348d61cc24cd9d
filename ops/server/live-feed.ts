import type { Clock } from '../../engine/base/clock.ts';
import type { JobHandle, JobStatus } from '../../engine/coordinator/job-status.ts';
import type { LakeState, ReadLake } from '../lake-state.ts';
import type { KeyedPoint, SeriesReader } from '../series-reader.ts';
import { type JobFigures, jobFigures, type TimeShares, timeShares } from '../telemetry/job-figures.ts';
import { PacedRead } from './paced-read.ts';

/** One job on the live page. */
export interface JobView {
  readonly status: JobStatus;
  readonly figures: JobFigures;
  readonly flows: Readonly<Record<string, OperatorFlow>>;
}

/** What an operator did since the snapshot before; null without one, or when its totals began anew. */
export interface OperatorFlow {
  readonly inPerSecond: number | null;
  readonly outPerSecond: number | null;
  readonly shares: TimeShares | null;
}

export interface LatestWindows {
  readonly series: string;
  readonly latest: readonly KeyedPoint[];
}

/** A snapshot is complete: it replaces the one before, so a client may miss any. */
export interface LiveSnapshot {
  readonly kind: 'snapshot';
  /** Epoch ms. */
  readonly at: number;
  readonly jobs: readonly JobView[];
  readonly windows: LatestWindows | null;
  readonly lake: LakeState | null;
}

export interface LiveFeedOptions {
  readonly jobs: () => readonly JobHandle[];
  readonly series: () => SeriesReader | null;
  readonly lake: ReadLake;
  readonly clock: Clock;
}

/** Figures kept per job: 240 of 500 ms are the last two minutes. */
const HISTORY_MAX = 240;
const DEVICES_SHOWN = 8;
const SERIES_EVERY_MS = 1_000;
const LAKE_EVERY_MS = 2_000;

interface Before {
  readonly at: number;
  readonly statuses: ReadonlyMap<string, JobStatus>;
}

/**
 * Takes the snapshots that all live clients share.
 * LF1 `take` is synchronous and reads each job once; the stores are read beside it ({@link PacedRead}).
 * LF2 a job that is gone leaves nothing behind.
 */
export class LiveFeed {
  readonly #options: LiveFeedOptions;
  readonly #history = new Map<string, JobFigures[]>();
  readonly #windows: PacedRead<LatestWindows | null>;
  readonly #lake: PacedRead<LakeState | null>;
  #before: Before = { at: 0, statuses: new Map() };

  constructor(options: LiveFeedOptions) {
    const { series, lake, clock } = options;
    this.#options = options;
    this.#windows = new PacedRead({ read: () => newestWindows(series()), everyMs: SERIES_EVERY_MS, clock });
    this.#lake = new PacedRead({ read: lake, everyMs: LAKE_EVERY_MS, clock });
  }

  take(): LiveSnapshot {
    const at = this.#options.clock.now();
    const statuses = this.#options.jobs().map((job) => job.status());
    const jobs = statuses.map((status) => this.#view(status, at));
    this.#before = { at, statuses: new Map(statuses.map((status) => [status.name, status])) };
    for (const name of this.#history.keys()) if (!this.#before.statuses.has(name)) this.#history.delete(name);
    return { kind: 'snapshot', at, jobs, windows: this.#windows.latest(), lake: this.#lake.latest() };
  }

  /** Past figures by job, oldest first, for the curves of a page that was just opened. */
  history(): Readonly<Record<string, readonly JobFigures[]>> {
    return Object.fromEntries(this.#history);
  }

  #view(status: JobStatus, at: number): JobView {
    const past = this.#history.get(status.name) ?? [];
    this.#history.set(status.name, past);
    const figures = jobFigures(status, at, past.at(-1) ?? null);
    past.push(figures);
    if (past.length > HISTORY_MAX) past.shift();
    return { status, figures, flows: operatorFlows(status, at, this.#before) };
  }
}

async function newestWindows(reader: SeriesReader | null): Promise<LatestWindows | null> {
  const [series] = reader?.names() ?? [];
  if (reader === null || series === undefined) return null;
  return { series, latest: await reader.latest(series, DEVICES_SHOWN) };
}

function operatorFlows(status: JobStatus, at: number, before: Before): Record<string, OperatorFlow> {
  const earlier = before.statuses.get(status.name);
  const byId = new Map(earlier?.operators.map((operator) => [operator.id, operator]));
  const flows = status.operators.map((operator): readonly [string, OperatorFlow] => {
    const old = byId.get(operator.id);
    const perSecond = (total: number, oldTotal: number | undefined) =>
      oldTotal === undefined || total < oldTotal || at <= before.at
        ? null
        : ((total - oldTotal) * 1000) / (at - before.at);
    return [
      operator.id,
      {
        inPerSecond: perSecond(operator.recordsIn, old?.recordsIn),
        outPerSecond: perSecond(operator.recordsOut, old?.recordsOut),
        shares: old === undefined ? null : timeShares(operator, old),
      },
    ];
  });
  return Object.fromEntries(flows);
}
