/**
 * Splits the rows of one `write` by partition, in columns: each partition field turns its column into dense value ids, ids of
 * several fields fold into one, and a counting sort lays the rows of each partition side by side. A string is looked at
 * once per dictionary entry, not once per row. Synchronous; owns the ids and no files.
 *
 * PR1 Equal tuples of partition values always get the same partition object, until `clear`.
 * PR2 Within a partition rows keep their order.
 */
import type { ColumnSource } from './column-buffer.ts';
import { type IncomingRows, valueAt } from './incoming-rows.ts';
import { type PartitionField, type PartitionTuple, partitionPath } from './partition-spec.ts';
import { partitionFunction, type PartitionValue } from './partition-transform.ts';
import type { IcebergValue } from './single-value.ts';

export interface Partition {
  readonly id: number;
  readonly tuple: PartitionTuple;
  /** Folder below `data/`, '' for an unpartitioned table. */
  readonly path: string;
}

/** Rows `rows[from … to)` belong to `partition`. */
export interface RoutedRows {
  readonly partition: Partition;
  readonly rows: Uint32Array;
  readonly from: number;
  readonly to: number;
}

/** Pairs of a batch that are looked up by number, at most. */
const PAIRS_MAX = 4_096;
/** Ids of two fields are paired as `a * ID_SPAN + b`, exact in a double. */
const ID_SPAN = 2 ** 26;

export class PartitionRouter {
  readonly #fields: readonly PartitionField[];
  readonly #values: readonly FieldValues[];
  /** Per field: pair of (id so far, value id) → id so far. */
  readonly #pairs: readonly Map<number, number>[];
  /** Per field: id so far → tuple so far. */
  readonly #tuples: PartitionTuple[][];
  #partitions: Partition[] = [];

  constructor(fields: readonly PartitionField[]) {
    this.#fields = fields;
    this.#values = fields.map((field) => new FieldValues(field));
    this.#pairs = fields.map(() => new Map<number, number>());
    this.#tuples = fields.map((): PartitionTuple[] => []);
  }

  /** Ids kept; the caller bounds them by {@link clear}. */
  get size(): number {
    return Math.max(0, ...this.#values.map(({ size }) => size), ...this.#pairs.map(({ size }) => size));
  }

  route({ columns, rows, count }: IncomingRows): readonly RoutedRows[] {
    if (count === 0) return [];
    const ids = new Int32Array(count);
    let distinct = 1;
    this.#fields.forEach((field, level) => {
      const values = this.#values[level] as FieldValues;
      this.#foldInto(ids, level, distinct, values.idsOf(columns[field.column] as ColumnSource, rows, count));
      distinct = this.#tuples[level]?.length ?? 1;
    });
    return this.#sort(ids, distinct, rows, count);
  }

  /** Forgets all ids: partitions made before must not be used any more. */
  clear(): void {
    for (const values of this.#values) values.clear();
    for (const pairs of this.#pairs) pairs.clear();
    for (const tuples of this.#tuples) tuples.length = 0;
    this.#partitions = [];
  }

  /** Replaces each id, one of `distinct`, by that of the pair of it and the row's value id. Each pair is looked up once. */
  #foldInto(ids: Int32Array, level: number, distinct: number, valueIds: Int32Array): void {
    const width = this.#values[level]?.size ?? 0;
    const folded = distinct * width <= PAIRS_MAX ? new Int32Array(distinct * width).fill(-1) : null;
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i] as number;
      const valueId = valueIds[i] as number;
      let pair = folded === null ? -1 : (folded[id * width + valueId] as number);
      if (pair < 0) {
        pair = this.#fold(level, id, valueId);
        if (folded !== null) folded[id * width + valueId] = pair;
      }
      ids[i] = pair;
    }
  }

  #fold(level: number, id: number, valueId: number): number {
    const pairs = this.#pairs[level] as Map<number, number>;
    const pair = id * ID_SPAN + valueId;
    const known = pairs.get(pair);
    if (known !== undefined) return known;
    const tuples = this.#tuples[level] as PartitionTuple[];
    const before = level === 0 ? [] : (this.#tuples[level - 1]?.[id] ?? []);
    tuples.push([...before, (this.#values[level] as FieldValues).value(valueId)]);
    pairs.set(pair, tuples.length - 1);
    return tuples.length - 1;
  }

  #sort(ids: Int32Array, distinct: number, rows: Uint32Array, count: number): readonly RoutedRows[] {
    const first = ids[0] as number;
    if (ids.every((id) => id === first))
      return [{ partition: this.#partition(first), rows, from: 0, to: count }];
    const ends = new Uint32Array(distinct + 1);
    for (const id of ids) ends[id + 1] = (ends[id + 1] as number) + 1;
    for (let id = 0; id < distinct; id++) ends[id + 1] = (ends[id + 1] as number) + (ends[id] as number);
    const next = ends.slice();
    const sorted = new Uint32Array(count);
    for (let i = 0; i < count; i++) {
      const id = ids[i] as number;
      const at = next[id] as number;
      sorted[at] = rows[i] as number;
      next[id] = at + 1;
    }
    const ranges: RoutedRows[] = [];
    for (let id = 0; id < distinct; id++) {
      const [from, to] = [ends[id] as number, ends[id + 1] as number];
      if (to > from) ranges.push({ partition: this.#partition(id), rows: sorted, from, to });
    }
    return ranges;
  }

  #partition(id: number): Partition {
    const known = this.#partitions[id];
    if (known !== undefined) return known;
    const tuple = this.#tuples.at(-1)?.[id] ?? [];
    const partition = { id, tuple, path: partitionPath(this.#fields, tuple) };
    this.#partitions[id] = partition;
    return partition;
  }
}

/** Dense ids of one partition field's values. */
class FieldValues {
  readonly #isTime: boolean;
  /** Of times, whether all between two that give the same value give it too. */
  readonly #isOrdered: boolean;
  /** Times that gave the last value: the least and the greatest so far. */
  #run = { from: 0, to: -1, id: -1 };
  readonly #transform: (value: IcebergValue) => PartitionValue;
  readonly #ids = new Map<PartitionValue, number>();
  readonly #values: PartitionValue[] = [];

  constructor(field: PartitionField) {
    this.#isTime = field.sourceType === 'timestamptz';
    this.#isOrdered = this.#isTime && field.transform.kind !== 'bucket';
    this.#transform = partitionFunction(field.transform, field.sourceType);
  }

  get size(): number {
    return this.#values.length;
  }

  value(id: number): PartitionValue {
    return this.#values[id] ?? null;
  }

  clear(): void {
    this.#ids.clear();
    this.#values.length = 0;
    this.#run = { from: 0, to: -1, id: -1 };
  }

  /** The value id of each row. */
  idsOf(source: ColumnSource, rows: Uint32Array, count: number): Int32Array {
    const ids = new Int32Array(count);
    if (source.kind === 'string' && source.nulls === null) {
      const { codes } = source;
      const byCode = new Int32Array(source.dictionary.size).fill(-1);
      for (let i = 0; i < count; i++) {
        const code = codes[rows[i] as number] as number;
        if ((byCode[code] as number) < 0) byCode[code] = this.#idOf(source.dictionary.text(code));
        ids[i] = byCode[code] as number;
      }
    } else if (this.#isOrdered && source.kind === 'f64' && source.nulls === null) {
      for (let i = 0; i < count; i++) ids[i] = this.#idOfTime(source.values[rows[i] as number] as number);
    } else {
      for (let i = 0; i < count; i++) ids[i] = this.#idOf(valueAt(source, rows[i] as number));
    }
    return ids;
  }

  /** Rows come nearly in order of time: most lie between two that have been looked at. */
  #idOfTime(time: number): number {
    const run = this.#run;
    if (time >= run.from && time <= run.to) return run.id;
    const id = this.#idOf(time);
    if (id !== run.id) this.#run = { from: time, to: time, id };
    else if (time < run.from) run.from = time;
    else run.to = time;
    return id;
  }

  #idOf(raw: unknown): number {
    const key =
      raw === null
        ? null
        : this.#transform(this.#isTime ? Math.round((raw as number) * 1000) : (raw as IcebergValue));
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    this.#values.push(key);
    this.#ids.set(key, this.#values.length - 1);
    return this.#values.length - 1;
  }
}
