import type { DescribeGroup } from '#engine';
import type { Elements } from '../window/general-window-contents.ts';
import type { GeneralWindowGroup } from '../window/general-window-snapshot.ts';
import type { WindowPlan } from '../window/general-window-spec.ts';
import { describeStates } from './describe-states.ts';
import { entriesByKey } from './entries-by-key.ts';

/**
 * Windows of any kind with any trigger, and the state of their function.
 * @param plan of the job; null when nobody knows
 */
export function describeGeneralWindows(plan: WindowPlan | null): DescribeGroup {
  return (group) => {
    const { windows, keyStates, windowStates, form } = group as GeneralWindowGroup;
    const of = entriesByKey(windows.map(({ key }) => key));
    const keyState = describeStates(keyStates, plan?.process?.keyState);
    const windowState = describeStates(windowStates, plan?.process?.state);
    const window = (place: number) => {
      const { key: _, contents, trigger, ...stored } = windows[place] as (typeof windows)[number];
      const state = windowState(place);
      return {
        ...stored,
        ...(contents.length === 0 ? {} : contentsOf(contents[0], form, plan)),
        ...(trigger.length === 0 ? {} : { trigger: trigger[0] }),
        ...(Object.keys(state).length === 0 ? {} : { state }),
      };
    };
    return (key) => {
      const state = keyState(key);
      return {
        windows: of(key)
          .map(window)
          .sort((a, b) => a.start - b.start || a.end - b.end),
        ...(Object.keys(state).length === 0 ? {} : { state }),
      };
    };
  };
}

/** Records one by one, or an accumulator with what comes of it. */
function contentsOf(
  stored: unknown,
  { contents }: GeneralWindowGroup['form'],
  plan: WindowPlan | null,
): Readonly<Record<string, unknown>> {
  const value = (of: WindowPlan) =>
    of.valueOf === null ? {} : { value: of.valueOf(of.contents.load(structuredClone(stored))) };
  const known = plan !== null && plan.contents.kind === contents ? value(plan) : {};
  if (contents === 'accumulator') return { ...known, accumulator: stored };
  const { rows, times } = stored as Elements;
  return { ...known, elements: rows.map((row, i) => ({ time: times[i] as number, row })) };
}
