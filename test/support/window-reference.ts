import type { Stage } from '#engine';
import type { Sample } from './row-arbitraries.ts';

/** What a keyed window says, for comparison: order of keys inside one firing left out. */
export interface Said {
  readonly results: readonly string[];
  readonly late: readonly string[];
  readonly errors: readonly string[];
}

export interface ReferenceSpec {
  readonly sizeMs: number;
  /** Distance of windows; less than the size where they overlap. */
  readonly slideMs: number;
  readonly offsetMs: number;
  readonly latenessMs: number;
  readonly stages: readonly Stage[];
  /** The key as results show it, or null when the row has none. */
  readonly keyOf: (row: Sample) => unknown;
  /** Result of all rows of one key and window, in order of arrival. */
  readonly result: (rows: readonly Sample[]) => unknown;
  /** Rows that the aggregate itself refuses. */
  readonly refuses: (row: Sample) => boolean;
}

interface Group {
  readonly key: unknown;
  readonly start: number;
  readonly rows: Sample[];
}

/** Keyed windows as one would explain them: every row is kept, every result computed from all its rows. */
export class WindowReference {
  readonly #spec: ReferenceSpec;
  #groups: Group[] = [];
  #watermark = Number.MIN_SAFE_INTEGER;
  #results: string[] = [];
  #late: string[] = [];
  #errors: string[] = [];

  constructor(spec: ReferenceSpec) {
    this.#spec = spec;
  }

  record(row: Sample): void {
    try {
      this.#staged(row, 0);
    } catch (error) {
      this.#errors.push(text([(error as Error).message, row, row.ts]));
    }
  }

  watermark(time: number): void {
    if (time <= this.#watermark) return;
    const before = this.#watermark;
    this.#watermark = time;
    for (const group of this.#groups) {
      const last = this.#last(group.start);
      if (last > before && last <= time) this.#give(group);
    }
    this.#groups = this.#groups.filter((group) => this.#last(group.start) + this.#spec.latenessMs > time);
  }

  /** Everything said since the last call. */
  take(): Said {
    const said = { results: this.#results.sort(), late: this.#late, errors: this.#errors };
    this.#results = [];
    this.#late = [];
    this.#errors = [];
    return said;
  }

  get groups(): number {
    return this.#groups.length;
  }

  #staged(row: Sample, at: number): void {
    const stage = this.#spec.stages[at];
    if (stage === undefined) return this.#accept(row);
    if (stage.kind === 'filter') {
      if (stage.run(row)) this.#staged(row, at + 1);
    } else if (stage.kind === 'map') this.#staged(stage.run(row) as Sample, at + 1);
    else if (stage.kind === 'derive') {
      const derived: Record<string, unknown> = { ...row };
      for (const [name, run] of stage.fields) derived[name] = run(row);
      this.#staged(derived as unknown as Sample, at + 1);
    } else for (const made of stage.run(row)) this.#staged(made as Sample, at + 1);
  }

  #accept(row: Sample): void {
    const { latenessMs, keyOf, refuses } = this.#spec;
    const key = keyOf(row);
    if (key === null) throw new Error('no key');
    const starts = this.#starts(row.ts).filter((start) => this.#last(start) + latenessMs > this.#watermark);
    if (starts.length === 0) {
      if (row.ts + latenessMs <= this.#watermark) this.#late.push(text([row, row.ts]));
      return;
    }
    if (refuses(row)) throw new Error('refused');
    for (const start of starts) {
      let group = this.#groups.find((it) => it.start === start && text(it.key) === text(key));
      if (group === undefined) {
        group = { key, start, rows: [] };
        this.#groups.push(group);
      }
      group.rows.push(row);
      if (this.#last(start) <= this.#watermark) this.#give(group);
    }
  }

  /** Every window that holds `time`, by trying all that might. */
  #starts(time: number): number[] {
    const { sizeMs, slideMs, offsetMs } = this.#spec;
    const first = Math.floor((time - sizeMs - offsetMs) / slideMs) - 1;
    const tries = Array.from({ length: Math.ceil(sizeMs / slideMs) + 4 }, (_, i) => first + i);
    return tries.map((n) => n * slideMs + offsetMs).filter((start) => start <= time && time < start + sizeMs);
  }

  #give({ key, start, rows }: Group): void {
    const window = { start, end: start + this.#spec.sizeMs };
    this.#results.push(text([{ key, window, value: this.#spec.result(rows) }, this.#last(start)]));
  }

  #last(start: number): number {
    return start + this.#spec.sizeMs - 1;
  }
}

/** Like JSON, with NaN kept and −0 shown as 0; independent of the order of properties. */
export function text(value: unknown): string {
  return JSON.stringify(value, (_, it: unknown) => {
    if (typeof it === 'number' && !Number.isFinite(it)) return String(it);
    if (typeof it !== 'object' || it === null || Array.isArray(it)) return it;
    return Object.fromEntries(Object.entries(it).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
