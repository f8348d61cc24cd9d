import { MAX_WATERMARK, type Stage } from '#engine';
import type { Sample } from './row-arbitraries.ts';
import { type Said, text } from './window-reference.ts';

export interface SessionReferenceSpec {
  readonly latenessMs: number;
  readonly stages: readonly Stage[];
  /** The key as results show it, or null when the row has none. */
  readonly keyOf: (row: Sample) => unknown;
  /** Null when the row's gap is none. */
  readonly gapOf: (row: Sample) => number | null;
  /** Result of all rows of one session, in order of arrival. */
  readonly result: (rows: readonly Sample[]) => unknown;
  /** Rows that the aggregate itself refuses. */
  readonly refuses: (row: Sample) => boolean;
}

interface Counted {
  readonly key: unknown;
  readonly row: Sample;
  readonly start: number;
  readonly end: number;
}

interface Session {
  readonly key: unknown;
  readonly start: number;
  readonly end: number;
  readonly members: readonly Counted[];
}

/**
 * Keyed sessions as one would explain them: every record is kept as long as its session is, and the sessions are found from
 * scratch, by sorting all records, whenever they are asked for.
 */
export class SessionReference {
  readonly #spec: SessionReferenceSpec;
  /** In order of arrival. */
  #counted: Counted[] = [];
  #watermark = Number.MIN_SAFE_INTEGER;
  #results: string[] = [];
  #late: string[] = [];
  #errors: string[] = [];

  constructor(spec: SessionReferenceSpec) {
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
    for (const session of this.#sessions(this.#counted)) {
      if (session.end - 1 > before && session.end - 1 <= time) this.#give(session);
      if (this.#isOver(session))
        this.#counted = this.#counted.filter((counted) => !session.members.includes(counted));
    }
  }

  /** Everything said since the last call. */
  take(): Said {
    const said = { results: this.#results.sort(), late: this.#late.sort(), errors: this.#errors.sort() };
    this.#results = [];
    this.#late = [];
    this.#errors = [];
    return said;
  }

  get sessions(): number {
    return this.#sessions(this.#counted).length;
  }

  /** End of the first session whose result is still to come, or null. */
  get nextEnd(): number | null {
    const ends = this.#sessions(this.#counted).map(({ end }) => end);
    const pending = ends.filter((end) => end - 1 > this.#watermark);
    return pending.length === 0 ? null : Math.min(...pending);
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
    const { keyOf, gapOf, refuses } = this.#spec;
    const key = keyOf(row);
    if (key === null) throw new Error('no key');
    const gap = gapOf(row);
    if (gap === null) throw new Error('no gap');
    const counted = { key, row, start: row.ts, end: row.ts + gap };
    const session = this.#sessions([...this.#counted, counted]).find(({ members }) =>
      members.includes(counted),
    ) as Session;
    if (this.#isOver(session)) {
      this.#late.push(text([row, row.ts]));
      return;
    }
    if (refuses(row)) throw new Error('refused');
    this.#counted.push(counted);
    if (session.end - 1 <= this.#watermark) this.#give(session);
  }

  #sessions(counted: readonly Counted[]): Session[] {
    const sessions: Session[] = [];
    for (const it of counted.toSorted((a, b) => a.start - b.start)) {
      const at = sessions.findLastIndex(({ key }) => text(key) === text(it.key));
      const last = sessions[at];
      if (last === undefined || last.end < it.start) sessions.push({ ...it, members: [it] });
      else
        sessions[at] = {
          ...last,
          end: Math.max(last.end, it.end),
          members: [...last.members, it],
        };
    }
    return sessions;
  }

  #isOver({ end }: Session): boolean {
    return Math.min(MAX_WATERMARK, end - 1 + this.#spec.latenessMs) <= this.#watermark;
  }

  #give({ key, start, end, members }: Session): void {
    const rows = this.#counted.filter((counted) => members.includes(counted)).map(({ row }) => row);
    this.#results.push(text([{ key, window: { start, end }, value: this.#spec.result(rows) }, end - 1]));
  }
}
