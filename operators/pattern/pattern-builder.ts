import { type Duration, durationMs, MillraceError } from '#engine';
import type { PlanCondition } from './condition.ts';
import {
  type Contiguity,
  invalid,
  type NotPlan,
  type PatternPlan,
  type SkipPlan,
  type StepPlan,
} from './pattern-plan.ts';

/** Every word of the pattern language, types erased: what may follow what is said by the interfaces in pattern.ts. */
export function buildPattern(plan: PatternPlan = EMPTY) {
  const skip = (how: SkipPlan) => buildPattern({ ...plan, skip: how });
  const step = (contiguity: Contiguity) => (name: string, condition: PlanCondition) =>
    add(plan, { ...ONE, name, contiguity, condition });
  const not = (contiguity: 'strict' | 'relaxed') => (name: string, condition: PlanCondition) =>
    add(plan, { kind: 'not', name, contiguity, condition });
  const repeat = (min: number, max: number) =>
    changeStep(plan, 'times', (it) => ({ ...it, ...repetition(it, min, max) }));
  return {
    plan,
    start: step('any'),
    begin: step('any'),
    next: step('strict'),
    followedBy: step('relaxed'),
    followedByAny: step('any'),
    notNext: not('strict'),
    notFollowedBy: not('relaxed'),
    where: (other: PlanCondition) =>
      changeCondition(plan, (one) => (event, context) => one(event, context) && other(event, context)),
    or: (other: PlanCondition) =>
      changeCondition(plan, (one) => (event, context) => one(event, context) || other(event, context)),
    times: (min: number, max = min) => repeat(min, max),
    timesOrMore: (min: number) => repeat(min, Number.POSITIVE_INFINITY),
    oneOrMore: () => repeat(1, Number.POSITIVE_INFINITY),
    optional: () => changeStep(plan, 'optional', (it) => ({ ...it, optional: true })),
    greedy: () => changeLoop(plan, 'greedy', (it) => ({ ...it, greedy: true })),
    consecutive: () => changeLoop(plan, 'consecutive', (it) => ({ ...it, inner: 'strict' })),
    allowCombinations: () => changeLoop(plan, 'allowCombinations', (it) => ({ ...it, inner: 'any' })),
    until: (until: PlanCondition) => changeLoop(plan, 'until', (it) => stopAt(it, until)),
    within: (duration: Duration) => buildPattern({ ...plan, withinMs: positiveMs(duration) }),
    noSkip: () => skip({ kind: 'none' }),
    skipToNext: () => skip({ kind: 'next' }),
    skipPastLast: () => skip({ kind: 'past-last' }),
    skipToFirst: (name: string) => skip({ kind: 'first', step: name }),
    skipToLast: (name: string) => skip({ kind: 'last', step: name }),
  };
}

type AnyPattern = ReturnType<typeof buildPattern>;

const EMPTY: PatternPlan = { parts: [], withinMs: null, skip: { kind: 'none' } };

const ONE = {
  kind: 'step',
  min: 1,
  max: 1,
  loops: false,
  inner: 'relaxed',
  optional: false,
  greedy: false,
  until: null,
} as const;

function add(plan: PatternPlan, part: StepPlan | NotPlan): AnyPattern {
  const { name } = part;
  if (name === '' || name === '__proto__') throw invalid(`A pattern step cannot be named '${name}'.`);
  if (plan.parts.some((other) => other.name === name))
    throw invalid(`A pattern has two steps named '${name}'. Captures go by name: give each its own.`);
  return buildPattern({ ...plan, parts: [...plan.parts, part] });
}

function changeCondition(plan: PatternPlan, change: (condition: PlanCondition) => PlanCondition): AnyPattern {
  return changeLast(plan, (part) => ({ ...part, condition: change(part.condition) }));
}

function changeStep(plan: PatternPlan, word: string, change: (step: StepPlan) => StepPlan): AnyPattern {
  return changeLast(plan, (part) => {
    if (part.kind === 'not')
      throw invalid(`${word}() does not apply to '${part.name}', which must not occur.`);
    return change(part);
  });
}

function changeLoop(plan: PatternPlan, word: string, change: (step: StepPlan) => StepPlan): AnyPattern {
  return changeStep(plan, word, (step) => {
    if (!step.loops)
      throw invalid(
        `${word}() applies to a repeated step: say times() or oneOrMore() of '${step.name}' first.`,
      );
    const changed = change(step);
    if (changed.greedy && changed.inner === 'any')
      throw invalid(
        `Step '${step.name}' is greedy and allows combinations: it cannot both take every event it can and leave some out.`,
      );
    if (step.inner !== 'relaxed' && changed.inner !== step.inner)
      throw invalid(`Step '${step.name}' is either consecutive or allows combinations, not both.`);
    return changed;
  });
}

function changeLast(plan: PatternPlan, change: (part: StepPlan | NotPlan) => StepPlan | NotPlan): AnyPattern {
  const last = plan.parts.at(-1);
  if (last === undefined) throw invalid(`A pattern begins with start('name', condition).`);
  return buildPattern({ ...plan, parts: [...plan.parts.slice(0, -1), change(last)] });
}

function repetition(step: StepPlan, min: number, max: number): Partial<StepPlan> {
  if (step.loops) throw invalid(`Step '${step.name}' already says how often it repeats.`);
  const isCount = (n: number) => Number.isSafeInteger(n) && n >= 0;
  if (!isCount(min) || !(isCount(max) || max === Number.POSITIVE_INFINITY) || max < Math.max(min, 1)) {
    throw new MillraceError(
      'MR_CONFIG_INVALID',
      `Step '${step.name}' cannot repeat ${min} to ${max} times: give whole numbers, 0 ≤ min ≤ max and 1 ≤ max.`,
    );
  }
  return { loops: true, min: Math.max(min, 1), max, optional: step.optional || min === 0 };
}

function stopAt(step: StepPlan, until: PlanCondition): StepPlan {
  if (step.max !== Number.POSITIVE_INFINITY)
    throw invalid(`until() ends an endless step: '${step.name}' repeats at most ${step.max} times already.`);
  if (step.until !== null) throw invalid(`Step '${step.name}' already has an until().`);
  return { ...step, until };
}

function positiveMs(duration: Duration): number {
  const ms = durationMs(duration, 'within');
  if (ms > 0) return ms;
  throw new MillraceError('MR_CONFIG_INVALID', `within must be longer than nothing, got '${duration}'.`);
}
