import type { StoredValues } from '#engine';
import type { StoredSchema } from './schema-version.ts';
import type { StateDeclaration } from './state-kinds.ts';

/** What a stored state says of itself. */
interface StoredForm extends StoredSchema {
  /** Whether values are stored with the times their lives began. */
  readonly timed: boolean;
}

/** One state of one key group as stored: the keys that have a cell, by their index among the group's, and their cells. */
export interface StoredState extends StoredForm {
  readonly keys: ArrayLike<number>;
  readonly values: StoredValues;
}

/** The same pair by pair: what few windows have, and what was stored before cells lay in lists. */
export interface StoredPairs extends StoredForm {
  readonly cells: [key: number, stored: unknown][];
}

/** All states of a key group by name. Before kinds and versions there was value state only, as a bare array of cells. */
export type StoredStates = Record<string, StoredState | StoredPairs | StoredPairs['cells']>;

/** A stored state in the form of today. */
export function listedState(stored: StoredStates[string]): StoredState {
  if (Array.isArray(stored)) return listedState({ kind: 'value', version: 1, timed: false, cells: stored });
  if (!('cells' in stored)) return stored;
  const { cells, ...form } = stored;
  return { ...form, keys: cells.map(([key]) => key), values: cells.map(([, it]) => it) };
}

/** What a state says of itself when it is stored. */
export function formOf({ kind, options }: StateDeclaration<unknown, unknown>): StoredForm {
  return { kind, version: options.version ?? 1, timed: options.ttl !== undefined };
}
