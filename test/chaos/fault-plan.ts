import { type Random, seededRandom } from '#engine';
import type { SetupName } from './chaos-servers.ts';

interface Fault {
  /** Faults that come together are of different groups. */
  readonly group: 'worker' | 'feeder' | 'connections' | 'server' | 'command';
  readonly weight: number;
  /** Default: all. */
  readonly setups?: readonly SetupName[];
}

const FAULTS_OF = {
  'worker-kill': { group: 'worker', weight: 5 },
  'worker-kill-coordinator': { group: 'worker', weight: 4 },
  'worker-kill-all': { group: 'worker', weight: 2 },
  'worker-freeze': { group: 'worker', weight: 2 },
  'worker-cut-off': { group: 'worker', weight: 2 },
  'worker-leave': { group: 'worker', weight: 2 },
  'worker-join': { group: 'worker', weight: 1 },
  'feeder-kill': { group: 'feeder', weight: 2 },
  'connections-kill': { group: 'connections', weight: 3 },
  'connections-kill-some': { group: 'connections', weight: 2 },
  'redis-restart': { group: 'server', weight: 2 },
  'redis-kill-restart': { group: 'server', weight: 3 },
  'primary-kill': { group: 'server', weight: 4, setups: ['sentinel', 'cluster'] },
  'primary-freeze': { group: 'server', weight: 2, setups: ['sentinel', 'cluster'] },
  'fail-over': { group: 'server', weight: 2, setups: ['sentinel', 'cluster'] },
  'replica-kill': { group: 'server', weight: 1, setups: ['sentinel', 'cluster'] },
  'disk-full': { group: 'server', weight: 4, setups: ['disk', 'process'] },
  rescale: { group: 'command', weight: 2 },
  savepoint: { group: 'command', weight: 2 },
} as const satisfies Record<string, Fault>;
export type FaultKind = keyof typeof FAULTS_OF;

/** What is done to a running system. */
export const FAULTS: Readonly<Record<FaultKind, Fault>> = FAULTS_OF;

export interface PlannedFault {
  readonly kind: FaultKind;
  /** 0 ≤ pick < 1: whom it meets, and how long it lasts. */
  readonly pick: number;
  /** Behind the first one of its step. */
  readonly delayMs: number;
}

/** Faults that come together, and how long it is from the first of them to the next step at least. */
export interface Step {
  readonly lastsMs: number;
  readonly faults: readonly PlannedFault[];
}

/** Shares of the steps with more than one fault, and with more than two. */
const SECOND_SHARE = 0.35;
const THIRD_SHARE = 0.07;
const TOGETHER_MS = 2_000;

export type StepMs = readonly [least: number, most: number];

export interface PlanOptions {
  readonly seed: number;
  readonly setup: SetupName;
  /** Default: all kinds. */
  readonly only?: readonly string[] | undefined;
  readonly stepMs?: StepMs | undefined;
}

/** Steps without end; the same for the same options. Every kind comes once before any comes by chance. */
export function* planSteps(options: PlanOptions): Generator<Step> {
  const { seed, setup, only = Object.keys(FAULTS), stepMs: [least, most] = [7_000, 13_000] } = options;
  const random = seededRandom(seed);
  const possible = (Object.keys(FAULTS) as FaultKind[]).filter(
    (kind) => only.includes(kind) && (FAULTS[kind].setups?.includes(setup) ?? true),
  );
  if (possible.length === 0) return;
  const first = shuffled(possible, random);
  for (;;) {
    const kinds = [first.shift() ?? chosen(possible, random)];
    const more = random();
    const count = more < THIRD_SHARE ? 3 : more < SECOND_SHARE ? 2 : 1;
    while (first.length === 0 && kinds.length < count) {
      const used = new Set<string>(kinds.map((kind) => FAULTS[kind].group));
      const others = possible.filter((kind) => !used.has(FAULTS[kind].group));
      if (others.length === 0) break;
      kinds.push(chosen(others, random));
    }
    yield {
      lastsMs: Math.round(least + random() * (most - least)),
      faults: kinds.map((kind, i) => ({
        kind,
        pick: random(),
        delayMs: i === 0 ? 0 : Math.round(random() * TOGETHER_MS),
      })),
    };
  }
}

/** A step in one line, for people and for comparing two runs. */
export function describeStep({ lastsMs, faults }: Step): string {
  const text = faults.map(({ kind, pick, delayMs }) => `${kind}@${delayMs}~${pick.toFixed(3)}`);
  return `${text.join(' + ')}, ${lastsMs} ms`;
}

function chosen(kinds: readonly FaultKind[], random: Random): FaultKind {
  const total = kinds.reduce((sum, kind) => sum + FAULTS[kind].weight, 0);
  let at = random() * total;
  for (const kind of kinds) {
    at -= FAULTS[kind].weight;
    if (at < 0) return kind;
  }
  return kinds[0] as FaultKind;
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  return items
    .map((item) => ({ item, order: random() }))
    .toSorted((a, b) => a.order - b.order)
    .map(({ item }) => item);
}
