import { describeKey, hashKey, hashTuple, isKey, isScalar, type KeyScalar } from '../key/key.ts';
import { keyGroupOf, subtaskOf } from '../key/key-group.ts';
import { MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { Partitioning } from '../graph/job-graph.ts';
import type { KeySelector } from '../state/key-space.ts';
import type { ElementSender } from './channel.ts';
import type { LoopWriter } from './loop-writer.ts';
import type { Operator, OperatorContext, Records } from './operator.ts';
import { createPassThrough } from './pass-through.ts';
import { recordCount } from './record-at.ts';
import { RowLoop } from './row-loop.ts';
import { resultOf, type RowText } from './row-text.ts';
import { SelectionBuilder } from './selection-builder.ts';

/**
 * The sending side of an edge between subtasks: who gets a record is the partitioning's; signals go to every channel.
 * @param channels to every subtask of the target, in order; `forward` has the one to its own
 */
export function createRouter(
  partitioning: Partitioning,
  channels: readonly ElementSender[],
  context: OperatorContext,
): Operator {
  return {
    ...sorting(partitioning, channels, context),
    watermark: (time) => channels.forEach((channel) => channel.push({ kind: 'watermark', time })),
    idle: () => channels.forEach((channel) => channel.push({ kind: 'idle' })),
    end: () => channels.forEach((channel) => channel.push({ kind: 'end' })),
  };
}

function sorting(
  partitioning: Partitioning,
  channels: readonly ElementSender[],
  context: OperatorContext,
): Pick<Operator, 'records'> {
  switch (partitioning.kind) {
    case 'hash':
      // One subtask owns every key; its operator refuses records without one itself.
      if (channels.length === 1) return copying(channels, context);
      return splitting(partitioning.keys, channels, context);
    case 'forward':
    case 'broadcast':
      return copying(channels, context);
    case 'rebalance':
      return dealing(channels, context);
  }
}

/**
 * Every record to the subtask that owns its key's group. While records are still columns only their indices are sorted out and
 * the batch itself is shared; rows are sorted out as they are.
 */
function splitting(
  keys: KeySelector,
  channels: readonly ElementSender[],
  context: OperatorContext,
): Pick<Operator, 'records'> {
  const split = new Split(keys, channels, context.maxParallelism);
  const loop = new RowLoop({
    name: `${context.operator}.${context.subtask}`,
    stages: context.stages,
    consumer: split,
    onError: context.onRecordError,
    interpreted: context.interpreted,
  });
  return {
    records(records) {
      loop.run(records);
      split.flush(records);
    },
  };
}

/** Every record to each of the channels: to one (forward), or to all (broadcast). */
function copying(channels: readonly ElementSender[], context: OperatorContext): Pick<Operator, 'records'> {
  return throughStages(context, (records) => {
    for (const channel of channels) channel.push({ kind: 'records', records });
  });
}

/**
 * Batch after batch to one channel after the other, from the sender's own number on, so that senders do not all begin with the same
 * one. A batch larger than LIMITS.emitRecordsMax is dealt in pieces.
 */
function dealing(channels: readonly ElementSender[], context: OperatorContext): Pick<Operator, 'records'> {
  let next = context.subtask % channels.length;
  return throughStages(context, (records) => {
    for (const piece of pieces(records, LIMITS.emitRecordsMax)) {
      (channels[next] as ElementSender).push({ kind: 'records', records: piece });
      next = (next + 1) % channels.length;
    }
  });
}

/** Pushes after the stages have run: a channel that refuses a batch is not the fault of the record that filled it. */
function throughStages(
  context: OperatorContext,
  push: (records: Records) => void,
): Pick<Operator, 'records'> {
  if (context.stages.length === 0) return { records: push };
  const made: Records[] = [];
  const through = createPassThrough({
    ...context,
    output: { records: (records) => made.push(records), watermark: () => {}, idle: () => {} },
  });
  return {
    records(records) {
      through.records(records);
      for (const each of made.splice(0)) push(each);
    },
  };
}

/** The records in order, as few batches of about the same size, none larger than `countMax`. */
function pieces(records: Records, countMax: number): readonly Records[] {
  const count = recordCount(records);
  const pieceCount = Math.ceil(count / countMax);
  if (pieceCount <= 1) return [records];
  return Array.from({ length: pieceCount }, (_, piece) =>
    within(records, Math.floor((count * piece) / pieceCount), Math.floor((count * (piece + 1)) / pieceCount)),
  );
}

/** The `start`-th to the last before the `end`-th of the records meant. */
function within(records: Records, start: number, end: number): Records {
  if (records.kind === 'rows')
    return {
      kind: 'rows',
      rows: records.rows.slice(start, end),
      times: records.times.subarray(start, end),
    };
  const { batch, selection } = records;
  return {
    kind: 'columns',
    batch,
    selection:
      selection?.subarray(start, end) ?? Uint16Array.from({ length: end - start }, (_, i) => start + i),
  };
}

class Split {
  readonly #keys: KeySelector;
  readonly #channels: readonly ElementSender[];
  readonly #maxParallelism: number;
  readonly #indices: readonly SelectionBuilder[];
  readonly #rows: unknown[][];
  readonly #times: number[][];

  constructor(keys: KeySelector, channels: readonly ElementSender[], maxParallelism: number) {
    this.#keys = keys;
    this.#channels = channels;
    this.#maxParallelism = maxParallelism;
    this.#indices = channels.map(() => new SelectionBuilder());
    this.#rows = channels.map(() => []);
    this.#times = channels.map(() => []);
  }

  accept(row: unknown, time: number): void {
    this.pushRow(this.target(hashKey(this.#keyOf(row))), row, time);
  }

  generate(writer: LoopWriter, row: RowText): void {
    const split = writer.bind('split', this);
    if (row.columns === null) {
      writer.line(`${split}.accept(${row.object()}, ${row.time});`);
      return;
    }
    const target = writer.local('target');
    if (this.#keys.kind === 'function') {
      const key = resultOf(writer, row, 'select', this.#keys.select);
      const hash = key.field === null ? null : this.#stringHash(writer, row, key.field, split);
      writer.line(
        `const ${target} = ${split}.${hash === null ? `targetOf(${key.text()})` : `target(${hash})`};`,
      );
    } else {
      const hashes = this.#keys.fields.map((field) => this.#fieldHash(writer, row, field, split));
      const hash =
        hashes.length === 1 ? hashes[0] : `${writer.bind('hashTuple', hashTuple)}([${hashes.join(', ')}])`;
      writer.line(`const ${target} = ${split}.target(${hash});`);
    }
    if (row.isInput) writer.line(`${split}.pushIndex(${target}, ${row.columns.index});`);
    else writer.line(`${split}.pushRow(${target}, ${row.object()}, ${row.time});`);
  }

  /** Subtask that owns a key hash. */
  target(hash: number): number {
    return subtaskOf(keyGroupOf(hash, this.#maxParallelism), this.#channels.length, this.#maxParallelism);
  }

  targetOf(key: unknown): number {
    if (!isKey(key)) throw noKey(key);
    return this.target(hashKey(key));
  }

  hashOf(value: unknown): number {
    if (!isScalar(value)) throw noKey(value);
    return hashKey(value);
  }

  pushRow(target: number, row: unknown, time: number): void {
    (this.#rows[target] as unknown[]).push(row);
    (this.#times[target] as number[]).push(time);
  }

  pushIndex(target: number, index: number): void {
    (this.#indices[target] as SelectionBuilder).add(index);
  }

  /** Sends what has been sorted out of one batch. */
  flush(records: Records): void {
    for (let target = 0; target < this.#channels.length; target++) {
      const indices = this.#indices[target] as SelectionBuilder;
      if (indices.count > 0 && records.kind === 'columns') {
        this.#channels[target]?.push({
          kind: 'records',
          records: { kind: 'columns', batch: records.batch, selection: indices.take() },
        });
      }
      this.#flushRows(target);
    }
  }

  #flushRows(target: number): void {
    const rows = this.#rows[target] as unknown[];
    if (rows.length === 0) return;
    const times = Float64Array.from(this.#times[target] as number[]);
    this.#rows[target] = [];
    this.#times[target] = [];
    // A stage may make many rows of one.
    for (const piece of pieces({ kind: 'rows', rows, times }, LIMITS.emitRecordsMax))
      this.#channels[target]?.push({ kind: 'records', records: piece });
  }

  #keyOf(row: unknown): KeyScalar | readonly KeyScalar[] {
    if (this.#keys.kind === 'function') {
      const key = this.#keys.select(row);
      if (!isKey(key)) throw noKey(key);
      return key;
    }
    const parts = this.#keys.fields.map((field) => (row as Readonly<Record<string, unknown>>)[field]);
    for (const part of parts) if (!isScalar(part)) throw noKey(part);
    return (parts.length === 1 ? parts[0] : parts) as KeyScalar | readonly KeyScalar[];
  }

  #fieldHash(writer: LoopWriter, row: RowText, field: string, split: string): string {
    return this.#stringHash(writer, row, field, split) ?? `${split}.hashOf(${row.cell(field)})`;
  }

  /** Of a string column, as its dictionary has it; null for others. */
  #stringHash(writer: LoopWriter, row: RowText, field: string, split: string): string | null {
    const strings = row.columns?.strings(field) ?? null;
    if (strings === null) return null;
    const hashes = `hashes_${strings.dictionary}`;
    writer.setup(`const ${hashes} = ${strings.dictionary}.hashes();`);
    const hash = `${hashes}[${strings.codes}[${row.columns?.index}]]`;
    return strings.isNull === null ? hash : `(${strings.isNull} ? ${split}.hashOf(null) : ${hash})`;
  }
}

function noKey(value: unknown): MillraceError {
  return new MillraceError('MR_KEY_INVALID', `A record has no usable key: got ${describeKey(value)}.`);
}
