import fc from 'fast-check';
import t from 'tap';
import { MIN_WATERMARK } from '#engine';
import { intervalJoin, type JoinType } from '../../../operators/join/interval-join.ts';
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

/** Refuses some pairs and some records without a partner. */
function join(left: Event | null, right: Event | null): unknown {
  if (((left?.n ?? 0) + (right?.n ?? 0)) % 7 === 3) throw new Error('refused');
  return { left: left?.n ?? null, right: right?.n ?? null };
}

const shape = fc
  .record({
    lowerMs: fc.integer({ min: -12, max: 8 }),
    widthMs: fc.integer({ min: 0, max: 15 }),
    includeLower: fc.boolean(),
    includeUpper: fc.boolean(),
    type: fc.constantFrom<JoinType>('inner', 'left', 'right', 'full'),
    keys: fc.constantFrom(...twoInputSelectors),
    interpreted: fc.boolean(),
  })
  .map(({ widthMs, ...it }) => ({ ...it, upperMs: it.lowerMs + widthMs }))
  .filter((it) => it.upperMs - it.lowerMs >= Number(!it.includeLower) + Number(!it.includeUpper));
type Shape = typeof shape extends fc.Arbitrary<infer S> ? S : never;

interface Kept {
  readonly input: number;
  readonly row: Event;
  matched: boolean;
}

/** Every record in one list; every pair looked at. */
function reference(how: Shape): TwoInputReference {
  let kept: Kept[] = [];
  let watermark = MIN_WATERMARK;
  let results: TimedRow[] = [];
  let late: [TimedRow[], TimedRow[]] = [[], []];
  let errors: (readonly [string, unknown, number])[] = [];
  const upper = how.includeUpper ? how.upperMs : how.upperMs - 1;
  const lower = how.includeLower ? how.lowerMs : how.lowerMs + 1;
  const overAt = ({ input, row }: Kept) => row.ts + Math.max(0, input === 0 ? upper : -lower);
  const isPair = (left: Event, right: Event) => {
    const difference = right.ts - left.ts;
    const low = how.includeLower ? difference >= how.lowerMs : difference > how.lowerMs;
    return (
      left.key === right.key &&
      low &&
      (how.includeUpper ? difference <= how.upperMs : difference < how.upperMs)
    );
  };
  return {
    record(input, row) {
      if (row.ts < watermark) {
        late[input as 0 | 1].push([row, row.ts]);
        return;
      }
      const partners = kept.filter((other) =>
        other.input === input ? false : input === 0 ? isPair(row, other.row) : isPair(other.row, row),
      );
      const made = partners.map(
        (other): TimedRow => [
          input === 0 ? join(row, other.row) : join(other.row, row),
          Math.max(row.ts, other.row.ts),
        ],
      );
      results.push(...made);
      for (const partner of partners) partner.matched = true;
      kept.push({ input, row, matched: partners.length > 0 });
    },
    watermark(time) {
      watermark = time;
      for (const it of kept.filter((one) => overAt(one) <= time && !one.matched)) {
        const isOuter = how.type === 'full' || how.type === (it.input === 0 ? 'left' : 'right');
        if (!isOuter) continue;
        try {
          results.push([it.input === 0 ? join(it.row, null) : join(null, it.row), overAt(it)]);
        } catch (error) {
          errors.push([(error as Error).message, it.row, overAt(it)]);
        }
      }
      kept = kept.filter((it) => overAt(it) > time);
    },
    take() {
      const said = { results, late, errors };
      [results, late, errors] = [[], [[], []], []];
      return said;
    },
  };
}

void t.test(
  'IJ1 IJ2 IJ3 IJ4 IJ5 TI3: results, late records and dead letters equal a look at every pair, across restores at any parallelism; no state is left',
  async () => {
    fc.assert(
      fc.property(shape, twoInputScript({ min: -30, max: 40 }), (how, script) => {
        const subtasks = createTwoInputSubtasks(
          intervalJoin<Event, Event, unknown, JoinType>({ ...how, join }),
          how,
        );
        const wrong = twoInputDifference(subtasks, reference(how), script);
        if (wrong !== null) throw new Error(wrong);
        if (subtasks.storedKeys() !== 0) throw new Error('state is left after the end');
        if (subtasks.operators().some((it) => it.counters?.().timers !== 0))
          throw new Error('deadlines are left');
      }),
      { numRuns: propertyRuns(300) },
    );
  },
);
