import {
  createKeySpace,
  type FieldKeySpace,
  invariant,
  KeyedSnapshots,
  type LoopWriter,
  MAX_WATERMARK,
  MIN_WATERMARK,
  MillraceError,
  type Operator,
  type OperatorContext,
  type OperatorCounters,
  type OperatorState,
  plusSaturating,
  ProcessingTimers,
  type Records,
  resultOf,
  RowEmitter,
  type RowLoop,
  type RowText,
  type StoredKeyGroup,
  TimerQueue,
  type ValueKeySpace,
  writeKeySlot,
} from '#engine';
import { recordLoop } from '../record-loop.ts';
import { type SeenStore, SeenTable, SeenValues } from './seen-table.ts';

/** DistinctOptions, checked. */
export interface DistinctSpec {
  /** What an entry's time is measured by; `forever` when it has no end. */
  readonly time: 'event' | 'processing' | 'forever';
  readonly ttlMs: number;
  readonly of: string | ((row: unknown) => unknown) | null;
}

/** What one key group stores beside its keys. */
export interface SeenBody {
  readonly time: DistinctSpec['time'];
  readonly isByValue: boolean;
  /** Per entry: its key's index, its value (null without `of`), and when it ends. */
  readonly key: number[];
  readonly value: unknown[];
  readonly expiry: number[];
}

/** Entries are swept in this many steps of a ttl: a timer per step and slot, not per entry. */
const SWEEPS_PER_TTL = 64;

/**
 * Passes first records only. An entry begins with the record that passes and ends `ttl` later; others do not prolong it.
 *
 * DI1 event time: a record passes unless an entry of its key (and value) is alive and the record's time lies before the entry's end.
 *     An entry is alive while the watermark lies before its end: what comes after that passes again, and begins anew.
 * DI2 processing time: the same with the clock, read once per batch, in place of both times.
 * DI3 the answer never depends on when entries are swept: sweeping only gives memory back.
 * DI4 entries and watermark are part of the snapshot: what has passed does not pass again after a restore.
 */
export class DistinctOperator implements Operator {
  readonly #spec: DistinctSpec;
  readonly #context: OperatorContext;
  readonly #keys: FieldKeySpace | ValueKeySpace;
  readonly #seen: SeenStore;
  readonly #snapshots: KeyedSnapshots<SeenBody>;
  readonly #sweeps: TimerQueue;
  readonly #clockSweeps: ProcessingTimers;
  readonly #sweepStepMs: number;
  readonly #emitter: RowEmitter;
  readonly #loop: RowLoop;
  #watermark = MIN_WATERMARK;
  #idle = false;
  #nowMs = 0;
  /** Entries that ended until then are not in the last snapshot. */
  #endedAtSnapshot = 0;

  constructor(spec: DistinctSpec, context: OperatorContext) {
    invariant(context.keys !== null, `distinct '${context.operator}' needs a keyed input`);
    this.#spec = spec;
    this.#context = context;
    this.#keys = createKeySpace(context.keys, context.maxParallelism, {
      listsGroups: true,
      ownGroups: context.ownGroups,
    });
    this.#snapshots = new KeyedSnapshots<SeenBody>(this.#keys, context.maxParallelism, {
      empty: () => ({ time: spec.time, isByValue: spec.of !== null, key: [], value: [], expiry: [] }),
      store: (slot, body, key) => this.#store(slot, body, key),
    });
    this.#seen = spec.of === null ? new SeenTable(this.#keys.slots) : new SeenValues(this.#keys.slots);
    this.#sweeps = new TimerQueue();
    this.#clockSweeps = new ProcessingTimers(context.clock, context.wake);
    this.#sweepStepMs = Math.max(1, Math.floor(spec.ttlMs / SWEEPS_PER_TTL));
    this.#emitter = new RowEmitter(context.output);
    this.#loop = recordLoop(context, this);
  }

  records(records: Records): void {
    this.#idle = false;
    this.#nowMs = this.#context.clock.now();
    this.#keys.reclaim();
    this.#loop.run(records);
    this.#emitter.flush();
  }

  accept(row: unknown, time: number): void {
    const slot = this.#keys.slotOfRow(row);
    const { of } = this.#spec;
    const value =
      of === null ? null : typeof of === 'string' ? (row as Readonly<Record<string, unknown>>)[of] : of(row);
    if (this.isFirst(slot, value, time)) this.emit(row, time);
  }

  generate(writer: LoopWriter, row: RowText): void {
    const { of } = this.#spec;
    const slot = writeKeySlot(writer, row, this.#keys);
    const operator = writer.bind('distinct', this);
    let value = 'null';
    if (typeof of === 'function') value = resultOf(writer, row, 'of', of).text();
    else if (of !== null) value = row.cell(of);
    writer.line(`if (!${operator}.isFirst(${slot}, ${value}, ${row.time})) continue;`);
    writer.line(`${operator}.emit(${row.object()}, ${row.time});`);
  }

  /** Whether a record passes; if so its entry begins (DI1, DI2). */
  isFirst(slot: number, value: unknown, time: number): boolean {
    const scalar = this.#spec.of === null ? null : this.#scalar(value);
    const known = this.#seen.expiryOf(slot, scalar);
    switch (this.#spec.time) {
      case 'event': {
        if (known > this.#watermark && time < known) return false;
        const expiry = plusSaturating(time, this.#spec.ttlMs);
        if (expiry > this.#watermark) this.#remember(slot, scalar, expiry);
        return true;
      }
      case 'processing':
        if (this.#nowMs < known) return false;
        this.#remember(slot, scalar, this.#nowMs + this.#spec.ttlMs);
        return true;
      case 'forever':
        if (known === Number.POSITIVE_INFINITY) return false;
        this.#remember(slot, scalar, Number.POSITIVE_INFINITY);
        return true;
    }
  }

  emit(row: unknown, time: number): void {
    this.#emitter.emit(row, time);
  }

  watermark(time: number): void {
    if (time <= this.#watermark) return;
    this.#idle = false;
    this.#watermark = time;
    for (let due = this.#sweeps.takeDue(time); due !== null; due = this.#sweeps.takeDue(time))
      this.#sweep(due.slot, time);
    this.#context.output.watermark(time);
  }

  idle(): void {
    this.#idle = true;
    this.#context.output.idle();
  }

  poll(): void {
    for (let due = this.#clockSweeps.takeDue(); due !== null; due = this.#clockSweeps.takeDue())
      this.#sweep(due.slot, due.time);
  }

  counters(): OperatorCounters {
    return {
      keys: this.#keys.size,
      timers: this.#sweeps.size + this.#clockSweeps.size,
      lateRecords: 0,
    };
  }

  snapshot(): OperatorState {
    const { time } = this.#spec;
    this.#endedAtSnapshot =
      time === 'event' ? this.#watermark : time === 'processing' ? this.#context.clock.now() : 0;
    return { watermark: this.#watermark, idle: this.#idle, items: [], ...this.#snapshots.take() };
  }

  restore(parts: readonly OperatorState[]): void {
    this.#watermark = Math.min(...parts.map((part) => part.watermark));
    this.#idle = parts.every((part) => part.idle);
    for (const part of parts) {
      for (const group of part.groups.values() as Iterable<StoredKeyGroup<SeenBody>>) {
        this.#refuseOther(group);
        const slots = this.#keys.slotsOf(group.keys);
        for (const [i, key] of group.key.entries())
          this.#keep(slots[key] as number, group.value[i], group.expiry[i] as number);
      }
    }
  }

  async close(): Promise<void> {
    this.#clockSweeps.close();
  }

  #store(slot: number, body: SeenBody, key: number): boolean {
    const before = body.key.length;
    this.#seen.forEachOf(slot, (value, expiry) => {
      if (expiry <= this.#endedAtSnapshot) return;
      body.key.push(key);
      body.value.push(value);
      body.expiry.push(expiry);
    });
    return body.key.length > before;
  }

  #sweep(slot: number, time: number): void {
    this.#snapshots.touch(slot);
    this.#seen.sweep(slot, time);
  }

  #remember(slot: number, value: unknown, expiry: number): void {
    this.#snapshots.touch(slot);
    this.#keep(slot, value, expiry);
  }

  #keep(slot: number, value: unknown, expiry: number): void {
    this.#seen.remember(slot, value, expiry);
    if (this.#spec.time === 'forever') return;
    const sweepAt = Math.min(MAX_WATERMARK, Math.ceil(expiry / this.#sweepStepMs) * this.#sweepStepMs);
    if (this.#spec.time === 'event') this.#sweeps.add(slot, sweepAt);
    else this.#clockSweeps.add(slot, sweepAt);
  }

  #scalar(value: unknown): unknown {
    if (value === undefined || value === null) return null;
    if (typeof value !== 'object' && typeof value !== 'function' && typeof value !== 'symbol') return value;
    throw new MillraceError(
      'MR_KEY_INVALID',
      `Distinct '${this.#context.operator}' needs a string, number, boolean or null to tell records apart, got ${Array.isArray(value) ? 'an array' : `a value of type ${typeof value}`}. Make one of it.`,
      { details: { operator: this.#context.operator } },
    );
  }

  #refuseOther(group: SeenBody): void {
    const { time, of } = this.#spec;
    if (group.time === time && group.isByValue === (of !== null)) return;
    const text = (kind: string, isByValue: boolean) => `${kind} entries${isByValue ? ' by value' : ''}`;
    throw new MillraceError(
      'MR_STATE_INCOMPATIBLE',
      `Distinct '${this.#context.operator}' has stored ${text(group.time, group.isByValue)}, the job asks for ${text(time, of !== null)}. Give the operator a new id to start it afresh.`,
      { details: { operator: this.#context.operator } },
    );
  }
}
