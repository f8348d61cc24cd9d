import type { MultiInputOperator, OperatorDefinition } from '#engine';
import type { JoinWindows, Part } from './window-contents.ts';
import { windowedInputs } from './windowed-inputs.ts';

export interface WindowJoinOptions<Left, Right, Out> {
  readonly windows: JoinWindows<Left | Right>;
  /** How long after its end a window still takes records. Default 0. */
  readonly allowedLatenessMs?: number;
  readonly join: (left: Left, right: Right) => Out;
}

/**
 * All pairs of a left and a right record of one key that are in the same window. They come when the window closes, at its last
 * time. A record that comes later, within the allowed lateness, gives at once the pairs that it makes new; no pair is given
 * twice for one window. Records too late for all their windows go to `lateLeft` and `lateRight`.
 *
 * What `join` throws costs that pair; when a late record makes it throw, the record.
 * @throws MR_CONFIG_INVALID
 */
export function windowJoin<Left, Right, Out>(
  options: WindowJoinOptions<Left, Right, Out>,
): OperatorDefinition<MultiInputOperator> {
  const join = options.join as (left: unknown, right: unknown) => unknown;
  return windowedInputs('window-join', options.windows, options.allowedLatenessMs ?? 0, {
    hasResults: (given, fresh) => newPairs(given, fresh).some(([a, b]) => a[0].length > 0 && b[1].length > 0),
    run(key, window, given, fresh, target) {
      for (const [a, b] of newPairs(given, fresh)) {
        for (const left of a[0]) {
          for (const right of b[1]) {
            let made: unknown;
            try {
              made = join(left, right);
            } catch (error) {
              target.failed(error, () => ({ key, window, left, right }));
              continue;
            }
            target.emit(made);
          }
        }
      }
    },
  });
}

/** Parts whose left records meet whose right ones: each with every other, the fresh one with itself too. */
function newPairs(given: readonly Part[], fresh: Part): (readonly [lefts: Part, rights: Part])[] {
  const parts = [...given, fresh];
  return parts.flatMap((a) => parts.flatMap((b) => (a === b && a !== fresh ? [] : [[a, b] as const])));
}
