import {
  MillraceError,
  type OperatorContext,
  ProcessingTimers,
  type SlotTable,
  TimerQueue,
  type Waiting,
} from '#engine';
import type { CurrentKey } from './cell-kind.ts';
import type { Timers } from './process-context.ts';

/** Called for each timer that fires, with its key's slot still held. */
type Fire = (slot: number, time: number) => void;
type SlotTime = readonly [slot: number, time: number];

/**
 * Timers of both time domains by key slot. Every timer holds its slot.
 *
 * KT1 timers fire once each, in time order.
 * KT2 an event-time timer that a firing one sets for its own time or earlier fires with the next watermark: no watermark fires for
 *     ever.
 * KT3 a processing-time timer that a firing one sets fires in a later turn: no turn fires for ever.
 */
export class KeyTimers {
  /** For users: works on the current key. */
  readonly handle: Timers;
  readonly #operator: string;
  readonly #slots: SlotTable;
  readonly #touch: CurrentKey['touch'];
  readonly #event = new TimerQueue();
  readonly #processing: ProcessingTimers;
  readonly #handled: { readonly event: boolean; readonly processing: boolean };
  /** Time of the event-time timer that is firing. */
  #firingAt: number | null = null;
  #firesProcessing = false;
  /** Set while firing, for later (KT2, KT3). */
  #passed: SlotTime[] = [];
  #later: SlotTime[] = [];

  /** @param handled for which domains the operator has a function */
  constructor(
    context: OperatorContext,
    slots: SlotTable,
    current: CurrentKey,
    handled: { readonly event: boolean; readonly processing: boolean },
  ) {
    this.#operator = context.operator;
    this.#slots = slots;
    this.#touch = current.touch;
    this.#processing = new ProcessingTimers(context.clock, context.wake);
    this.#handled = handled;
    this.handle = {
      at: (time) => this.#set(current.slot, time),
      delete: (time) => this.#delete(current.slot, time),
      atProcessingTime: (time) => this.#setProcessing(current.slot, time),
      deleteProcessingTime: (time) => this.#deleteProcessing(current.slot, time),
    };
  }

  get size(): number {
    return this.#event.size + this.#processing.size;
  }

  /** Fires every event-time timer that is due. Its key is touched while the timer is there: a snapshot may want it. */
  fireAt(watermark: number, fire: Fire): void {
    const take = () => this.#event.takeDue(watermark, this.#touch);
    for (let due = take(); due !== null; due = take()) {
      this.#firingAt = due.time;
      fire(due.slot, due.time);
      this.#slots.drop(due.slot);
    }
    this.#firingAt = null;
    for (const [slot, time] of this.#passed.splice(0)) this.add(slot, time);
  }

  /** Fires every processing-time timer that is due, also those of a time in which the job was down. */
  fireProcessing(fire: Fire): void {
    if (this.#processing.size === 0) return;
    this.#firesProcessing = true;
    const take = () => this.#processing.takeDue(this.#touch);
    for (let due = take(); due !== null; due = take()) {
      fire(due.slot, due.time);
      this.#slots.drop(due.slot);
    }
    this.#firesProcessing = false;
    for (const [slot, time] of this.#later.splice(0)) this.addProcessing(slot, time);
  }

  add(slot: number, time: number): void {
    if (this.#event.add(slot, time)) this.#slots.hold(slot);
  }

  addProcessing(slot: number, time: number): void {
    if (this.#processing.add(slot, time)) this.#slots.hold(slot);
  }

  forEachOf(slot: number, visit: (time: number) => void): void {
    this.#event.forEachOf(slot, visit);
  }

  forEachProcessingOf(slot: number, visit: (time: number) => void): void {
    this.#processing.forEachOf(slot, visit);
  }

  /** What comes next without a record: by event time if there is any such timer. */
  waiting(): Waiting | null {
    const { next } = this.#event;
    if (next !== null) return { what: 'timer', until: next, count: this.#event.size };
    if (this.#processing.next === null) return null;
    return { what: 'processing-time timer', until: this.#processing.next, count: this.#processing.size };
  }

  close(): void {
    this.#processing.close();
  }

  #set(slot: number, time: number): void {
    this.#check(time, this.#handled.event, 'timer', 'onTimer');
    if (this.#firingAt !== null && time <= this.#firingAt) this.#passed.push([slot, time]);
    else this.add(slot, time);
  }

  #delete(slot: number, time: number): void {
    if (this.#passed.length > 0) this.#passed = without(this.#passed, slot, time);
    if (this.#event.delete(slot, time)) this.#slots.drop(slot);
  }

  #setProcessing(slot: number, time: number): void {
    this.#check(time, this.#handled.processing, 'processing-time timer', 'onProcessingTimer');
    if (this.#firesProcessing) this.#later.push([slot, time]);
    else this.addProcessing(slot, time);
  }

  #deleteProcessing(slot: number, time: number): void {
    if (this.#later.length > 0) this.#later = without(this.#later, slot, time);
    if (this.#processing.delete(slot, time)) this.#slots.drop(slot);
  }

  #check(time: number, isHandled: boolean, what: string, handler: string): void {
    if (isHandled && Number.isSafeInteger(Math.trunc(time))) return;
    throw new MillraceError(
      'MR_OPERATOR_FAILED',
      isHandled
        ? `Operator '${this.#operator}' set a ${what} at ${time}, which is no time.`
        : `Operator '${this.#operator}' set a ${what} and has no ${handler}. Define ${handler}.`,
      { details: { operator: this.#operator } },
    );
  }
}

function without(timers: readonly SlotTime[], slot: number, time: number): SlotTime[] {
  return timers.filter(([itsSlot, at]) => itsSlot !== slot || at !== time);
}
