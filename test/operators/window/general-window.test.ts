import fc from 'fast-check';
import t from 'tap';
import { type KeySelector, MAX_WATERMARK, MIN_WATERMARK } from '#engine';
import { count, max, sum, type, tumbling } from '#operators';
import type { AggregateFunction } from '../../../operators/window/aggregate-function.ts';
import { generalWindow } from '../../../operators/window/general-window-operator.ts';
import type { GeneralWindowFunction, WindowAssigner } from '../../../operators/window/general-window-spec.ts';
import { countWindow, global } from '../../../operators/window/global-windows.ts';
import { session } from '../../../operators/window/session-assigner.ts';
import {
  onEventTime,
  onCount,
  onProcessingTime,
  purging,
  type Trigger,
} from '../../../operators/window/trigger.ts';
import {
  continuousEventTime,
  continuousProcessingTime,
} from '../../../operators/window/trigger-continuous.ts';
import { emitEarly } from '../../../operators/window/trigger-early.ts';
import { defineWindowFunction } from '../../../operators/window/window-process.ts';
import { manualClock } from '../../ops/support/manual-clock.ts';
import {
  GeneralWindowReference,
  type GeneralReferenceSpec,
  type ReferenceTrigger,
} from '../../support/general-window-reference.ts';
import { propertyRuns } from '../../support/property-runs.ts';
import { type Form, form, forms, type Sample, samples } from '../../support/row-arbitraries.ts';
import { createSubtasks } from '../../support/subtasks.ts';
import { text } from '../../support/window-reference.ts';

type Windows = GeneralReferenceSpec<Sample>['windowsOf'];

/** What an assigner is, how the reference assigns, and of count windows how many rows a result is of. */
interface AssignerCase {
  readonly assigner: WindowAssigner;
  readonly windowsOf: Windows;
  readonly keepLast: number | null;
  readonly trigger: ReferenceTrigger | null;
  readonly purging: boolean;
}

const fixed =
  (sizeMs: number, slideMs: number, offsetMs: number): Windows =>
  (_row, time) => {
    const windows: [number, number][] = [];
    const first = Math.ceil((time - sizeMs + 1 - offsetMs) / slideMs) * slideMs + offsetMs;
    for (let start = first; start <= time; start += slideMs) windows.unshift([start, start + sizeMs]);
    return windows;
  };
const everything: Windows = () => [[MIN_WATERMARK, MAX_WATERMARK]];
const gapOf = (row: Sample) => (row.level === -2 ? 0.5 : row.level > 0 ? 20 : 5);
const plain = { keepLast: null, trigger: null, purging: false };

const assigners: readonly AssignerCase[] = [
  { ...plain, assigner: tumbling(10), windowsOf: fixed(10, 10, 0) },
  { ...plain, assigner: tumbling(25, { offset: 7 }), windowsOf: fixed(25, 25, 7) },
  {
    ...plain,
    assigner: { kind: 'sliding', sizeMs: 20, slideMs: 5, offsetMs: 2 },
    windowsOf: fixed(20, 5, 2),
  },
  {
    ...plain,
    assigner: { kind: 'sliding', sizeMs: 5, slideMs: 10, offsetMs: 0 },
    windowsOf: fixed(5, 10, 0),
  },
  { ...plain, assigner: session(10), windowsOf: (_row, time) => [[time, time + 10]] },
  {
    ...plain,
    assigner: session(gapOf),
    windowsOf(row, time) {
      if (!Number.isInteger(gapOf(row))) throw new Error('no gap');
      return [[time, time + gapOf(row)]];
    },
  },
  { ...plain, assigner: global(), windowsOf: everything },
  {
    assigner: countWindow(3),
    windowsOf: everything,
    keepLast: null,
    trigger: { kind: 'count', count: 3 },
    purging: true,
  },
  {
    assigner: countWindow(3, 2),
    windowsOf: everything,
    keepLast: 3,
    trigger: { kind: 'count', count: 2 },
    purging: false,
  },
];

const mode = fc.constantFrom('accumulate' as const, 'discard' as const);
const everyMs = fc.constantFrom(3, 10, 40);
const triggers: fc.Arbitrary<ReferenceTrigger> = fc.oneof(
  fc.constant({ kind: 'event-time' as const }),
  fc.constant({ kind: 'processing-time' as const }),
  fc.record({ kind: fc.constant('count' as const), count: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ kind: fc.constant('continuous-event-time' as const), everyMs }),
  fc.record({ kind: fc.constant('continuous-processing-time' as const), everyMs }),
  fc.record({
    kind: fc.constant('early' as const),
    everyMs,
    on: fc.constantFrom('event-time' as const, 'processing-time' as const),
    lateMs: fc.option(fc.constantFrom(4, 15)),
    mode,
  }),
  fc.record({ kind: fc.constant('early-count' as const), count: fc.integer({ min: 1, max: 3 }), mode }),
);

function triggerOf(it: ReferenceTrigger): Trigger<unknown> {
  switch (it.kind) {
    case 'event-time':
      return onEventTime();
    case 'processing-time':
      return onProcessingTime();
    case 'count':
      return onCount(it.count);
    case 'continuous-event-time':
      return continuousEventTime(it.everyMs);
    case 'continuous-processing-time':
      return continuousProcessingTime(it.everyMs);
    case 'early':
      return emitEarly({
        every: it.everyMs,
        on: it.on,
        mode: it.mode,
        ...(it.lateMs === null ? {} : { late: { every: it.lateMs } }),
      });
    case 'early-count':
      return emitEarly({ everyRecords: it.count, mode: it.mode });
  }
}

const shown = (rows: readonly Sample[]) => rows.map((row) => `${row.ts}/${row.level}`).join();

/** Lists what it saw, in order; refuses level −3. */
const listing: AggregateFunction<Sample, { seen: string[] }, string> = {
  createAccumulator: () => ({ seen: [] }),
  add(row, accumulator) {
    if (row.level === -3) throw new Error('refused');
    accumulator.seen.push(`${row.ts}/${row.level}`);
    return accumulator;
  },
  merge(a, b) {
    a.seen.push(...b.seen);
    return a;
  },
  getResult: ({ seen }) => seen.join(),
};

/** The same over elements; fails on windows that hold level −3. */
const listed = defineWindowFunction({
  input: type<Sample>(),
  output: type<unknown>(),
  process(elements, { key, window, emit }) {
    const rows = [...elements];
    emit({ key, window, value: shown(rows) });
    if (rows.some((row) => row.level === -3)) throw new Error('refused');
  },
});

const wrapped = defineWindowFunction({
  input: type<string>(),
  output: type<unknown>(),
  process([value], { key, window, emit }) {
    emit({ key, window, value });
  },
});

interface FunctionCase {
  readonly function: GeneralWindowFunction;
  readonly value: (rows: readonly Sample[]) => unknown;
  readonly refuses: (row: Sample) => boolean;
}

const anything = () => false;
const refuses = (row: Sample) => row.level === -3;
const over = { kind: 'fold', fold: listing as AggregateFunction<never, unknown, unknown> } as const;
const functions: readonly FunctionCase[] = [
  {
    function: { kind: 'aggregate', aggregates: { n: count(), levels: sum('level'), newest: max('ts') } },
    value: (rows) => ({
      n: rows.length,
      levels: rows.reduce((a, row) => a + row.level, 0),
      newest: Math.max(...rows.map((row) => row.ts)),
    }),
    refuses: anything,
  },
  { function: over, value: shown, refuses },
  {
    function: { kind: 'process', function: listed, over: null },
    value(rows) {
      if (rows.some(refuses)) throw new Error('refused');
      return shown(rows);
    },
    refuses: anything,
  },
  { function: { kind: 'process', function: wrapped, over }, value: shown, refuses },
];

const selectors: readonly (readonly [KeySelector, (row: Sample) => unknown])[] = [
  [{ kind: 'fields', fields: ['tenant'] }, (row) => ({ tenant: row.tenant })],
  [
    { kind: 'fields', fields: ['tenant', 'device'] },
    (row) => (row.device === null ? null : { tenant: row.tenant, device: row.device }),
  ],
  [{ kind: 'function', select: (row) => (row as Sample).ok }, (row) => row.ok],
  [{ kind: 'function', select: (row) => (row as Sample).device }, (row) => row.device],
];

type Step =
  | { readonly kind: 'records'; readonly rows: readonly Sample[]; readonly form: Form }
  | { readonly kind: 'watermark'; readonly ms: number }
  | { readonly kind: 'advance'; readonly ms: number }
  | { readonly kind: 'restore'; readonly parallelism: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('records' as const),
      rows: samples({ maxLength: 8 }),
      form: form(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('watermark' as const),
      ms: fc.integer({ min: -70, max: 140 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.integer({ min: 0, max: 45 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('restore' as const),
      parallelism: fc.integer({ min: 1, max: 3 }),
    }),
  },
);

const shape = fc.record({
  assigned: fc.constantFrom(...assigners),
  trigger: triggers,
  purging: fc.boolean(),
  what: fc.constantFrom(...functions),
  latenessMs: fc.constantFrom(0, 1, 15, 60),
  selector: fc.constantFrom(...selectors),
  interpreted: fc.boolean(),
});

/** Null where the two agree all along. */
function difference(how: typeof shape extends fc.Arbitrary<infer S> ? S : never, script: readonly Step[]) {
  const { assigned, what, latenessMs, selector, interpreted } = how;
  const [keys, keyOf] = selector;
  const clock = manualClock(-20);
  const own = assigned.trigger !== null;
  const trigger = purgingIf(how.purging, triggerOf(how.trigger));
  const { keepLast } = assigned;
  const options = { keys, interpreted, clock };
  const subtasks = createSubtasks(
    generalWindow({
      assigner: assigned.assigner,
      trigger: own ? null : trigger,
      allowedLatenessMs: latenessMs,
      function: what.function,
    }),
    options,
  );
  const reference = new GeneralWindowReference<Sample>({
    windowsOf: assigned.windowsOf,
    merges: assigned.assigner.kind === 'session',
    trigger: assigned.trigger ?? how.trigger,
    purging: own ? assigned.purging : how.purging,
    latenessMs,
    keyOf,
    value: (rows) => what.value(keepLast === null ? rows : rows.slice(-keepLast)),
    refuses: what.refuses,
    now: clock.now,
  });
  for (const it of [...script, { kind: 'watermark' as const, ms: 10_000 }]) {
    if (it.kind === 'records') {
      subtasks.records(it.rows, (rows) => forms(rows, it.form));
      for (const row of it.rows) reference.record(row, row.ts);
    } else if (it.kind === 'watermark') {
      subtasks.watermark(it.ms);
      reference.watermark(it.ms);
    } else if (it.kind === 'advance') {
      clock.advance(it.ms);
      for (const operator of subtasks.operators()) operator.poll?.();
      reference.poll();
    } else subtasks.restore(it.parallelism);
    const { results, late, errors } = subtasks.take();
    const said = {
      results: results.map(text).sort(),
      late: late.map(text).sort(),
      errors: errors.map(({ code, message, row, time }) => text([told(code, message), row, time])).sort(),
    };
    const expected = reference.take();
    if (text(said) !== text(expected))
      return `${text(it)}\n got      ${text(said)}\n expected ${text(expected)}`;
  }
  return null;
}

function purgingIf(isPurging: boolean, trigger: Trigger<unknown>): Trigger<unknown> {
  return isPurging ? purging(trigger) : trigger;
}

function told(code: string, message: string): string {
  if (code === 'MR_KEY_INVALID') return 'no key';
  return message.startsWith('The session gap') ? 'no gap' : message;
}

void t.test(
  'GW1–GW8: any windows with any trigger, lateness and function give what a recount from scratch gives, across restores at any parallelism',
  async () => {
    fc.assert(
      fc.property(shape, fc.array(step, { maxLength: 10 }), (how, script) => {
        const wrong = difference(how, script);
        if (wrong !== null) throw new Error(wrong);
      }),
      { numRuns: propertyRuns(500) },
    );
  },
);
