import { type KeySpace, MillraceError, type OperatorState, type StoredKeyGroup } from '#engine';
import type { TumblingWindows } from '../window/assigner.ts';
import type { RankStore } from './rank-table.ts';
import type { TopWindows } from './top-windows.ts';

/** What one key group stores beside its keys. */
export interface TopBody {
  readonly shape: TopShape;
  readonly panes: StoredPane[];
}

/** What a stored ranking depends on; it fits a job that asks for the same or less. */
export interface TopShape {
  readonly order: 'desc' | 'asc';
  /** Rows kept per key. */
  readonly kept: number;
  readonly isById: boolean;
  readonly isWindowed: boolean;
}

/** The rankings of one window; lines one after another, each in rank order. */
interface StoredPane {
  /** Null in a running top-N. */
  readonly window: { readonly start: number; readonly end: number } | null;
  readonly lines: { readonly key: number; readonly count: number }[];
  readonly scores: number[];
  readonly times: number[];
  readonly rows: unknown[];
}

type Windows = TopWindows<RankStore>;

export function emptyTops(shape: TopShape): TopBody {
  return { shape, panes: [] };
}

/**
 * Adds the rankings of the key with the number `key` to its group; false when there are none. Rows are records, which nobody
 * changes: they are not copied.
 */
export function storeTops(slot: number, body: TopBody, key: number, windows: Windows): boolean {
  let isStored = false;
  for (const pane of windows.sorted()) {
    const { scores, times, rows } = pane.ranks.stored(slot);
    if (rows.length === 0) continue;
    isStored = true;
    const target = paneOf(body, pane);
    target.lines.push({ key, count: rows.length });
    for (let i = 0; i < rows.length; i++) {
      target.scores.push(scores[i] as number);
      target.times.push(times[i] as number);
      target.rows.push(rows[i]);
    }
  }
  return isStored;
}

function paneOf({ shape, panes }: TopBody, { start, end }: { readonly start: number; readonly end: number }) {
  const known = panes.find(({ window }) => window === null || window.start === start);
  if (known !== undefined) return known;
  const window = shape.isWindowed ? { start, end } : null;
  const pane: StoredPane = { window, lines: [], scores: [], times: [], rows: [] };
  panes.push(pane);
  return pane;
}

/** @throws MR_STATE_INCOMPATIBLE when the stored rankings cannot give what the job asks for */
export function restoreTops(
  parts: readonly OperatorState[],
  windows: Windows,
  keys: KeySpace,
  expected: { readonly shape: TopShape; readonly windows: TumblingWindows | null; readonly operator: string },
): void {
  for (const part of parts) {
    for (const group of part.groups.values() as Iterable<StoredKeyGroup<TopBody>>) {
      refuseOtherShape(group, expected.shape, expected.operator);
      const slots = keys.slotsOf(group.keys);
      for (const pane of group.panes) {
        refuseOtherWindow(pane, expected.windows, expected.operator);
        const { ranks } =
          pane.window === null ? windows.current : windows.open(pane.window.start, pane.window.end);
        let at = 0;
        for (const { key, count } of pane.lines)
          for (const end = at + count; at < end; at++)
            ranks.offer(
              slots[key] as number,
              pane.scores[at] as number,
              pane.times[at] as number,
              pane.rows[at],
            );
      }
    }
  }
}

function refuseOtherShape({ shape }: TopBody, asked: TopShape, operator: string): void {
  const fits =
    shape.order === asked.order &&
    shape.isById === asked.isById &&
    shape.isWindowed === asked.isWindowed &&
    shape.kept >= asked.kept;
  if (!fits) throw incompatible(operator, shapeText(shape), shapeText(asked));
}

function refuseOtherWindow({ window }: StoredPane, asked: TumblingWindows | null, operator: string): void {
  if (window === null || asked === null) return;
  const sizeMs = window.end - window.start;
  if (sizeMs === asked.sizeMs && (window.start - asked.offsetMs) % asked.sizeMs === 0) return;
  throw incompatible(
    operator,
    `windows of ${sizeMs} ms`,
    `windows of ${asked.sizeMs} ms with offset ${asked.offsetMs} ms`,
  );
}

function incompatible(operator: string, stored: string, asked: string): MillraceError {
  return new MillraceError(
    'MR_STATE_INCOMPATIBLE',
    `Top-N operator '${operator}' has stored ${stored}, the job asks for ${asked}. Give the operator a new id to start it afresh.`,
    { details: { operator } },
  );
}

function shapeText({ order, kept, isById, isWindowed }: TopShape): string {
  return `${isWindowed ? 'windowed' : 'running'} rankings (${order}${isById ? ', by id' : ''}) of up to ${kept} rows`;
}
