import { MillraceError } from '../base/errors.ts';
import type { NamedField, Schema } from '../wire/schema.ts';
import { hashScalar, hashTuple, isScalar } from './key.ts';
import { checkParallelism, keyGroupOf, subtaskOf } from './key-group.ts';

/** Partition of a row, 0 … partitions − 1. The same row goes to the same partition for ever. */
export type Partitioner<Row> = (row: Row) => number;

/** How the records of a topic find their partition; see {@link keyPartitioner}. */
export interface PartitionedBy {
  /** In the order of the key. */
  readonly fields: readonly string[];
  /** A job needs no exchange behind the topic when its max parallelism is this number. */
  readonly keyGroups: number;
}

/** Key groups of a topic's partitioner unless told otherwise: the max parallelism of small jobs. */
export const PARTITIONER_KEY_GROUPS = 128;

/**
 * Deals rows to partitions exactly as a job deals keys to subtasks: `subtaskOf(keyGroupOf(hash of the key), partitions)`, where the
 * key is the value of one field, or the tuple of several. A partition so holds whole key groups, in order, and a job that is keyed
 * alike with as many key groups can read them where they are.
 *
 * Values count as they will be read back from a frame: f32 fields are rounded first. A cell that can be no part of a key (null, NaN)
 * hashes as 0; a keyed job refuses its record anyway.
 * @throws MR_CONFIG_INVALID when a field is not in the schema or cannot be part of a key, and when the numbers do not fit each other
 */
export function keyPartitioner<Row>(
  schema: Schema<Row>,
  fields: readonly string[],
  partitions: number,
  keyGroups: number,
): Partitioner<Row> {
  checkParallelism(partitions, keyGroups, 'Partitions', 'key groups');
  const hashers = keyFields(schema, fields).map(({ name, type }) => cellHash(name, type));
  const toPartition = (hash: number) => subtaskOf(keyGroupOf(hash, keyGroups), partitions, keyGroups);
  const [only] = hashers;
  if (only !== undefined && hashers.length === 1) return (row) => toPartition(only(row as Cells));
  const hashes = new Array<number>(hashers.length).fill(0);
  return (row) => {
    for (let i = 0; i < hashers.length; i++)
      hashes[i] = (hashers[i] as (cells: Cells) => number)(row as Cells);
    return toPartition(hashTuple(hashes));
  };
}

export function samePartitioning(a: PartitionedBy, b: PartitionedBy): boolean {
  return (
    a.keyGroups === b.keyGroups &&
    a.fields.length === b.fields.length &&
    a.fields.every((field, i) => field === b.fields[i])
  );
}

/** For people: `tenant, deviceId in 128 key groups`. */
export function partitioningText(by: PartitionedBy | null): string {
  return by === null ? 'nothing' : `${by.fields.join(', ')} in ${by.keyGroups} key groups`;
}

type Cells = Readonly<Record<string, unknown>>;

function keyFields(schema: Schema, names: readonly string[]): readonly NamedField[] {
  if (names.length === 0) throw new MillraceError('MR_CONFIG_INVALID', 'A key needs at least one field.');
  return names.map((name) => {
    const field = schema.fields.find((candidate) => candidate.name === name);
    if (field !== undefined && field.type !== 'bytes' && field.type !== 'obj') return field;
    throw new MillraceError(
      'MR_CONFIG_INVALID',
      `'${name}' cannot be a key of schema '${schema.name}': ${field?.type ?? 'no such field'}.`,
    );
  });
}

function cellHash(name: string, type: NamedField['type']): (cells: Cells) => number {
  if (type === 'f32') {
    return (cells) => {
      const value = cells[name];
      return typeof value === 'number' && value === value ? hashScalar(Math.fround(value)) : 0;
    };
  }
  return (cells) => {
    const value = cells[name];
    return isScalar(value) ? hashScalar(value) : 0;
  };
}
