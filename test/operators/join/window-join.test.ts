import fc from 'fast-check';
import t from 'tap';
import { coGroup } from '../../../operators/join/co-group.ts';
import type { JoinWindows } from '../../../operators/join/window-contents.ts';
import { windowJoin } from '../../../operators/join/window-join.ts';
import { propertyRuns } from '../../support/property-runs.ts';
import {
  createTwoInputSubtasks,
  type Event,
  twoInputDifference,
  twoInputScript,
  twoInputSelectors,
} from '../../support/two-input.ts';
import { TwoInputWindowsReference, type TwoInputWindowsSpec } from '../../support/two-input-windows.ts';

function join(left: Event, right: Event): unknown {
  if ((left.n + right.n) % 7 === 3) throw new Error('refused');
  return { left: left.n, right: right.n };
}

function grouped(start: number, end: number, lefts: readonly Event[], rights: readonly Event[]): unknown {
  const names = (rows: readonly Event[]) => rows.map(({ n }) => n).sort((a, b) => a - b);
  if ([...lefts, ...rights].reduce((sum, { n }) => sum + n, 0) % 5 === 3) throw new Error('refused');
  return { start, end, lefts: names(lefts), rights: names(rights) };
}

const gapOf = (row: Event) => 3 + (row.n % 5);

const windows: fc.Arbitrary<{
  readonly given: JoinWindows<Event>;
  readonly explained: TwoInputWindowsSpec['windows'];
}> = fc.oneof(
  fc.record({ sizeMs: fc.constantFrom(1, 10, 25), offsetMs: fc.constantFrom(0, 3) }).map((it) => ({
    given: { kind: 'tumbling' as const, ...it },
    explained: { kind: 'aligned' as const, slideMs: it.sizeMs, ...it },
  })),
  fc
    .record({
      sizeMs: fc.constantFrom(4, 10, 25),
      slideMs: fc.constantFrom(5, 10, 4),
      offsetMs: fc.constantFrom(0, 3),
    })
    .map((it) => ({
      given: { kind: 'sliding' as const, ...it },
      explained: { kind: 'aligned' as const, ...it },
    })),
  fc.constantFrom(1, 4, 9).map((gap) => ({
    given: { kind: 'session' as const, gap },
    explained: { kind: 'session' as const, gapOf: () => gap },
  })),
  fc.constant({
    given: { kind: 'session' as const, gap: gapOf },
    explained: { kind: 'session' as const, gapOf },
  }),
);

const shape = fc.record({
  windows,
  latenessMs: fc.constantFrom(0, 1, 15),
  keys: fc.constantFrom(...twoInputSelectors),
  interpreted: fc.boolean(),
});

for (const kind of ['join', 'group'] as const) {
  void t.test(
    `AW1 AW2 SJ1 SJ2 SJ3 WF1 WF2: a window ${kind} equals a recount from scratch, across restores at any parallelism; no state is left`,
    async () => {
      fc.assert(
        fc.property(shape, twoInputScript({ min: -30, max: 40 }), (how, script) => {
          const options = { windows: how.windows.given, allowedLatenessMs: how.latenessMs };
          const definition =
            kind === 'join'
              ? windowJoin<Event, Event, unknown>({ ...options, join })
              : coGroup<unknown, Event, Event, unknown>({
                  ...options,
                  group: (_, { start, end }, lefts, rights) => [grouped(start, end, lefts, rights)],
                });
          const subtasks = createTwoInputSubtasks(definition, how);
          const reference = new TwoInputWindowsReference({
            windows: how.windows.explained,
            latenessMs: how.latenessMs,
            keys: how.keys[0],
            join: kind === 'join' ? join : null,
            group: grouped,
          });
          const wrong = twoInputDifference(subtasks, reference, script);
          if (wrong !== null) throw new Error(wrong);
          if (subtasks.storedKeys() !== 0) throw new Error('state is left after the end');
          if (subtasks.operators().some((it) => it.counters?.().timers !== 0))
            throw new Error('deadlines are left');
        }),
        { numRuns: propertyRuns(120) },
      );
    },
  );
}
