import type { Random } from '../../engine/base/random.ts';
import type { SimKernel } from './kernel.ts';

/** Something that goes wrong at a time of the run, virtual ms; a role of null means all. A fail-over comes after its replica has lagged. */
export type Fault = { readonly atMs: number } & (
  | { readonly kind: 'kill' | 'freeze'; readonly role: string; readonly forMs: number }
  | { readonly kind: 'kill-thread'; readonly role: string; readonly thread: number }
  | { readonly kind: 'freeze-at'; readonly point: string; readonly hit: number; readonly forMs: number }
  | { readonly kind: 'kill-at'; readonly point: string; readonly hit: number }
  | { readonly kind: 'request-lost' | 'reply-lost' | 'late'; readonly role: string | null }
  | { readonly kind: 'drop-links'; readonly role: string | null; readonly lateMs: number | null }
  | { readonly kind: 'spike'; readonly role: string | null; readonly factor: number; readonly forMs: number }
  | { readonly kind: 'cut'; readonly role: string | null; readonly forMs: number }
  | { readonly kind: 'restart'; readonly forMs: number; readonly lostMs: number }
  | {
      readonly kind: 'fail-over';
      readonly lagMs: number;
      readonly forMs: number;
      readonly isDemoted: boolean;
    }
  | { readonly kind: 'out-of-memory' | 'replica-lag'; readonly forMs: number }
);

export interface FaultMix {
  readonly roles: readonly string[];
  /** Points of KILL_POINTS that the scenario passes. */
  readonly points: readonly string[];
  /** Faults happen from 0 to here, virtual ms. */
  readonly untilMs: number;
  readonly faultsMax: number;
  /** Whether a restart may lose what was not on disk. */
  readonly powerLoss: boolean;
  /** Whether processes have threads that may die alone, and may be frozen at points. */
  readonly workers?: boolean;
}

/** Draws what goes wrong in a run, in order of time. A seed draws few faults or many, and leaves some kinds out. */
export function drawFaults(kernel: SimKernel, mix: FaultMix): readonly Fault[] {
  const random = kernel.random('faults');
  const draws = mix.workers === true ? [...DRAWS, threadDeath, freezeAt, killAt] : DRAWS;
  const kinds = draws.filter(() => random() < 0.7);
  const count = kinds.length === 0 ? 0 : Math.floor(random() * (mix.faultsMax + 1));
  const faults = Array.from({ length: count }, () => {
    const atMs = Math.round(random() * mix.untilMs);
    return (pick(random, kinds) as Draw)(atMs, random, mix);
  });
  return faults.sort((a, b) => a.atMs - b.atMs);
}

/** When it is over, virtual ms. */
export function endOf(fault: Fault): number {
  return fault.atMs + ('forMs' in fault ? fault.forMs : 0) + ('lagMs' in fault ? fault.lagMs : 0);
}

type Draw = (atMs: number, random: Random, mix: FaultMix) => Fault;

const DRAWS: readonly Draw[] = [
  (atMs, random, { roles }) => ({
    atMs,
    kind: 'kill',
    role: pick(random, roles),
    forMs: skewed(random, 50, 3_000),
  }),
  (atMs, random, mix) => killAt(atMs, random, mix),
  (atMs, random, { roles }) => ({
    atMs,
    kind: 'freeze',
    role: pick(random, roles),
    forMs: skewed(random, 20, 12_000),
  }),
  (atMs, random, { roles }) => ({
    atMs,
    kind: pick(random, ['request-lost', 'reply-lost', 'late'] as const),
    role: someRole(random, roles),
  }),
  (atMs, random, { roles }) => ({
    atMs,
    kind: 'drop-links',
    role: someRole(random, roles),
    lateMs: random() < 0.5 ? null : skewed(random, 0, 2_000),
  }),
  (atMs, random, { roles }) => ({
    atMs,
    kind: 'spike',
    role: someRole(random, roles),
    factor: skewed(random, 10, 2_000),
    forMs: skewed(random, 50, 3_000),
  }),
  (atMs, random, { roles }) => ({
    atMs,
    kind: 'cut',
    role: someRole(random, roles),
    forMs: skewed(random, 50, 15_000),
  }),
  (atMs, random, { powerLoss }) => ({
    atMs,
    kind: 'restart',
    forMs: skewed(random, 20, 8_000),
    lostMs: powerLoss && random() < 0.5 ? skewed(random, 1, 1_500) : 0,
  }),
  (atMs, random) => ({
    atMs,
    kind: 'fail-over',
    lagMs: random() < 0.5 ? 0 : skewed(random, 10, 1_500),
    forMs: skewed(random, 50, 5_000),
    isDemoted: random() < 0.4,
  }),
  (atMs, random) => ({ atMs, kind: 'out-of-memory', forMs: skewed(random, 50, 4_000) }),
  (atMs, random) => ({ atMs, kind: 'replica-lag', forMs: skewed(random, 50, 4_000) }),
];

const killAt: Draw = (atMs, random, { points }) => ({
  atMs,
  kind: 'kill-at',
  point: pick(random, points),
  hit: 1 + Math.floor(random() * 3),
});

const freezeAt: Draw = (atMs, random, { points }) => ({
  atMs,
  kind: 'freeze-at',
  point: pick(random, points),
  hit: 1 + Math.floor(random() * 2),
  forMs: skewed(random, 500, 8_000),
});

const threadDeath: Draw = (atMs, random, { roles }) => ({
  atMs,
  kind: 'kill-thread',
  role: pick(random, roles),
  thread: Math.floor(random() * 4),
});

function pick<T>(random: Random, items: readonly T[]): T {
  return items[Math.floor(random() * items.length)] as T;
}

function someRole(random: Random, roles: readonly string[]): string | null {
  return random() < 0.3 ? null : pick(random, roles);
}

/** Mostly near `least`, seldom near `most`. */
function skewed(random: Random, least: number, most: number): number {
  return Math.round(least + random() ** 3 * (most - least));
}
