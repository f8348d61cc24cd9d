/**
 * The outbox: encoded frames on their way to the partition log, kept in one SQLite file until they are confirmed.
 *
 * Owns the frames, the sequence chain of every partition ("lane"), the input's position and the counters. Knows nothing
 * of the network, of inputs, or of what a frame holds. Everything here is synchronous: a commit returns after its sync.
 *
 * OB1  Frames, sequence chains, input position and counters of one {@link Outbox.commit} are stored together or not at all.
 * OB2  A lane's frames are contiguous: a hole can only be at its front, where the oldest frames were dropped or lost.
 * OB3  Under `block` no unconfirmed frame ever leaves the store.
 * OB4  A confirmed frame stays for the grace period (or until room is needed), so that a log that lost its tail can be healed.
 * OB5  A lane keeps its epoch for ever, so that a frame sent twice is known twice; it is 0 until the log was asked once.
 *      A hole is declared instead: the frame at the front names the last sequence before the hole as its predecessor.
 */
import type { DatabaseSync } from 'node:sqlite';
import { type Clock, invariant, MillraceError } from '#wire';
import {
  confirmedBefore,
  type Lane,
  type LaneState,
  markConfirmed,
  moveFront,
  newLane,
  takeBack,
} from './lane.ts';
import type { InputPosition, OutboxChange, OutboxFrame } from './outbox-change.ts';
import { isFull, openOutboxDatabase, pagesOf, storeFailure, transaction } from './outbox-database.ts';
import { type OutboxStatements, prepareStatements } from './outbox-statements.ts';

/** Rows deleted or pages given back in one commit at most, so that no commit stalls. */
const FRAMES_PRUNED_MAX = 256;
const PAGES_VACUUMED_MAX = 2_048;

export interface OutboxOptions {
  readonly directory: string;
  /** Cap of the file. At least {@link OUTBOX_BYTES_MIN}. */
  readonly bytesMax: number;
  /** What to do with new frames when the cap is reached. */
  readonly whenFull: 'block' | 'drop-oldest';
  /** How long a confirmed frame is kept. */
  readonly graceMs: number;
  /** Confirmed bytes kept at most. */
  readonly graceBytesMax: number;
  readonly clock: Clock;
}

export const OUTBOX_BYTES_MIN = 1024 * 1024;

/** Totals over the store's life. */
export interface OutboxCounters {
  accepted: number;
  rejected: number;
  /** Records dropped unsent by `drop-oldest`. */
  dropped: number;
  /** Records that the log lost after confirming them, and that were no longer kept here. */
  lost: number;
}

export type RewindResult =
  /** Everything from the asked sequence on is here and counts as unconfirmed again. */
  | { readonly kind: 'rewound' }
  /** `lost` records before the front are gone; the chain goes on over the hole. */
  | { readonly kind: 'partial'; readonly lost: number };

export class Outbox {
  /** Where a damaged predecessor was moved to, or null. */
  readonly quarantined: string | null;
  readonly #options: OutboxOptions;
  readonly #database: DatabaseSync;
  readonly #sql: OutboxStatements;
  readonly #lanes = new Map<number, LaneState>();
  readonly #counters: OutboxCounters;
  #pendingBytes = 0;
  #graceBytes = 0;

  /**
   * Opens the store in `options.directory`, creating it when there is none.
   * @throws MR_EDGE_OUTBOX when it is in use or its disk does not keep the durability settings; MR_CONFIG_INVALID.
   */
  constructor(options: OutboxOptions) {
    if (options.bytesMax < OUTBOX_BYTES_MIN) {
      throw new MillraceError(
        'MR_CONFIG_INVALID',
        `The outbox needs at least ${OUTBOX_BYTES_MIN} bytes, got ${options.bytesMax}.`,
      );
    }
    this.#options = options;
    const { database, quarantined } = openOutboxDatabase(options.directory, options.bytesMax);
    this.#database = database;
    this.quarantined = quarantined;
    this.#sql = prepareStatements(database);
    this.#counters = {
      accepted: 0,
      rejected: 0,
      dropped: 0,
      lost: 0,
      ...JSON.parse(this.fact('counters') ?? '{}'),
    };
    this.#load();
  }

  /** Totals of records over the store's life. */
  get counters(): Readonly<OutboxCounters> {
    return this.#counters;
  }

  /** Bytes of frames not confirmed yet. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** Bytes of confirmed frames kept for a rewind. */
  get graceBytes(): number {
    return this.#graceBytes;
  }

  /** Records not confirmed yet. */
  get pendingRecords(): number {
    let sum = 0;
    for (const lane of this.#lanes.values()) sum += lane.next - lane.confirmedTo;
    return sum;
  }

  lane(partition: number): Lane {
    return this.#lane(partition);
  }

  lanes(): Iterable<Lane> {
    return this.#lanes.values();
  }

  input(name: string): InputPosition | null {
    const row = this.#sql.readInput.get(name);
    return row === undefined
      ? null
      : { name, origin: String(row['origin']), position: Number(row['position']) };
  }

  /** A fact kept for the next start (the topic as last seen), or null. */
  fact(name: string): string | null {
    const row = this.#sql.readFact.get(name);
    return row === undefined ? null : String(row['value']);
  }

  /** @throws MR_EDGE_OUTBOX */
  setFact(name: string, value: string): void {
    this.#write('store a fact', () => {
      this.#sql.writeFact.run(name, value);
      this.#writeState();
    });
  }

  /**
   * Stores a change durably (OB1). `full`: nothing was stored; try again after a confirmation.
   * @throws MR_EDGE_OUTBOX when the disk fails, or the change cannot fit even into an empty store.
   */
  commit(change: OutboxChange): 'stored' | 'full' {
    for (;;) {
      if (this.#tryCommit(change)) break;
      if (!this.#makeRoom(change)) return 'full';
    }
    this.#expire();
    return 'stored';
  }

  /** Frames of a lane in order, from the one that starts at `from` on; at least one if there is any. */
  read(partition: number, from: number, framesMax: number, bytesMax: number): OutboxFrame[] {
    const frames: OutboxFrame[] = [];
    let bytesRead = 0;
    for (const row of this.#sql.readFrames.iterate(partition, from, framesMax)) {
      const bytes = row['bytes'] as Uint8Array;
      bytesRead += bytes.length;
      if (frames.length > 0 && bytesRead > bytesMax) break;
      frames.push({ partition, first: Number(row['first']), last: Number(row['last']), bytes });
    }
    return frames;
  }

  /** Notes that the log has this frame. Stored with the next commit; forgetting it only costs a repeated send. */
  confirm(frame: OutboxFrame): void {
    const lane = this.#lane(frame.partition);
    if (frame.last < lane.front) return this.#shrinkGap(lane, frame.last + 1);
    if (frame.last < lane.confirmedTo) return;
    lane.confirmedTo = frame.last + 1;
    lane.changed = true;
    this.#pendingBytes -= frame.bytes.length;
    this.#graceBytes += frame.bytes.length;
    markConfirmed(lane, this.#options.clock.monotonic(), this.#options.graceMs);
  }

  /** The log expects `expected` next: takes back confirmations from there on, or declares what is no longer here. */
  rewind(partition: number, expected: number): RewindResult {
    const lane = this.#lane(partition);
    const from = Math.max(expected, lane.front);
    if (from < lane.confirmedTo) {
      const bytes = this.#bytesBetween(partition, from, lane.confirmedTo);
      this.#graceBytes -= bytes;
      this.#pendingBytes += bytes;
      takeBack(lane, from);
    }
    if (expected <= lane.front) this.#shrinkGap(lane, expected);
    const lost = lane.gapFrom - expected;
    if (lost <= 0) return { kind: 'rewound' };
    lane.gapFrom = expected;
    lane.changed = true;
    this.#counters.lost += lost;
    return { kind: 'partial', lost };
  }

  /** Gives a new lane its epoch, durably before it is used (OB5). @throws MR_EDGE_OUTBOX */
  setEpoch(partition: number, epoch: number): void {
    const lane = this.#lane(partition);
    invariant(
      lane.epoch === 0 && epoch > 0,
      `OB5: epoch of partition ${partition} would go from ${lane.epoch} to ${epoch}`,
    );
    lane.epoch = epoch;
    lane.changed = true;
    this.#write('store an epoch', () => this.#writeState());
  }

  /** Stores confirmations that no commit has stored yet and lets expired frames go; cheap when there is nothing to do. */
  maintain(): void {
    this.#expire();
    if (![...this.#lanes.values()].some((lane) => lane.changed)) return;
    try {
      transaction(this.#database, () => this.#writeState());
      this.#stateStored();
    } catch (error) {
      if (!isFull(error)) throw storeFailure('store confirmations', error);
    }
  }

  /** Stores outstanding confirmations and closes the file. */
  close(): void {
    try {
      this.maintain();
    } finally {
      this.#database.close();
    }
  }

  /** Frames dropped while they were under way did arrive up to `to`: they are not a loss after all. */
  #shrinkGap(lane: LaneState, to: number): void {
    if (to <= lane.gapFrom) return;
    this.#counters.dropped -= to - lane.gapFrom;
    lane.gapFrom = to;
    lane.changed = true;
  }

  #tryCommit(change: OutboxChange): boolean {
    if (!this.#fits(change)) return false;
    const ends = new Map<number, number>();
    try {
      transaction(this.#database, () => {
        for (const frame of change.frames) {
          const lane = this.#lane(frame.partition);
          const start = ends.get(frame.partition) ?? lane.next;
          invariant(
            frame.first === start,
            `OB2: frame starts at ${frame.first}, lane ${frame.partition} ends at ${start}`,
          );
          this.#sql.insertFrame.run(frame.partition, frame.first, frame.last, frame.bytes);
          ends.set(frame.partition, frame.last + 1);
        }
        const { input } = change;
        if (input !== null) this.#sql.writeInput.run(input.name, input.origin, input.position);
        this.#writeState(ends, change);
      });
    } catch (error) {
      if (isFull(error)) return false;
      throw error instanceof MillraceError ? error : storeFailure('store frames', error);
    }
    for (const [partition, next] of ends) this.#lane(partition).next = next;
    for (const frame of change.frames) this.#pendingBytes += frame.bytes.length;
    this.#counters.accepted += change.accepted;
    this.#counters.rejected += change.rejected;
    this.#stateStored();
    return true;
  }

  /** Whether the pages that the frames need lie within the cap. State rows are written from a reserve beyond it. */
  #fits(change: OutboxChange): boolean {
    const used =
      Number(this.#sql.pages.get()?.['page_count']) - Number(this.#sql.freePages.get()?.['freelist_count']);
    let needed = 0;
    for (const frame of change.frames) needed += pagesOf(frame.bytes.length);
    return used + needed <= pagesOf(this.#options.bytesMax) || change.frames.length === 0;
  }

  /** Frees space for `change`: confirmed frames first, then, if that is the policy, the oldest unconfirmed ones. */
  #makeRoom(change: OutboxChange): boolean {
    const needed = change.frames.reduce((sum, frame) => sum + frame.bytes.length, 0);
    if (this.#graceBytes > 0) return this.#releaseOldest(needed, true);
    if (this.#pendingBytes === 0) {
      if (this.#fits(change)) return false; // the disk itself is full
      throw new MillraceError(
        'MR_EDGE_OUTBOX',
        `${needed} bytes of frames do not fit into an empty outbox of ${this.#options.bytesMax} bytes. ` +
          'Raise --outbox-bytes.',
      );
    }
    return this.#options.whenFull === 'drop-oldest' && this.#releaseOldest(needed, false);
  }

  /** Deletes the oldest frames over all lanes until `needed` bytes are free; only confirmed ones, or whatever is oldest. */
  #releaseOldest(needed: number, confirmedOnly: boolean): boolean {
    const cut = new Map<number, number>();
    let freed = 0;
    for (const row of this.#sql.oldestFrames.iterate()) {
      if (freed >= needed) break;
      const lane = this.#lane(Number(row['partition']));
      const next = Number(row['last']) + 1;
      if (confirmedOnly && next > lane.confirmedTo) continue;
      cut.set(lane.partition, next);
      freed += Number(row['bytes']);
    }
    return freed > 0 && this.#cut(cut);
  }

  /** Removes the frames of each lane below the given sequence. Unconfirmed ones are a declared drop: a hole at the front. */
  #cut(cuts: ReadonlyMap<number, number>): boolean {
    const plan = [...cuts].map(([partition, to]) => {
      const lane = this.#lane(partition);
      const confirmedTo = Math.min(to, lane.confirmedTo);
      const grace = this.#bytesBetween(partition, lane.front, confirmedTo);
      const pending = this.#bytesBetween(partition, confirmedTo, to);
      return { lane, to, grace, pending, before: { ...lane } };
    });
    const { dropped } = this.#counters;
    for (const { lane, to } of plan) this.#counters.dropped += moveFront(lane, to);
    try {
      transaction(this.#database, () => {
        for (const { lane, to } of plan) this.#sql.deleteFrames.run(lane.partition, to);
        this.#writeState();
      });
      this.#stateStored();
    } catch (error) {
      for (const { lane, before } of plan) Object.assign(lane, before);
      this.#counters.dropped = dropped;
      if (isFull(error)) return false; // the disk itself is full: not even a delete can be logged
      throw storeFailure('delete frames', error);
    }
    for (const { grace, pending } of plan) {
      this.#graceBytes -= grace;
      this.#pendingBytes -= pending;
    }
    return true;
  }

  /** Lets go of confirmed frames past their grace period or byte bound, and gives free pages back to the disk. */
  #expire(): void {
    const deadline = this.#options.clock.monotonic() - this.#options.graceMs;
    const cuts = new Map<number, number>();
    for (const lane of this.#lanes.values()) {
      const to = confirmedBefore(lane, deadline);
      if (to > lane.front) cuts.set(lane.partition, this.#boundedCut(lane, to));
    }
    if (cuts.size > 0) this.#cut(cuts);
    const surplus = this.#graceBytes - this.#options.graceBytesMax;
    if (surplus > 0) this.#releaseOldest(surplus, true);
    this.#vacuum();
  }

  /** At most FRAMES_PRUNED_MAX frames of a lane in one go. */
  #boundedCut(lane: LaneState, to: number): number {
    const row = this.#sql.nthFrame.get(lane.partition, lane.front, FRAMES_PRUNED_MAX);
    return row === undefined ? to : Math.min(to, Number(row['first']));
  }

  #vacuum(): void {
    const free = Number(this.#sql.freePages.get()?.['freelist_count']);
    const pages = Number(this.#sql.pages.get()?.['page_count']);
    if (free < 256 || free * 4 < pages) return;
    try {
      this.#database.prepare(`PRAGMA incremental_vacuum(${PAGES_VACUUMED_MAX})`).all();
    } catch (error) {
      if (!isFull(error)) throw storeFailure('give space back', error);
    }
  }

  #writeState(ends?: ReadonlyMap<number, number>, change?: OutboxChange): void {
    for (const lane of this.#lanes.values()) {
      const next = ends?.get(lane.partition) ?? lane.next;
      if (!lane.changed && next === lane.next) continue;
      this.#sql.writeLane.run(lane.partition, lane.epoch, lane.gapFrom, lane.confirmedTo, next);
    }
    const accepted = this.#counters.accepted + (change?.accepted ?? 0);
    const rejected = this.#counters.rejected + (change?.rejected ?? 0);
    this.#sql.writeFact.run('counters', JSON.stringify({ ...this.#counters, accepted, rejected }));
  }

  #write(what: string, work: () => void): void {
    try {
      transaction(this.#database, work);
      this.#stateStored();
    } catch (error) {
      throw storeFailure(what, error);
    }
  }

  #stateStored(): void {
    for (const lane of this.#lanes.values()) lane.changed = false;
  }

  #bytesBetween(partition: number, from: number, to: number): number {
    return from >= to ? 0 : Number(this.#sql.frameBytes.get(partition, from, to)?.['bytes'] ?? 0);
  }

  #lane(partition: number): LaneState {
    let lane = this.#lanes.get(partition);
    if (lane === undefined) {
      lane = newLane(partition);
      this.#lanes.set(partition, lane);
    }
    return lane;
  }

  /** Rebuilds what is only kept in memory. Confirmed frames start their grace period anew: clocks jump over restarts. */
  #load(): void {
    for (const row of this.#sql.readLanes.iterate()) {
      const lane = this.#lane(Number(row['partition']));
      lane.epoch = Number(row['epoch']);
      lane.gapFrom = Number(row['gap_from']);
      lane.confirmedTo = Number(row['confirmed_to']);
      lane.next = Number(row['next']);
      lane.front = Number(this.#sql.front.get(lane.partition)?.['first'] ?? lane.next);
      lane.changed = false;
      this.#graceBytes += this.#bytesBetween(lane.partition, lane.front, lane.confirmedTo);
      this.#pendingBytes += this.#bytesBetween(
        lane.partition,
        Math.max(lane.front, lane.confirmedTo),
        lane.next,
      );
      if (lane.confirmedTo > lane.front)
        markConfirmed(lane, this.#options.clock.monotonic(), this.#options.graceMs);
    }
  }
}
