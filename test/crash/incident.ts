import { type Random, seededRandom } from '#engine';

/** Something that a running engine does to itself at a named place. `hit` counts from when the trap is set. */
export interface Trap {
  readonly action: 'kill' | 'freeze';
  readonly point: string;
  readonly hit: number;
}

/** One death (or freezing) of the engine; due once the job has read `atShare` of the input. */
export type Incident =
  | { readonly kind: 'trap'; readonly trap: Trap; readonly atShare: number }
  | { readonly kind: 'random'; readonly delayMs: number; readonly atShare: number };

/** Passed when the harness hands a burst of window results to a series sink. */
export const BEFORE_ROWS = 'rows:before-write';

/** Points in the middle of a sink's commit. */
export const COMMIT_POINTS = ['log:mid-commit', 'iceberg:before-swap', 'iceberg:after-swap'] as const;
const PREPARE_POINTS = [
  'iceberg:data-written',
  'iceberg:manifest-written',
  'postgres:before-commit',
  'postgres:after-commit',
] as const;
const RESTORE_POINTS = [
  'restore:begin',
  'restore:before-commit',
  'restore:after-commit',
  'restore:end',
] as const;

/** Shares of the input between which incidents lie: after the fleet's first, sparse windows have closed. */
const FIRST_SHARE = { short: 0.35, long: 0.08 } as const;
const LAST_SHARE = 0.75;
const RANDOM_DELAY_MS_MAX = 600;

/** The order in which the engine dies, from a seed. A trap in restoring is set when the engine starts again. */
export function planIncidents(seed: number, form: 'short' | 'long', kills: number): readonly Incident[] {
  const random = seededRandom(seed);
  const points = form === 'long' ? longPoints() : shortPoints();
  const randomKills = Array.from({ length: Math.max(0, kills - points.length) }, () => null);
  const freezes: Trap[] = [{ action: 'freeze', point: BEFORE_ROWS, hit: 1 }];
  if (form === 'long') freezes.push({ action: 'freeze', point: 'postgres:before-commit', hit: 2 });
  const all = shuffled<Trap | string | null>([...points, ...randomKills, ...freezes], random);
  const first = FIRST_SHARE[form];
  return all.map((what, i): Incident => {
    const atShare = first + ((LAST_SHARE - first) * i) / Math.max(1, all.length - 1);
    if (what === null) return { kind: 'random', delayMs: random() * RANDOM_DELAY_MS_MAX, atShare };
    if (typeof what !== 'string') return { kind: 'trap', trap: what, atShare };
    const hit = isRestorePoint(what) ? 1 : 1 + Math.floor(random() * 3);
    return { kind: 'trap', trap: { action: 'kill', point: what, hit }, atShare };
  });
}

export function isRestorePoint(point: string): boolean {
  return point.startsWith('restore:');
}

function shortPoints(): readonly string[] {
  return [
    'checkpoint:before-publish',
    'checkpoint:after-publish',
    'iceberg:after-swap',
    'log:mid-commit',
    'restore:before-commit',
  ];
}

function longPoints(): readonly string[] {
  const publishing = ['checkpoint:before-publish', 'checkpoint:after-publish'].flatMap((point) => [
    point,
    point,
    point,
  ]);
  return [...publishing, ...COMMIT_POINTS, ...PREPARE_POINTS, ...RESTORE_POINTS];
}

function shuffled<T>(items: readonly T[], random: Random): readonly T[] {
  return items
    .map((item) => ({ item, order: random() }))
    .toSorted((a, b) => a.order - b.order)
    .map(({ item }) => item);
}
