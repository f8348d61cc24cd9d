import { hasCode, MillraceError } from '../base/errors.ts';
import type { Element } from '../runtime/channel.ts';
import type { Records } from '../runtime/operator.ts';
import type { Source, SourceContext, SourceReader, SourceSnapshot } from '../runtime/source.ts';
import { PartitionClock } from '../time/partition-clock.ts';
import { MAX_WATERMARK, MIN_WATERMARK } from '../time/watermark.ts';
import { BatchBuilder } from '../wire/batch-builder.ts';
import { isTime, valueText } from '../wire/field-check.ts';
import type { Schema } from '../wire/schema.ts';
import { SourceTime } from './source-time.ts';

/** Where the event time of plain rows comes from. */
export interface RowTimes<Row> {
  /** Epoch ms. */
  readonly time: (row: Row) => number;
}

/**
 * A bounded source of rows in memory, for tests and batch jobs: row i goes to subtask `i mod parallelism`, in order, and the job
 * finishes after the last one. With a schema, rows travel as columns and are checked against it; with `time` they travel as they are.
 * Event time follows `outOfOrderness` as for any source, so rows that are not in its order need some; `maxAhead` does not apply.
 *
 * The rows must be the same whenever the job restarts; more may be appended. A row that does not fit is dealt with as the job declares (`onError`).
 * @example job.source('readings', collection([{ at: 1, n: 2 }], { time: (row) => row.at }))
 */
export function collection<Row>(rows: readonly Row[], form: Schema<Row> | RowTimes<Row>): Source<Row> {
  return {
    kind: 'collection',
    target: `${rows.length} rows`,
    open: async (context) => new CollectionReader(rows, batcherOf(form), context),
  };
}

/** Part of a snapshot: of the rows whose index is `lane` modulo {@link LANES}, those below `next` were given. */
interface LaneState {
  readonly lane: number;
  readonly next: number;
  readonly watermark: number;
}

/** Lanes move between subtasks as wholes, so that a snapshot restores at another parallelism. */
const LANES = 128;
const BATCH_ROWS_MAX = 1_000;

/**
 * CN1 a row is given by the subtask that owns its lane, once: progress is kept per lane.
 * CN2 restored event time is that of the lane that lags most.
 * CN3 the end of time comes after the last row, then the end; after a restore again.
 */
class CollectionReader<Row> implements SourceReader {
  readonly #rows: readonly Row[];
  readonly #batcher: Batcher<Row>;
  readonly #context: SourceContext;
  readonly #clock: PartitionClock;
  readonly #time: SourceTime;
  /** Of the restored snapshot, by lane; 0 for lanes of others too. */
  readonly #restored: Float64Array;
  /** Every own row below was given. */
  #at = 0;
  #given = 0;
  #ending: 'rows' | 'end' | 'ended' = 'rows';

  constructor(rows: readonly Row[], batcher: Batcher<Row>, context: SourceContext) {
    this.#rows = rows;
    this.#batcher = batcher;
    this.#context = context;
    this.#restored = new Float64Array(LANES);
    const nowMs = context.clock.monotonic();
    this.#clock = new PartitionClock({ ...context.options, nowMs });
    let watermark = MAX_WATERMARK;
    for (const state of context.restored as readonly LaneState[]) {
      if (!this.#owns(state.lane)) continue;
      this.#restored[state.lane] = state.next;
      watermark = Math.min(watermark, state.watermark);
    }
    if (watermark !== MAX_WATERMARK) this.#clock.restore({ watermark, idle: false, producers: [] }, nowMs);
    this.#time = new SourceTime([this.#clock], context);
  }

  poll(): Element | null {
    const signal = this.#time.shift();
    if (signal !== null) return signal;
    switch (this.#ending) {
      case 'rows': {
        if (this.#time.paused(0)) return null;
        const records = this.#next();
        if (records !== null) return { kind: 'records', records };
        this.#ending = 'end';
        this.#time.close();
        return { kind: 'watermark', time: MAX_WATERMARK };
      }
      case 'end':
        this.#ending = 'ended';
        return { kind: 'end' };
      case 'ended':
        return null;
    }
  }

  snapshot(): SourceSnapshot {
    const items: LaneState[] = [];
    for (let lane = 0; lane < LANES; lane++) {
      if (!this.#owns(lane)) continue;
      const next = Math.max(this.#at, this.#restored[lane] as number);
      items.push({ lane, next, watermark: this.#clock.watermark });
    }
    return { items, positions: [] };
  }

  status(): ReturnType<SourceReader['status']> {
    const { watermark } = this.#clock;
    const ended = this.#ending !== 'rows';
    return [
      {
        topic: `${this.#rows.length} rows`,
        partition: this.#context.subtask,
        offset: this.#at,
        lagRecords: ended ? 0 : null,
        lagMs: ended ? 0 : null,
        watermark: ended ? MAX_WATERMARK : watermark === MIN_WATERMARK ? null : watermark,
        idle: ended,
        paused: this.#time.paused(0),
        recordsRead: this.#given,
        bytesRead: 0,
      },
    ];
  }

  async close(): Promise<void> {
    this.#time.close();
  }

  #owns(lane: number): boolean {
    return lane % this.#context.parallelism === this.#context.subtask;
  }

  /** The next batch of own rows, or null when there are none left. */
  #next(): Records | null {
    const batcher = this.#batcher;
    while (batcher.count < BATCH_ROWS_MAX && this.#at < this.#rows.length) {
      const i = this.#at++;
      const lane = i % LANES;
      if (this.#owns(lane) && i >= (this.#restored[lane] as number)) this.#add(this.#rows[i] as Row);
    }
    if (batcher.count === 0) return null;
    this.#given += batcher.count;
    const { records, newestMs } = batcher.finish();
    this.#time.observe(0, '', newestMs, Number.NaN);
    return records;
  }

  #add(row: Row): void {
    try {
      this.#batcher.add(row);
    } catch (error) {
      if (!hasCode(error, 'MR_RECORD_INVALID')) throw error;
      this.#context.unreadable(error, row);
    }
  }
}

/** Collects rows in one of the forms that records travel in. */
interface Batcher<Row> {
  readonly count: number;
  /** @throws MR_RECORD_INVALID */
  readonly add: (row: Row) => void;
  readonly finish: () => { readonly records: Records; readonly newestMs: number };
}

function batcherOf<Row>(form: Schema<Row> | RowTimes<Row>): Batcher<Row> {
  return 'time' in form ? rowBatcher(form) : columnBatcher(form);
}

function columnBatcher<Row>(schema: Schema<Row>): Batcher<Row> {
  const builder = new BatchBuilder(schema);
  return {
    get count() {
      return builder.count;
    },
    add: (row) => builder.append(row),
    finish() {
      const batch = builder.finish();
      return {
        records: { kind: 'columns', batch, selection: null },
        newestMs: newest(batch.times.subarray(0, batch.count)),
      };
    },
  };
}

function rowBatcher<Row>({ time: timeOf }: RowTimes<Row>): Batcher<Row> {
  let rows: Row[] = [];
  let times: number[] = [];
  return {
    get count() {
      return rows.length;
    },
    add(row) {
      const time = timeOf(row);
      if (!isTime(time)) {
        throw new MillraceError(
          'MR_RECORD_INVALID',
          `The event time of a row must be epoch ms within ±8.64e15, got ${valueText(time)}.`,
        );
      }
      rows.push(row);
      times.push(time);
    },
    finish() {
      const records: Records = { kind: 'rows', rows, times: Float64Array.from(times) };
      rows = [];
      times = [];
      return { records, newestMs: newest(records.times) };
    },
  };
}

function newest(times: Float64Array): number {
  let max = Number.NEGATIVE_INFINITY;
  for (const time of times) if (time > max) max = time;
  return max;
}
