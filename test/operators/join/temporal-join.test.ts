import fc from 'fast-check';
import t from 'tap';
import { MIN_WATERMARK } from '#engine';
import { temporalJoin } from '../../../operators/join/temporal-join.ts';
import { propertyRuns } from '../../support/property-runs.ts';
import {
  createTwoInputSubtasks,
  type Event,
  type TimedRow,
  twoInputDifference,
  type TwoInputReference,
  twoInputScript,
  twoInputSelectors,
} from '../../support/two-input.ts';

/** Refuses some facts with some versions. */
function join(fact: Event, version: Event | null): unknown {
  if ((fact.n + (version?.n ?? 0)) % 7 === 3) throw new Error('refused');
  return { fact: fact.n, version: version?.n ?? null };
}

function isDeleted(version: Event): boolean {
  if (version.n % 11 === 5) throw new Error('no such state');
  return version.n % 4 === 1;
}

const shape = fc.record({
  type: fc.constantFrom<'inner' | 'left'>('inner', 'left'),
  deletes: fc.boolean(),
  ttlMs: fc.constantFrom(null, 1, 7, 20),
  keys: fc.constantFrom(...twoInputSelectors),
  interpreted: fc.boolean(),
});
type Shape = typeof shape extends fc.Arbitrary<infer S> ? S : never;

/** Keeps every version that ever counted and asks all of them each time. */
function reference({ type, deletes, ttlMs }: Shape): TwoInputReference {
  const versions: { readonly row: Event; readonly isDeleted: boolean }[] = [];
  const usedAt = new Map<string, number>();
  let facts: (Event & { readonly key: string })[] = [];
  let watermark = MIN_WATERMARK;
  let results: TimedRow[] = [];
  let late: [TimedRow[], TimedRow[]] = [[], []];
  let errors: (readonly [string, unknown, number])[] = [];
  const newestUntil = (key: string, time: number) =>
    versions
      .filter(({ row }) => row.key === key && row.ts <= time)
      .sort((a, b) => a.row.ts - b.row.ts)
      .at(-1);
  const overAt = (key: string, time: number) =>
    ttlMs === null ? Number.POSITIVE_INFINITY : Math.max(time, usedAt.get(key) ?? -Infinity) + ttlMs;
  const give = (fact: Event, version: Event | null) => {
    if (version !== null || type === 'left') results.push([join(fact, version), fact.ts]);
  };
  return {
    record(input, row) {
      if (input === 1) {
        const isDeletion = deletes && isDeleted(row);
        const isLate = row.ts <= watermark;
        const base = newestUntil(row.key, watermark);
        const isReplaced = isLate && base !== undefined && base.row.ts > row.ts;
        if (isReplaced || (isLate && overAt(row.key, row.ts) <= watermark)) late[1].push([row, row.ts]);
        else versions.push({ row, isDeleted: isDeletion });
      } else if (row.ts > watermark) facts.push(row);
      else {
        const base = newestUntil(row.key, watermark);
        if (base === undefined || overAt(row.key, base.row.ts) <= watermark || base.row.ts > row.ts)
          late[0].push([row, row.ts]);
        else give(row, base.isDeleted ? null : base.row);
      }
    },
    watermark(time) {
      watermark = time;
      const due = facts.filter((fact) => fact.ts <= time).sort((a, b) => a.ts - b.ts);
      facts = facts.filter((fact) => fact.ts > time);
      for (const fact of due) {
        const found = newestUntil(fact.key, fact.ts);
        const counts = found !== undefined && !found.isDeleted && fact.ts < overAt(fact.key, found.row.ts);
        if (counts) usedAt.set(fact.key, fact.ts);
        try {
          give(fact, counts ? found.row : null);
        } catch (error) {
          errors.push([(error as Error).message, fact, fact.ts]);
        }
      }
    },
    take() {
      const said = { results, late, errors };
      [results, late, errors] = [[], [[], []], []];
      return said;
    },
  };
}

void t.test(
  'TJ1 TJ2 TJ3 TJ4 TJ5 TJ6: results, late records and dead letters equal a look at every version, across restores at any parallelism',
  async () => {
    fc.assert(
      fc.property(shape, twoInputScript({ min: -30, max: 40 }), (how, script) => {
        const definition = temporalJoin<Event, Event, unknown, 'inner' | 'left'>({
          type: how.type,
          join,
          ...(how.deletes ? { isDeleted } : {}),
          ...(how.ttlMs === null ? {} : { ttl: how.ttlMs }),
        });
        const subtasks = createTwoInputSubtasks(definition, how);
        const wrong = twoInputDifference(subtasks, reference(how), script);
        if (wrong !== null) throw new Error(wrong);
        if (how.ttlMs === null) return;
        if (subtasks.storedKeys() !== 0) throw new Error('state is left after the end');
        if (subtasks.operators().some((it) => it.counters?.().timers !== 0))
          throw new Error('deadlines are left');
      }),
      { numRuns: propertyRuns(300) },
    );
  },
);
