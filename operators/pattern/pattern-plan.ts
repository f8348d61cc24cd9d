import { MillraceError } from '#engine';
import type { PlanCondition } from './condition.ts';

/**
 * How far apart two captured events may be: `strict` = neighbours among the key's events, `relaxed` = the first that fits,
 * whatever lies between, `any` = every one that fits.
 */
export type Contiguity = 'strict' | 'relaxed' | 'any';

/** A step that captures `min … max` events. */
export interface StepPlan {
  readonly kind: 'step';
  readonly name: string;
  /** To the event captured before the step's first. */
  readonly contiguity: Contiguity;
  readonly condition: PlanCondition;
  readonly min: number;
  readonly max: number;
  /** It captures an array. */
  readonly loops: boolean;
  /** Between the events of the step. */
  readonly inner: Contiguity;
  readonly optional: boolean;
  readonly greedy: boolean;
  readonly until: PlanCondition | null;
}

/** What must not come between two steps (`relaxed`), or directly after a step (`strict`). */
export interface NotPlan {
  readonly kind: 'not';
  readonly name: string;
  readonly contiguity: 'strict' | 'relaxed';
  readonly condition: PlanCondition;
}

/** Which partial matches a match ends. */
export type SkipPlan =
  | { readonly kind: 'none' }
  | { readonly kind: 'next' }
  | { readonly kind: 'past-last' }
  | { readonly kind: 'first' | 'last'; readonly step: string };

/** A pattern as data. */
export interface PatternPlan {
  readonly parts: readonly (StepPlan | NotPlan)[];
  readonly withinMs: number | null;
  readonly skip: SkipPlan;
}

/** Steps of one pattern at most: what may come next in a partial match is a set of bits. */
const STEPS_MAX = 28;

/**
 * What only the whole pattern shows.
 * @throws MR_GRAPH_INVALID
 */
export function checkPlan(plan: PatternPlan): void {
  const steps = plan.parts.filter((part) => part.kind === 'step');
  const last = plan.parts.at(-1);
  if (last === undefined || steps.length === 0)
    throw invalid(`A pattern needs a step: begin with pattern<Event>().start('name', condition).`);
  if (plan.parts[0]?.kind === 'not')
    throw invalid(
      `A pattern cannot begin with what must not come ('${plan.parts[0].name}'): begin with a step.`,
    );
  if (steps.length > STEPS_MAX)
    throw invalid(
      `A pattern has ${steps.length} steps; at most ${STEPS_MAX} are possible. Match a part of it first and the rest over its matches.`,
    );
  const required = plan.parts.findLastIndex((part) => part.kind === 'step' && !part.optional);
  const open = plan.parts
    .slice(required + 1)
    .find((part) => part.kind === 'not' && part.contiguity === 'relaxed');
  if (open !== undefined && plan.withinMs === null)
    throw invalid(
      `No step must come after notFollowedBy('${open.name}') and the pattern has no end in time, so a match could wait for ever. ` +
        `Add .within('10m').`,
    );
  if (last.kind === 'step' && last.greedy)
    throw invalid(
      `Step '${last.name}' is greedy and the last one: there is no later step that greedy() could hold back. ` +
        `Remove it, or use skipPastLast() to have one match of several that overlap.`,
    );
  if ((plan.skip.kind === 'first' || plan.skip.kind === 'last') && !hasStep(steps, plan.skip.step)) {
    const names = steps.map(({ name }) => `'${name}'`).join(', ');
    throw invalid(
      `After a match the pattern skips to '${plan.skip.step}', which is none of its steps. Skip to one of ${names}.`,
    );
  }
}

/** The pattern as it was written, without its conditions: two patterns of equal text can share partial matches. */
export function planText(plan: PatternPlan): string {
  return plan.parts
    .map((part, i) => (part.kind === 'not' ? notText(part) : stepText(part, i === 0)))
    .join('.');
}

export function invalid(message: string): MillraceError {
  return new MillraceError('MR_GRAPH_INVALID', message);
}

function hasStep(steps: readonly StepPlan[], name: string): boolean {
  return steps.some((step) => step.name === name);
}

const VERB = { strict: 'next', relaxed: 'followedBy', any: 'followedByAny' } as const;
const INNER = { strict: '.consecutive()', relaxed: '', any: '.allowCombinations()' } as const;

function notText({ name, contiguity }: NotPlan): string {
  return `${contiguity === 'strict' ? 'notNext' : 'notFollowedBy'}('${name}')`;
}

function stepText(step: StepPlan, isFirst: boolean): string {
  const verb = isFirst ? 'start' : VERB[step.contiguity];
  const { min, max } = step;
  const times = max === Number.POSITIVE_INFINITY ? `.timesOrMore(${min})` : `.times(${min}, ${max})`;
  return (
    `${verb}('${step.name}')${step.loops ? times : ''}${step.optional ? '.optional()' : ''}` +
    `${step.greedy ? '.greedy()' : ''}${INNER[step.inner]}${step.until === null ? '' : '.until()'}`
  );
}
