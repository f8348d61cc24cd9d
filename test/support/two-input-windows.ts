import { type KeySelector, MIN_WATERMARK } from '#engine';
import type { Event, TimedRow, TwoInputReference } from './two-input.ts';

/** Windows as one would explain them, for two inputs: every record is kept with its window, every pair looked at. */
export interface TwoInputWindowsSpec {
  readonly windows:
    | {
        readonly kind: 'aligned';
        readonly sizeMs: number;
        readonly slideMs: number;
        readonly offsetMs: number;
      }
    | { readonly kind: 'session'; readonly gapOf: (row: Event) => number };
  readonly latenessMs: number;
  readonly keys: KeySelector;
  /** One of the two gives results. */
  readonly join: ((left: Event, right: Event) => unknown) | null;
  readonly group: (start: number, end: number, lefts: readonly Event[], rights: readonly Event[]) => unknown;
}

interface Window {
  readonly key: string;
  readonly start: number;
  readonly end: number;
  readonly sides: readonly [readonly Event[], readonly Event[]];
  /** Pairs that were given, or refused when it closed. */
  readonly given: ReadonlySet<string>;
  /** Has records whose results are still to come. */
  readonly fresh: boolean;
}

export class TwoInputWindowsReference implements TwoInputReference {
  readonly #spec: TwoInputWindowsSpec;
  #windows: Window[] = [];
  #watermark = MIN_WATERMARK;
  #results: TimedRow[] = [];
  #late: [TimedRow[], TimedRow[]] = [[], []];
  #errors: (readonly [string, unknown, number])[] = [];

  constructor(spec: TwoInputWindowsSpec) {
    this.#spec = spec;
  }

  readonly record = (input: number, row: Event & { readonly key: string }): void => {
    const all = this.#assigned(row);
    const alive = all.filter(({ end }) => end - 1 + this.#spec.latenessMs > this.#watermark);
    const isLate = all.length > 0 ? alive.length === 0 : row.ts + this.#spec.latenessMs <= this.#watermark;
    if (isLate) this.#late[input as 0 | 1].push([row, row.ts]);
    const grown = alive.map((window): Window => {
      const [lefts, rights] = window.sides;
      return {
        ...window,
        sides: input === 0 ? [[...lefts, row], rights] : [lefts, [...rights, row]],
        fresh: window.end - 1 > this.#watermark,
      };
    });
    const closed = grown.filter(({ fresh }) => !fresh);
    const results = closed.flatMap((window) =>
      this.#newResults(window).map((make): TimedRow => [make.run(), window.end - 1]),
    );
    this.#results.push(...results);
    const isReplaced = (it: Window) =>
      grown.some(({ key, start, end }) => it.key === key && it.start >= start && it.end <= end);
    const isAligned = this.#spec.windows.kind === 'aligned';
    this.#windows = this.#windows.filter((it) =>
      isAligned ? !grown.some(({ key, start }) => it.key === key && it.start === start) : !isReplaced(it),
    );
    this.#windows.push(...grown.map((window) => (window.fresh ? window : this.#allGiven(window))));
  };

  readonly watermark = (time: number): void => {
    this.#watermark = time;
    this.#windows = this.#windows.map((window) => {
      if (!window.fresh || window.end - 1 > time) return window;
      for (const make of this.#newResults(window)) {
        try {
          this.#results.push([make.run(), window.end - 1]);
        } catch (error) {
          this.#errors.push([(error as Error).message, make.what, window.end - 1]);
        }
      }
      return this.#allGiven(window);
    });
    this.#windows = this.#windows.filter(({ end }) => end - 1 + this.#spec.latenessMs > time);
  };

  readonly take = () => {
    const said = { results: this.#results, late: this.#late, errors: this.#errors };
    this.#results = [];
    this.#late = [[], []];
    this.#errors = [];
    return said;
  };

  /** The record's windows, with what they hold before it. */
  #assigned(row: Event & { readonly key: string }): Window[] {
    const { windows } = this.#spec;
    const mine = this.#windows.filter((it) => it.key === row.key);
    const empty = { key: row.key, sides: [[], []] as const, given: new Set<string>(), fresh: false };
    if (windows.kind === 'session') {
      const from = row.ts;
      const until = row.ts + windows.gapOf(row);
      const touching = mine.filter(({ start, end }) => start <= until && end >= from);
      return [
        {
          ...empty,
          start: Math.min(from, ...touching.map(({ start }) => start)),
          end: Math.max(until, ...touching.map(({ end }) => end)),
          sides: [touching.flatMap(({ sides }) => sides[0]), touching.flatMap(({ sides }) => sides[1])],
          given: new Set(touching.flatMap(({ given }) => [...given])),
        },
      ];
    }
    const { sizeMs, slideMs, offsetMs } = windows;
    const starts = Array.from({ length: sizeMs }, (_, i) => row.ts - i).filter(
      (start) => (((start - offsetMs) % slideMs) + slideMs) % slideMs === 0,
    );
    return starts.map(
      (start) => mine.find((it) => it.start === start) ?? { ...empty, start, end: start + sizeMs },
    );
  }

  #newResults(window: Window): { readonly run: () => unknown; readonly what: unknown }[] {
    const { join, group, keys } = this.#spec;
    const { start, end, given } = window;
    const [lefts, rights] = window.sides;
    const some = (lefts[0] ?? rights[0]) as Event & Readonly<Record<string, unknown>>;
    const key =
      keys.kind === 'function'
        ? keys.select(some)
        : Object.fromEntries(keys.fields.map((field) => [field, some[field]]));
    if (join === null)
      return [{ run: () => group(start, end, lefts, rights), what: { key, window: { start, end } } }];
    return lefts.flatMap((left) =>
      rights
        .filter((right) => !given.has(pairName(left, right)))
        .map((right) => ({
          run: () => join(left, right),
          what: { key, window: { start, end }, left, right },
        })),
    );
  }

  #allGiven(window: Window): Window {
    const [lefts, rights] = window.sides;
    const given = new Set(lefts.flatMap((left) => rights.map((right) => pairName(left, right))));
    return { ...window, given, fresh: false };
  }
}

function pairName(left: Event, right: Event): string {
  return `${left.n}/${right.n}`;
}
