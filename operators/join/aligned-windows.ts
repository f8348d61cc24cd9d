import { plusSaturating, type StoredKeyGroup, type Waiting } from '#engine';
import { windowStart } from '../window/assigner.ts';
import { LEFT, type Side, type TwoInputFrame, type TwoInputLogic } from './two-input-operator.ts';
import {
  emptyWindows,
  markGiven,
  type Part,
  putRow,
  restoreWindows,
  storeWindows,
  type WindowContents,
  type WindowsBody,
} from './window-contents.ts';
import type { WindowResults } from './window-function.ts';

export interface AlignedShape {
  readonly sizeMs: number;
  readonly slideMs: number;
  readonly offsetMs: number;
}

/** One window of all keys. */
interface Pane {
  readonly start: number;
  readonly end: number;
  /** By slot; a slot in it is held. */
  readonly contents: (WindowContents | undefined)[];
  readonly touched: number[];
}

/**
 * Tumbling and sliding windows of two inputs.
 *
 * AW1 a window closes when the watermark reaches `end − 1`, and is dropped when it reaches `end − 1 + allowed lateness`.
 * AW2 a record enters those of its windows that are not dropped; one whose windows are all dropped goes to its late side output.
 *     One between windows does so when the watermark has reached its time plus lateness, and is in neither before, as in Flink.
 * AW3 `panes` is sorted by start; the first `closed` of them have closed.
 */
export class AlignedWindows implements TwoInputLogic {
  readonly #frame: TwoInputFrame;
  readonly #shape: AlignedShape;
  readonly #latenessMs: number;
  readonly #results: WindowResults;
  readonly #panes: Pane[] = [];
  readonly #byStart = new Map<number, Pane>();
  #closed = 0;
  #current: Pane | null = null;

  constructor(frame: TwoInputFrame, shape: AlignedShape, latenessMs: number, results: WindowResults) {
    this.#frame = frame;
    this.#shape = shape;
    this.#latenessMs = latenessMs;
    this.#results = results;
  }

  record(side: Side, row: unknown, time: number, slot: number): void {
    const { sizeMs, slideMs, offsetMs } = this.#shape;
    const { watermark } = this.#frame;
    const last = windowStart(time, offsetMs, slideMs);
    const isBetween = last + sizeMs <= time;
    if (isBetween ? plusSaturating(time, this.#latenessMs) <= watermark : this.#isDropped(last, watermark))
      return this.#frame.late(side, row, time);
    if (isBetween) return;
    // What has closed asks the user's code, which may throw: before the record enters any window.
    if (time <= watermark) this.#giveLate(side, row, time, slot, last);
    for (let start = last; start + sizeMs > time && !this.#isDropped(start, watermark); start -= slideMs) {
      const contents = this.#contents(start, slot);
      putRow(contents, side, row);
      if (start + sizeMs - 1 <= watermark) markGiven(contents);
    }
  }

  advance(watermark: number): void {
    for (; this.#closed < this.#panes.length; this.#closed++) {
      const pane = this.#panes[this.#closed] as Pane;
      if (pane.end - 1 > watermark) break;
      for (const slot of pane.touched) {
        this.#frame.snapshots.touch(slot);
        this.#results.close(slot, pane.contents[slot] as WindowContents);
      }
    }
    let dropped = 0;
    while (dropped < this.#closed && this.#isDropped((this.#panes[dropped] as Pane).start, watermark))
      dropped++;
    if (dropped === 0) return;
    const gone = this.#panes.slice(0, dropped);
    // While they are still there: a snapshot may want them.
    for (const pane of gone) for (const slot of pane.touched) this.#frame.snapshots.touch(slot);
    this.#panes.splice(0, dropped);
    this.#closed -= dropped;
    for (const pane of gone) {
      this.#byStart.delete(pane.start);
      if (this.#current === pane) this.#current = null;
      for (const slot of pane.touched) this.#frame.keys.slots.drop(slot);
    }
  }

  emptyBody(): WindowsBody {
    return emptyWindows(this.#text());
  }

  store(slot: number, body: WindowsBody, key: number): boolean {
    const windows = this.#panes.flatMap(({ contents }) => contents[slot] ?? []);
    return storeWindows(body, key, windows);
  }

  restore(stored: unknown): void {
    const group = stored as StoredKeyGroup<WindowsBody>;
    const slots = this.#frame.keys.slotsOf(group.keys);
    restoreWindows(group, this.#text(), this.#frame.operator, (key, { start, fresh, given }) => {
      const contents = this.#contents(start, slots[key] as number);
      contents.fresh = fresh;
      contents.given = given;
    });
  }

  timers(): number {
    return this.#panes.length;
  }

  waiting(): Waiting | null {
    let until = 0;
    let count = 0;
    for (const pane of this.#panes.slice(this.#closed)) {
      const before = count;
      for (const slot of pane.touched)
        if (this.#results.isWaiting(pane.contents[slot] as WindowContents)) count++;
      if (before === 0 && count > 0) until = pane.end - 1;
    }
    return count === 0 ? null : { what: 'join', until, count };
  }

  #giveLate(side: Side, row: unknown, time: number, slot: number, last: number): void {
    const { sizeMs, slideMs } = this.#shape;
    const { watermark } = this.#frame;
    const late: Part = side === LEFT ? [[row], []] : [[], [row]];
    for (let start = last; start + sizeMs > time && !this.#isDropped(start, watermark); start -= slideMs) {
      const end = start + sizeMs;
      if (end - 1 > watermark) continue;
      const given = this.#byStart.get(start)?.contents[slot]?.given ?? [];
      this.#results.stage(slot, { start, end }, given, late);
    }
    this.#frame.commit();
  }

  #isDropped(start: number, watermark: number): boolean {
    return plusSaturating(start + this.#shape.sizeMs - 1, this.#latenessMs) <= watermark;
  }

  #contents(start: number, slot: number): WindowContents {
    const pane = this.#current?.start === start ? this.#current : this.#pane(start);
    const known = pane.contents[slot];
    if (known !== undefined) return known;
    while (pane.contents.length < slot) pane.contents.push(undefined);
    const contents: WindowContents = { start, end: pane.end, fresh: null, given: [] };
    pane.contents[slot] = contents;
    pane.touched.push(slot);
    this.#frame.keys.slots.hold(slot);
    return contents;
  }

  #pane(start: number): Pane {
    let pane = this.#byStart.get(start);
    if (pane === undefined) {
      pane = { start, end: start + this.#shape.sizeMs, contents: [], touched: [] };
      let at = this.#panes.length;
      while (at > 0 && (this.#panes[at - 1] as Pane).start > start) at--;
      this.#panes.splice(at, 0, pane);
      this.#byStart.set(start, pane);
      if (pane.end - 1 <= this.#frame.watermark) this.#closed++;
    }
    this.#current = pane;
    return pane;
  }

  #text(): string {
    const { sizeMs, slideMs, offsetMs } = this.#shape;
    return `windows of ${sizeMs} ms every ${slideMs} ms with offset ${offsetMs} ms`;
  }
}
