import type { StepPlan } from './pattern-plan.ts';

/** One captured event. */
export interface CapturedEvent {
  readonly row: unknown;
  /** Epoch ms. */
  readonly time: number;
  /** Rises from event to event of a key, also where times are equal. */
  readonly order: number;
}

/**
 * The newest event of a partial match and, linked, those before it. Partial matches that begin alike share the links, so that
 * taking an event costs one object, however long the match.
 */
export interface Capture {
  readonly event: CapturedEvent;
  /** Index of the step that took it. */
  readonly step: number;
  /** How many the step has taken, this one included. */
  readonly count: number;
  readonly previous: Capture | null;
  /** The first event of the match. */
  readonly start: CapturedEvent;
}

export function capture(event: CapturedEvent, step: number, previous: Capture | null): Capture {
  const count = previous?.step === step ? previous.count + 1 : 1;
  return { event, step, count, previous, start: previous === null ? event : previous.start };
}

/** All captured events, first to last. */
export function chain(last: Capture | null): Capture[] {
  const captures: Capture[] = [];
  for (let at = last; at !== null; at = at.previous) captures.push(at);
  return captures.reverse();
}

/** What users see: per step its event, or its array of events; undefined and [] for steps that took none. */
export function capturesOf(steps: readonly StepPlan[], last: Capture | null): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const { name, loops } of steps) values[name] = loops ? [] : undefined;
  for (const { step, event } of chain(last)) {
    const { name, loops } = steps[step] as StepPlan;
    if (loops) (values[name] as unknown[]).push(event.row);
    else values[name] = event.row;
  }
  return values;
}

/** The same with only the steps that took one. */
export function partialCapturesOf(steps: readonly StepPlan[], last: Capture): Record<string, unknown> {
  const reached = new Set(chain(last).map(({ step }) => (steps[step] as StepPlan).name));
  return Object.fromEntries(Object.entries(capturesOf(steps, last)).filter(([name]) => reached.has(name)));
}
