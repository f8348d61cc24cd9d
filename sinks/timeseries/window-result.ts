import { rowReader, type Schema } from '#wire';
import type { SinkInput } from '#engine';

/** One window of one key: what windowed aggregates give and time series take. */
export interface WindowResult {
  readonly key: SeriesKey;
  /** Epoch ms; `end` exclusive. */
  readonly window: { readonly start: number; readonly end: number };
  /** Every field of the series, null where the window had nothing to compute it from. */
  readonly value: Readonly<Record<string, number | null>>;
}

export type SeriesScalar = string | number | boolean;
export type SeriesKey = Readonly<Record<string, SeriesScalar>> | SeriesScalar;

/** A row that may be written, with its key as text. */
export interface SeriesRow extends WindowResult {
  /** {@link seriesKeyText} */
  readonly keyText: string;
}

/**
 * A key as one text: the values joined by `/`, with `%` and `/` inside them escaped as in URLs. Injective for keys of one shape.
 * @example seriesKeyText({ tenant: 'acme', deviceId: 'pump-17' }) // 'acme/pump-17'
 */
export function seriesKeyText(key: SeriesKey): string {
  if (typeof key !== 'object') return escapePart(key);
  let text: string | null = null;
  for (const name in key) {
    const part = escapePart(key[name] as SeriesScalar);
    text = text === null ? part : `${text}/${part}`;
  }
  return text ?? '';
}

/** The rows of a sink's input that can be written; the others go to `refuse` with the reason. */
export function seriesRows(
  input: SinkInput<WindowResult>,
  refuse: (row: unknown, reason: string) => void,
): readonly SeriesRow[] {
  const rows: SeriesRow[] = [];
  for (const row of plainRows(input)) {
    const keyText = seriesKeyText(row.key);
    const reason = refusal(row, keyText);
    if (reason !== null) refuse(row, reason);
    else rows.push({ key: row.key, window: row.window, value: row.value, keyText });
  }
  return rows;
}

/** Length of a key's text that the API can ask for. */
const KEY_LENGTH_MAX = 1_024;
/** What a JavaScript Date and a timestamp of any store can hold. */
const TIME_MS_MAX = 8.64e15;

function escapePart(part: SeriesScalar): string {
  const text = String(part);
  return text.includes('%') || text.includes('/') ? text.replaceAll('%', '%25').replaceAll('/', '%2F') : text;
}

function* plainRows(input: SinkInput<WindowResult>): Iterable<WindowResult> {
  if (input.kind === 'rows') {
    yield* input.rows;
    return;
  }
  const { batch, selection } = input;
  const read = rowReader(batch.schema as Schema<WindowResult>);
  const count = selection?.length ?? batch.count;
  for (let i = 0; i < count; i++) yield read(batch, selection === null ? i : (selection[i] as number));
}

/** Why a row cannot be written, or null. Types promise most of this, but a row may come from anywhere. */
function refusal({ key, window, value }: WindowResult, keyText: string): string | null {
  if (!isTime(window.start)) return noTime(window.start);
  if (!isTime(window.end)) return noTime(window.end);
  for (const part of typeof key === 'object' ? Object.values(key) : [key]) {
    if (typeof part !== 'string' && typeof part !== 'number' && typeof part !== 'boolean')
      return 'its key holds something other than strings, numbers and booleans';
  }
  if (keyText.length > KEY_LENGTH_MAX) return `its key is longer than ${KEY_LENGTH_MAX} characters`;
  for (const name in value) {
    const number = value[name] as unknown;
    if (number !== null && typeof number !== 'number')
      return `'${name}' is a ${typeof number}, not a number or null`;
  }
  return null;
}

function isTime(at: number): boolean {
  return Number.isInteger(at) && Math.abs(at) <= TIME_MS_MAX;
}

function noTime(at: number): string {
  return `the window bound ${String(at)} is not epoch ms`;
}
