import { LIMITS } from '../base/limits.ts';
import type { PartitionLog } from '../log/partition-log.ts';
import { topicRows } from './topic-rows.ts';

type Row = Readonly<Record<string, unknown>>;

export interface CompareOptions {
  /** Fields that say which rows belong together, for the report. Default: every row stands for itself. */
  readonly key?: readonly string[];
  /** Fields that may differ. */
  readonly ignore?: readonly string[];
  /** Rows that count; e.g. those of windows that both jobs have seen whole. Default: all. */
  readonly where?: (row: Row) => boolean;
  /** Differences shown. Default 10. */
  readonly examples?: number;
}

export interface TopicComparison {
  readonly equal: boolean;
  /** Rows that count. */
  readonly rowsA: number;
  readonly rowsB: number;
  /** Rows without a counterpart: every row has at most one. */
  readonly onlyA: number;
  readonly onlyB: number;
  /** Keys with such rows. */
  readonly keysDiffering: number;
  readonly examples: readonly RowDifference[];
  /** False when more than LIMITS.compareRowsMax rows had no counterpart at a time, and it was given up there. */
  readonly isComplete: boolean;
}

/** What the topics hold under one key and do not share; ignored fields are shown. */
export interface RowDifference {
  readonly key: Row;
  readonly a: readonly Row[];
  readonly b: readonly Row[];
}

/**
 * Compares the rows that two topics hold now as multisets: neither partitions nor order count. Reads both in turn and forgets what
 * has found its counterpart, so that topics of any length can be compared that hold about the same in about the same order.
 * @throws MR_LOG_NO_TOPIC; what reading fails with
 * @example
 * const { equal, examples } = await compareTopics(log, 'sums', 'sums-of-the-fork', { key: ['device', 'end'] });
 */
export async function compareTopics(
  log: PartitionLog,
  a: string,
  b: string,
  options: CompareOptions = {},
): Promise<TopicComparison> {
  const open = new OpenRows(options);
  const sides = [
    { rows: topicRows(log, a), weight: 1, ended: false },
    { rows: topicRows(log, b), weight: -1, ended: false },
  ] as const;
  try {
    while (!open.isTooMany && sides.some(({ ended }) => !ended)) {
      for (const side of sides) {
        if (side.ended) continue;
        const { done, value } = await side.rows.next();
        if (done) Object.assign(side, { ended: true });
        else for (const row of value) open.add(row, side.weight);
      }
    }
  } finally {
    for (const { rows } of sides) await rows.return();
  }
  return open.result();
}

/** Copies of one row that one topic has more of: above 0 the first, below 0 the second. */
interface OpenRow {
  readonly row: Row;
  surplus: number;
}

/** Rows that have not found their counterpart yet, by key. */
class OpenRows {
  readonly #options: CompareOptions;
  readonly #keys = new Map<string, Map<string, OpenRow>>();
  #count = 0;
  #rows: [number, number] = [0, 0];

  constructor(options: CompareOptions) {
    this.#options = options;
  }

  get isTooMany(): boolean {
    return this.#count > LIMITS.compareRowsMax;
  }

  add(row: Row, weight: 1 | -1): void {
    const { key: fields, ignore = [], where } = this.#options;
    if (where?.(row) === false) return;
    this.#rows[weight === 1 ? 0 : 1]++;
    const text = rowText(row, (field) => !ignore.includes(field));
    const key = fields === undefined ? text : rowText(row, (field) => fields.includes(field));
    const known = this.#keys.get(key) ?? new Map<string, OpenRow>();
    const open = known.get(text) ?? { row, surplus: 0 };
    this.#count -= Math.abs(open.surplus);
    open.surplus += weight;
    this.#count += Math.abs(open.surplus);
    if (open.surplus !== 0) known.set(text, open);
    else known.delete(text);
    if (known.size > 0) this.#keys.set(key, known);
    else this.#keys.delete(key);
  }

  result(): TopicComparison {
    const rows = [...this.#keys.values()].flatMap((open) => [...open.values()]);
    const sum = (sign: 1 | -1) => rows.reduce((n, { surplus }) => n + Math.max(0, sign * surplus), 0);
    const examples = [...this.#keys.values()]
      .slice(0, this.#options.examples ?? 10)
      .map((open) => this.#example(open));
    return {
      equal: rows.length === 0,
      rowsA: this.#rows[0],
      rowsB: this.#rows[1],
      onlyA: sum(1),
      onlyB: sum(-1),
      keysDiffering: this.#keys.size,
      examples,
      isComplete: !this.isTooMany,
    };
  }

  #example(open: ReadonlyMap<string, OpenRow>): RowDifference {
    const rows = [...open.values()];
    const { row } = rows[0] as OpenRow;
    const fields = this.#options.key ?? Object.keys(row);
    const copies = (sign: 1 | -1) =>
      rows.flatMap((it) => Array.from({ length: Math.max(0, sign * it.surplus) }, () => it.row));
    return {
      key: Object.fromEntries(fields.map((field) => [field, row[field]])),
      a: copies(1),
      b: copies(-1),
    };
  }
}

/** Equal for equal rows, whatever the order of their fields; tells NaN, −0, bytes and bigints apart from all others. */
function rowText(row: Row, counts: (field: string) => boolean): string {
  const fields = Object.keys(row).filter(counts).sort();
  return JSON.stringify(fields.map((field) => [field, plain(row[field])]));
}

function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return { bigint: value.toString() };
  if (typeof value === 'number')
    return Number.isFinite(value) && !Object.is(value, -0)
      ? value
      : { number: Object.is(value, -0) ? '-0' : String(value) };
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString('base64') };
  if (Array.isArray(value)) return value.map(plain);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return { fields: entries.map(([name, it]) => [name, plain(it)]) };
}
