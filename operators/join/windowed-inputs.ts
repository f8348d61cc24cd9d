import { MillraceError, type MultiInputOperator, type OperatorDefinition } from '#engine';
import { describeJoinWindows } from '../inspect/describe-joins.ts';
import { AlignedWindows } from './aligned-windows.ts';
import { SharedSessions } from './shared-sessions.ts';
import { type TwoInputFrame, twoInputOperator } from './two-input-operator.ts';
import type { JoinWindows } from './window-contents.ts';
import { type WindowFunction, WindowResults } from './window-function.ts';

/**
 * A two-input operator that gathers both inputs' records by key and window.
 * @throws MR_CONFIG_INVALID when the lateness is no whole number of ms ≥ 0
 */
export function windowedInputs(
  kind: string,
  windows: JoinWindows<never>,
  allowedLatenessMs: number,
  windowFunction: WindowFunction,
): OperatorDefinition<MultiInputOperator> {
  if (!Number.isSafeInteger(allowedLatenessMs) || allowedLatenessMs < 0) {
    throw new MillraceError(
      'MR_CONFIG_INVALID',
      `The allowed lateness must be a whole number of ms, 0 or more, got ${allowedLatenessMs}.`,
    );
  }
  const create = (frame: TwoInputFrame) => {
    const results = new WindowResults(frame, windowFunction);
    switch (windows.kind) {
      case 'tumbling':
        return new AlignedWindows(frame, { ...windows, slideMs: windows.sizeMs }, allowedLatenessMs, results);
      case 'sliding':
        return new AlignedWindows(frame, windows, allowedLatenessMs, results);
      case 'session':
        return new SharedSessions(
          frame,
          windows.gap as number | ((row: unknown) => number),
          allowedLatenessMs,
          results,
        );
    }
  };
  return twoInputOperator(kind, create, describeJoinWindows);
}
