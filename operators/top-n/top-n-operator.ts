import {
  createKeySpace,
  type FieldKeySpace,
  invariant,
  KeyedSnapshots,
  type LoopWriter,
  MillraceError,
  type Operator,
  type OperatorContext,
  type OperatorCounters,
  type OperatorState,
  type Output,
  type Records,
  resultOf,
  RowEmitter,
  type RowLoop,
  type RowText,
  type ValueKeySpace,
  type Waiting,
  writeKeySlot,
} from '#engine';
import { recordLoop } from '../record-loop.ts';
import type { TumblingWindows } from '../window/assigner.ts';
import { LatestRanks } from './latest-ranks.ts';
import { type RankStore, RankTable } from './rank-table.ts';
import { emptyTops, restoreTops, storeTops, type TopBody, type TopShape } from './top-n-snapshot.ts';
import { type TopPane, TopWindows } from './top-windows.ts';

/** TopNOptions, checked. */
export interface TopNSpec {
  readonly n: number;
  readonly by: string | ((row: unknown) => number | null | undefined);
  readonly order: 'desc' | 'asc';
  readonly id: string | ((row: unknown) => unknown) | null;
  readonly idsMax: number;
  readonly windows: TumblingWindows | null;
  readonly allowedLatenessMs: number;
}

/**
 * Keyed top-N. Scores are stored so that lower is better.
 *
 * TN1 windowed: a window gives each of its keys' rankings once, when the watermark reaches `end − 1`, at that time.
 * TN2 a later record that the window still takes (`end − 1 + allowed lateness` above the watermark) gives its key's ranking again
 *     if it changed it; one later than that goes to `late`, and nowhere else.
 * TN3 running: a record that changes its key's ranking gives it, at the record's time; others give nothing.
 * TN4 the watermark is part of the snapshot: what has been given is not given again.
 */
export class TopNOperator implements Operator {
  readonly #spec: TopNSpec;
  readonly #shape: TopShape;
  readonly #context: OperatorContext;
  readonly #keys: FieldKeySpace | ValueKeySpace;
  readonly #windows: TopWindows<RankStore>;
  readonly #snapshots: KeyedSnapshots<TopBody>;
  readonly #loop: RowLoop;
  readonly #emitter: RowEmitter;
  readonly #late: { readonly output: Output; readonly emitter: RowEmitter } | null;
  #lateRecords = 0;
  #idle = false;

  constructor(spec: TopNSpec, context: OperatorContext) {
    invariant(context.keys !== null, `top-N '${context.operator}' needs a keyed input`);
    const { n, id, idsMax, order, windows } = spec;
    const keys = createKeySpace(context.keys, context.maxParallelism, {
      listsGroups: true,
      ownGroups: context.ownGroups,
    });
    this.#spec = spec;
    this.#shape = {
      order,
      kept: id === null ? n : idsMax,
      isById: id !== null,
      isWindowed: windows !== null,
    };
    this.#context = context;
    this.#keys = keys;
    this.#snapshots = new KeyedSnapshots(keys, context.maxParallelism, {
      empty: () => emptyTops(this.#shape),
      store: (slot, body, key) => storeTops(slot, body, key, this.#windows),
    });
    const idOf = id === null ? null : idReader(id, context.operator);
    this.#windows = new TopWindows<RankStore>(windows, spec.allowedLatenessMs, () =>
      idOf === null ? new RankTable(n, keys.slots) : new LatestRanks(n, idsMax, idOf, keys.slots),
    );
    this.#emitter = new RowEmitter(context.output);
    const late = windows === null ? null : context.side('late');
    this.#late = late === null ? null : { output: late, emitter: new RowEmitter(late) };
    this.#loop = recordLoop(context, this);
  }

  records(records: Records): void {
    this.#idle = false;
    this.#keys.reclaim();
    this.#loop.run(records);
    this.#late?.emitter.flush();
    this.#emitter.flush();
  }

  accept(row: unknown, time: number): void {
    const slot = this.#keys.slotOfRow(row);
    const { by, order } = this.#spec;
    const value = typeof by === 'string' ? (row as Readonly<Record<string, number | null>>)[by] : by(row);
    const pane = this.#windows.paneAt(time);
    if (pane === null) this.late(row, time);
    else if (typeof value === 'number' && value === value)
      this.offer(pane, slot, order === 'desc' ? -value : value, time, row);
  }

  generate(writer: LoopWriter, row: RowText): void {
    const { by, order, windows, id } = this.#spec;
    const late = windows === null ? null : (row.again() ?? row.object());
    const slot = writeKeySlot(writer, row, this.#keys);
    const value = writer.local('value');
    const time = writer.local('time');
    const pane = writer.local('pane');
    const score = writer.local('score');
    const text = typeof by === 'function' ? resultOf(writer, row, 'by', by).text() : row.cell(by);
    writer.line(`const ${value} = ${text};`);
    writer.line(`const ${time} = ${row.time};`);
    writer.line(`let ${pane} = ${writer.bind('windows', this.#windows)}.current;`);
    if (late !== null) this.#writeWindow(writer, { pane, time, late });
    writer.line(`if (typeof ${value} !== 'number' || ${value} !== ${value}) continue;`);
    writer.line(`const ${score} = ${order === 'desc' ? '-' : ''}${value};`);
    if (id === null) writer.line(`if (${score} > ${pane}.ranks.worst[${slot}]) continue;`);
    writer.line(`${writer.bind('top', this)}.offer(${pane}, ${slot}, ${score}, ${time}, ${row.object()});`);
  }

  offer(pane: TopPane, slot: number, score: number, time: number, row: unknown): void {
    this.#snapshots.touch(slot);
    if (pane.ranks.offer(slot, score, time, row) && pane.fired) this.#give(pane, slot, time);
  }

  /** A record of a closed window (TN2). */
  late(row: unknown, time: number): void {
    this.#lateRecords++;
    this.#late?.emitter.emit(row, time);
  }

  watermark(time: number): void {
    if (time <= this.#windows.watermark) return;
    this.#idle = false;
    this.#windows.watermark = time;
    if (this.#spec.windows !== null) {
      for (const pane of this.#windows.due()) {
        pane.fired = true;
        for (const slot of pane.ranks.slots) this.#give(pane, slot, time);
      }
      this.#windows.expire((pane) => {
        for (const slot of pane.ranks.slots) this.#snapshots.touch(slot);
      });
      this.#emitter.flush();
    }
    this.#context.output.watermark(time);
    this.#late?.output.watermark(time);
  }

  idle(): void {
    this.#idle = true;
    this.#context.output.idle();
    this.#late?.output.idle();
  }

  waiting(): Waiting | null {
    const next = this.#windows.next();
    return next === null ? null : { what: 'window', until: next.end - 1, count: next.count };
  }

  counters(): OperatorCounters {
    return { keys: this.#keys.size, timers: this.#windows.size, lateRecords: this.#lateRecords };
  }

  snapshot(): OperatorState {
    return {
      watermark: this.#windows.watermark,
      idle: this.#idle,
      items: [],
      ...this.#snapshots.take(),
    };
  }

  restore(parts: readonly OperatorState[]): void {
    this.#windows.watermark = Math.min(...parts.map((part) => part.watermark));
    this.#idle = parts.every((part) => part.idle);
    restoreTops(parts, this.#windows, this.#keys, {
      shape: this.#shape,
      windows: this.#spec.windows,
      operator: this.#context.operator,
    });
  }

  #give(pane: TopPane, slot: number, time: number): void {
    const key = this.#keys.value(slot);
    const top = pane.ranks.top(slot);
    if (this.#spec.windows === null) this.#emitter.emit({ key, top }, time);
    else this.#emitter.emit({ key, window: { start: pane.start, end: pane.end }, top }, pane.end - 1);
  }

  #writeWindow(
    writer: LoopWriter,
    { pane, time, late }: { readonly pane: string; readonly time: string; readonly late: string },
  ): void {
    const windows = writer.bind('windows', this.#windows);
    writer.open(`if (${time} < ${pane}.start || ${time} >= ${pane}.end) {`);
    writer.line(`${pane} = ${windows}.paneAt(${time});`);
    writer.line(`if (${pane} === null) { ${writer.bind('top', this)}.late(${late}, ${time}); continue; }`);
    writer.close('}');
  }
}

/** Reads a row's id; refuses what cannot identify anything. */
function idReader(id: string | ((row: unknown) => unknown), operator: string): (row: unknown) => unknown {
  return (row) => {
    const value = typeof id === 'string' ? (row as Readonly<Record<string, unknown>>)[id] : id(row);
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
    throw new MillraceError(
      'MR_KEY_INVALID',
      `Top-N operator '${operator}' needs a string, number or boolean as id, got ${value === null ? 'null' : typeof value}. Correct the producer, or filter such records out.`,
      { details: { operator } },
    );
  };
}
