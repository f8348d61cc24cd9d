import type { MultiInputOperator, OperatorDefinition } from '#engine';
import type { TimeWindow } from '../window/assigner.ts';
import type { JoinWindows, Part } from './window-contents.ts';
import { windowedInputs } from './windowed-inputs.ts';

export interface CoGroupOptions<Key, Left, Right, Out> {
  readonly windows: JoinWindows<Left | Right>;
  /** How long after its end a window still takes records. Default 0. */
  readonly allowedLatenessMs?: number;
  /** Results of one key's records in one window; one of the lists may be empty. It must not change them. */
  readonly group: (
    key: Key,
    window: TimeWindow,
    lefts: readonly Left[],
    rights: readonly Right[],
  ) => Iterable<Out>;
}

/**
 * Both inputs' records of a key in a window, side by side: the general form of a window join, outer joins included. A window
 * is grouped when it closes, at its last time, and again, as a whole, for each record that comes later within the allowed
 * lateness. Records too late for all their windows go to `lateLeft` and `lateRight`.
 *
 * What `group` throws costs all results of that window; when a late record makes it throw, the record.
 * @throws MR_CONFIG_INVALID
 */
export function coGroup<Key, Left, Right, Out>(
  options: CoGroupOptions<Key, Left, Right, Out>,
): OperatorDefinition<MultiInputOperator> {
  const group = options.group as CoGroupOptions<unknown, unknown, unknown, unknown>['group'];
  return windowedInputs('co-group', options.windows, options.allowedLatenessMs ?? 0, {
    hasResults: () => true,
    run(key, window, given, fresh, target) {
      let made: unknown[];
      try {
        made = [...group(key, window, rowsOf(given, fresh, 0), rowsOf(given, fresh, 1))];
      } catch (error) {
        target.failed(error, () => ({ key, window }));
        return;
      }
      for (const row of made) target.emit(row);
    },
  });
}

function rowsOf(given: readonly Part[], fresh: Part, side: 0 | 1): readonly unknown[] {
  return given.length === 0 ? fresh[side] : [...given, fresh].flatMap((part) => part[side]);
}
