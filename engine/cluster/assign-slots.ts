import { invariant } from '../base/errors.ts';

/** A worker as the scheduler sees it. */
export interface WorkerCapacity {
  readonly id: string;
  readonly slots: number;
  /** Slots that other jobs use; what the job's own earlier attempt used is free again. */
  readonly used: number;
  /** Takes nothing new, and keeps nothing when slots are assigned anew. */
  readonly draining: boolean;
}

export interface SlotRequest {
  readonly workers: readonly WorkerCapacity[];
  readonly parallelism: number;
  /** Slot → worker of the attempt before. */
  readonly previous?: ReadonlyMap<number, string>;
}

export type SlotAssignment =
  /** `places[slot]` is the worker's id. */
  | { readonly kind: 'placed'; readonly places: readonly string[] }
  /** So many slots more are needed. */
  | { readonly kind: 'short'; readonly missing: number };

/**
 * Which worker runs which slot of a job. Pure; the order of the workers does not matter.
 *
 * AS1 No worker gets more than its free slots.
 * AS2 Evenly: a worker has at most one slot more than any other that has a free slot left.
 * AS3 Among even spreads it is one that leaves the most slots where they were, since their state lies there. Assigning again changes nothing.
 * AS4 Ties go to the worker with the most free slots, then to the lower id.
 */
export function assignSlots({ workers, parallelism, previous }: SlotRequest): SlotAssignment {
  invariant(Number.isSafeInteger(parallelism) && parallelism >= 1, `a job has slots, not ${parallelism}`);
  const shares = sharesOf(workers, parallelism, previous);
  const free = shares.reduce((sum, share) => sum + share.free, 0);
  if (free < parallelism) return { kind: 'short', missing: parallelism - free };
  spread(shares, parallelism);
  return { kind: 'placed', places: place(shares, parallelism, previous) };
}

/** What one worker has to give, and how much of it this job takes. */
interface Share {
  readonly id: string;
  readonly free: number;
  /** Slots of the job that were there before. */
  readonly before: number;
  /** Slots of the job that it gets. */
  target: number;
}

function sharesOf(
  workers: readonly WorkerCapacity[],
  parallelism: number,
  previous: ReadonlyMap<number, string> | undefined,
): Share[] {
  const before = new Map<string, number>();
  for (const [slot, id] of previous ?? []) {
    if (slot < parallelism) before.set(id, (before.get(id) ?? 0) + 1);
  }
  return workers
    .filter((worker) => !worker.draining && worker.slots > worker.used)
    .map(({ id, slots, used }) => ({ id, free: slots - used, before: before.get(id) ?? 0, target: 0 }))
    .sort((a, b) => b.free - a.free || (a.id < b.id ? -1 : 1));
}

/** Fills all workers to the same level as far as they have room; the last, partial level goes to those that lose slots otherwise. */
function spread(shares: readonly Share[], parallelism: number): void {
  let left = parallelism;
  for (let level = 0; left > 0; level++) {
    const open = shares.filter((share) => share.free > level);
    const keeping = open.filter((share) => share.before > level);
    const taking = [...keeping, ...open.filter((share) => share.before <= level)].slice(0, left);
    for (const share of taking) share.target++;
    left -= taking.length;
  }
}

/** Slots that stay first, then the others one by one to the worker that has the fewest. */
function place(
  shares: readonly Share[],
  parallelism: number,
  previous: ReadonlyMap<number, string> | undefined,
): string[] {
  const byId = new Map(shares.map((share) => [share.id, share]));
  const given = new Map<Share, number>(shares.map((share) => [share, 0]));
  const places: (string | undefined)[] = [];
  const give = (slot: number, share: Share) => {
    places[slot] = share.id;
    given.set(share, (given.get(share) as number) + 1);
  };
  for (let slot = 0; slot < parallelism; slot++) {
    const share = byId.get(previous?.get(slot) ?? '');
    if (share !== undefined && (given.get(share) as number) < share.target) give(slot, share);
    else places[slot] = undefined;
  }
  const turns = shares.flatMap((share) => {
    const has = given.get(share) as number;
    return Array.from({ length: share.target - has }, (_, i) => ({ share, level: has + i }));
  });
  turns.sort((a, b) => a.level - b.level); // stable: most free, then lower id, as shares are sorted
  let next = 0;
  for (let slot = 0; slot < parallelism; slot++) {
    if (places[slot] === undefined) give(slot, (turns[next++] as (typeof turns)[number]).share);
  }
  return places as string[];
}
