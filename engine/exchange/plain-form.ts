import type { Element } from '../runtime/channel.ts';

/**
 * Where a record that is no plain data keeps its plain form, for the way to another thread or process: all records of its batch have one.
 * Whoever takes such records takes both forms. Within a thread nothing is converted.
 */
export const plainForm: unique symbol = Symbol('plain form');

export interface HasPlainForm {
  readonly [plainForm]: () => unknown;
}

/** The element with its records in their plain form. */
export function inPlainForm(element: Element): Element {
  if (element.kind !== 'records' || element.records.kind === 'columns') return element;
  const { rows, times } = element.records;
  if (!hasPlainForm(rows[0])) return element;
  const plain = (rows as readonly HasPlainForm[]).map((row) => row[plainForm]());
  return { kind: 'records', records: { kind: 'rows', rows: plain, times } };
}

function hasPlainForm(row: unknown): row is HasPlainForm {
  return typeof row === 'object' && row !== null && plainForm in row;
}
