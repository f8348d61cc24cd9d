import type { PlanCondition } from './condition.ts';
import {
  checkPlan,
  type Contiguity,
  type NotPlan,
  type PatternPlan,
  planText,
  type StepPlan,
} from './pattern-plan.ts';

/** A pattern made ready to run: per step, what may come after an event that it took. */
export interface Automaton {
  readonly steps: readonly StepPlan[];
  /** By number: several edges share one. */
  readonly conditions: readonly PlanCondition[];
  /** What may come first; passing over an event is not needed, since each event may be a first one. */
  readonly start: readonly Edge[];
  /** By step. */
  readonly states: readonly State[];
  readonly plan: PatternPlan;
  /** Equal for patterns whose partial matches mean the same. */
  readonly shape: string;
}

/** After an event of one step. */
export interface State {
  readonly min: number;
  readonly max: number;
  /** In order of preference: more of the same step, then later steps, then the end. */
  readonly edges: readonly Edge[];
  /** Of the edge to the same step. */
  readonly loopBit: number;
  /** Of the others, open once the step has its `min`. */
  readonly exitBits: number;
  /** Of the edge that matches when the time is over; 0 = there is none. */
  readonly timeoutBit: number;
  /** Nothing more is needed once the step has its `min`. */
  readonly completes: boolean;
}

/**
 * One way on from an event: it may be taken once (strict, relaxed) or by every event that fits (any), and is closed by what
 * must not come.
 */
export interface Edge {
  readonly bit: number;
  /** Step that takes the event, or END. */
  readonly target: number;
  readonly contiguity: Contiguity;
  /** Number of the condition; of no meaning for END. */
  readonly condition: number;
  /** Number of the condition that an event must not fit; NONE = there is none. */
  readonly until: number;
  /** It stays within a step. */
  readonly loops: boolean;
  /** Conditions that close it when they fit an event that it passes over. */
  readonly nots: readonly number[];
  /** Conditions that close it when they fit the very next event. */
  readonly notNexts: readonly number[];
  /** Bits of the edges that are closed by an event that this one takes: those to later steps, where the target is greedy. */
  readonly overrides: number;
}

/** Target of an edge that ends the match without taking an event: strict = at the next one, any = when the time is over. */
export const END = -1;
export const NONE = -1;
/** Beside the edges' bits: no event has come since the last one taken. */
export const FRESH = 1 << 30;

/** @throws MR_GRAPH_INVALID */
export function compilePattern(plan: PatternPlan): Automaton {
  checkPlan(plan);
  const conditions: PlanCondition[] = [];
  const number = (condition: PlanCondition | null) =>
    condition === null ? NONE : conditions.push(condition) - 1;
  const steps = plan.parts.filter((part) => part.kind === 'step');
  const takes = steps.map((step) => ({ condition: number(step.condition), until: number(step.until) }));
  const gaps = gapsOf(plan, number);
  const to = (target: number, nots: Gap, loops = false): Edge => {
    const step = steps[target] as StepPlan;
    const contiguity = loops ? step.inner : step.contiguity;
    const { condition, until } = takes[target] as (typeof takes)[number];
    return { bit: 0, target, contiguity, condition, until, loops, ...nots, overrides: 0 };
  };
  const states = steps.map((step, i): State => {
    const loop = step.max > 1 ? [to(i, { nots: gaps[i]?.nots ?? [], notNexts: [] }, true)] : [];
    const exits = exitsOf(steps, gaps, i, to);
    const edges = inOrder([...loop, ...exits.edges], steps);
    const loopBit = loop.length > 0 ? 1 : 0;
    const end = edges.find(({ target }) => target === END);
    return {
      min: step.min,
      max: step.max,
      edges,
      loopBit,
      exitBits: edges.reduce((bits, { bit }) => bits | bit, 0) & ~loopBit,
      timeoutBit: end?.contiguity === 'any' ? end.bit : 0,
      completes: exits.completes,
    };
  });
  const firsts = exitsOf(
    steps,
    steps.map(() => NO_GAP),
    -1,
    to,
  ).edges;
  const start = inOrder(
    firsts.filter(({ target }) => target !== END),
    steps,
  );
  return { steps, conditions, start, states, plan, shape: planText(plan) };
}

/** What must not come after a step and before the next. */
interface Gap {
  readonly nots: readonly number[];
  readonly notNexts: readonly number[];
}

const NO_GAP: Gap = { nots: [], notNexts: [] };

function gapsOf(plan: PatternPlan, number: (condition: PlanCondition) => number): Gap[] {
  const gaps: { nots: number[]; notNexts: number[] }[] = [];
  for (const part of plan.parts) {
    if (part.kind === 'step') gaps.push({ nots: [], notNexts: [] });
    else gapList(gaps.at(-1), part)?.push(number(part.condition));
  }
  return gaps;
}

function gapList(
  gap: { nots: number[]; notNexts: number[] } | undefined,
  part: NotPlan,
): number[] | undefined {
  return part.contiguity === 'strict' ? gap?.notNexts : gap?.nots;
}

/** Edges from step `i` to every step that may come next, over optional ones, and to the end where that may come next. */
function exitsOf(
  steps: readonly StepPlan[],
  gaps: readonly Gap[],
  i: number,
  to: (target: number, nots: Gap) => Edge,
): { readonly edges: readonly Edge[]; readonly completes: boolean } {
  const edges: Edge[] = [];
  let nots = gaps[i] ?? NO_GAP;
  for (let target = i + 1; target < steps.length; target++) {
    edges.push(to(target, nots));
    if (!steps[target]?.optional) return { edges, completes: false };
    const gap = gaps[target] ?? NO_GAP;
    nots = { nots: [...nots.nots, ...gap.nots], notNexts: [...nots.notNexts, ...gap.notNexts] };
  }
  const atTimeout = nots.nots.length > 0;
  if (!atTimeout && nots.notNexts.length === 0) return { edges, completes: true };
  const contiguity = atTimeout ? 'any' : 'strict';
  const end = { target: END, contiguity, condition: NONE, until: NONE, loops: false, overrides: 0 } as const;
  return { edges: [...edges, { bit: 0, ...end, ...nots }], completes: false };
}

function inOrder(edges: readonly Edge[], steps: readonly StepPlan[]): Edge[] {
  const all = (1 << edges.length) - 1;
  return edges.map((edge, i) => {
    const bit = 1 << i;
    const isGreedy = edge.target !== END && (steps[edge.target] as StepPlan).greedy;
    return { ...edge, bit, overrides: isGreedy ? all & ~(2 * bit - 1) : 0 };
  });
}
