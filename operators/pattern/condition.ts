/** What a condition may look at beside the event. Valid during the call only. */
export interface ConditionContext<T = unknown, C = unknown> {
  /** What the steps before have captured in this partial match. */
  readonly captures: C;
  /** What this step itself has captured so far: empty unless it repeats. */
  readonly taken: readonly T[];
  /** Event time of the event in question, epoch ms. */
  readonly timestamp: number;
}

/**
 * Decides whether a step takes an event. Pure: it is called once per event where it does not read the captures, once per
 * event and partial match where it does. A type guard narrows the captured type.
 */
export type Condition<T, C> = (event: T, context: ConditionContext<T, C>) => boolean;

/** A condition that is a type guard. */
export type Guard<T, S extends T, C> = (event: T, context: ConditionContext<T, C>) => event is S;

/** A condition as the plan keeps it, its types erased. */
export type PlanCondition = (event: unknown, context: ConditionContext) => boolean;
