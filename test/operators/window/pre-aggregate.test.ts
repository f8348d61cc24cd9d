import fc from 'fast-check';
import t from 'tap';
import { InputMerger, keyGroupRange, type Operator, type Output, type Stage } from '#engine';
import { avg, count, max, min, p95, sum, tumbling } from '#operators';
import { decodeSnapshot, encodeSnapshot } from '../../support/stored-snapshot.ts';
import { ElementDecoder, ElementEncoder } from '../../../engine/exchange/element-codec.ts';
import { inPlainForm } from '../../../engine/exchange/plain-form.ts';
import { createPassThrough } from '../../../engine/runtime/pass-through.ts';
import {
  countIf,
  distinct,
  first,
  last,
  p50,
  stddev,
  variance,
} from '../../../operators/window/aggregates.ts';
import { planCells } from '../../../operators/window/cells.ts';
import type { Digest } from '../../../operators/window/digest.ts';
import { preAggregate } from '../../../operators/window/pre-aggregate.ts';
import { windowAggregateAll } from '../../../operators/window/pre-aggregate-merge.ts';
import { windowAggregate } from '../../../operators/window/window-operator.ts';
import type { WindowSpec } from '../../../operators/window/window-spec.ts';
import { createOperatorBench, type OperatorBench } from '../../support/operator-bench.ts';
import { propertyRuns } from '../../support/property-runs.ts';
import { type Form, form, forms, type Sample, samples, stages } from '../../support/row-arbitraries.ts';
import { text } from '../../support/window-reference.ts';

const SENDERS = 3;
const keys = { kind: 'function', select: () => 0 } as const;

const doubled = (row: Sample) => {
  if (row.level === -3) throw new Error(`level ${row.level}`);
  return row.ok === null ? null : row.level * 2;
};
const aggregates = {
  n: count(),
  total: sum('value'),
  low: min('value'),
  high: max('value'),
  mean: avg('value'),
  middle: p50('value'),
  top: p95('value'),
  doubles: max(doubled),
  oks: countIf('ok'),
  devices: distinct('device'),
  opening: first('device'),
  closing: last('value'),
  tenant: last('tenant'),
};

/** Throws where the aggregates do, where windows and the steps in front of them are one loop: the rest of a flatMap is lost with it. */
const REFUSING: Stage = { kind: 'filter', run: (row) => (doubled(row as Sample), true) };

/**
 * Some subtasks, and the one behind them that has the windows, its inputs merged as a gate does it. Without pre-aggregation the
 * senders hand their records on.
 */
class Pipeline {
  readonly #spec: WindowSpec;
  readonly #isPreAggregated: boolean;
  readonly #isRemote: boolean;
  readonly #interpreted: boolean;
  readonly #errors: OperatorBench['errors'] = [];
  readonly #stages: readonly Stage[];
  #senders: readonly Operator[] = [];
  #bench: OperatorBench;
  #windows: Operator;

  constructor(
    spec: WindowSpec,
    how: {
      readonly stages: readonly Stage[];
      readonly interpreted: boolean;
      readonly isPreAggregated: boolean;
      /** Between the senders and the windows lies the way to another thread. */
      readonly isRemote?: boolean;
    },
  ) {
    this.#spec = spec;
    this.#stages = how.stages;
    this.#interpreted = how.interpreted;
    this.#isPreAggregated = how.isPreAggregated;
    this.#isRemote = how.isRemote ?? false;
    [this.#bench, this.#windows] = this.#open(new InputMerger(SENDERS, this.#gate()));
  }

  sender(i: number): Operator {
    return this.#senders[i] as Operator;
  }

  /** The senders have no state: they begin anew. */
  restore(): void {
    const state = this.#windows.snapshot?.();
    if (state === undefined) throw new Error('windows have state');
    const stored = decodeSnapshot(encodeSnapshot(state), keyGroupRange(0, 1, 128));
    const merger = new InputMerger(SENDERS, this.#gate());
    merger.restore(stored.watermark);
    [this.#bench, this.#windows] = this.#open(merger);
    this.#windows.restore?.([stored]);
  }

  /** All that was given since the last call, in order. Errors have no order between operators, nor a row: it is the record as its operator got it. */
  take(): string {
    const { output, side } = this.#bench;
    const errors = this.#errors.splice(0).map(({ message, time }) => `${time} ${message}`);
    return text({
      given: output.take(),
      late: side('late').take(),
      errors: errors.sort(),
      lateRecords: this.#windows.counters?.().lateRecords,
      waiting: this.#windows.waiting?.(),
    });
  }

  #gate() {
    return {
      records: (_: number, records: Parameters<Output['records']>[0]) => this.#windows.records(records),
      watermark: (time: number) => this.#windows.watermark(time),
      idle: () => this.#windows.idle(),
    };
  }

  #open(merger: InputMerger): [OperatorBench, Operator] {
    this.#senders = merger.inputs.map((input, subtask) => {
      const output = this.#isRemote ? elsewhere(input) : input;
      const stages = this.#isPreAggregated ? this.#stages : [...this.#stages, REFUSING];
      const { context } = this.#benchOf({ output, subtask, stages });
      return this.#isPreAggregated ? preAggregate(this.#spec).create(context) : createPassThrough(context);
    });
    const bench = this.#benchOf({ keys });
    const final = this.#isPreAggregated ? windowAggregateAll(this.#spec) : windowAggregate(this.#spec);
    return [bench, final.create(bench.context)];
  }

  #benchOf(changes: Parameters<typeof createOperatorBench>[0]): OperatorBench {
    return createOperatorBench({
      ...changes,
      interpreted: this.#interpreted,
      onRecordError: (error, row, time) =>
        void this.#errors.push({ code: '', message: (error as Error).message, row: row(), time }),
    });
  }
}

/** What is given to another host's input, over an exchange. */
function elsewhere(input: Output): Output {
  const [encoder, decoder] = [new ElementEncoder(), new ElementDecoder()];
  return {
    ...input,
    watermark: (time) => input.watermark(time),
    idle: () => input.idle(),
    records: (records) => {
      const element = decoder.decode(encoder.encode(inPlainForm({ kind: 'records', records })));
      if (element.kind === 'records') input.records(element.records);
    },
  };
}

type Step =
  | { readonly kind: 'records'; readonly rows: readonly Sample[]; readonly form: Form }
  | { readonly kind: 'watermark'; readonly time: number }
  | { readonly kind: 'idle' }
  | { readonly kind: 'restore' };
interface Sent {
  readonly from: number;
  readonly step: Step;
}

const script: fc.Arbitrary<Sent[]> = fc.array(
  fc.record({
    from: fc.nat(SENDERS - 1),
    step: fc.oneof(
      {
        weight: 8,
        arbitrary: fc.record({
          kind: fc.constant('records' as const),
          rows: samples({ maxLength: 12 }),
          form: form(),
        }),
      },
      {
        weight: 8,
        arbitrary: fc.record({
          kind: fc.constant('watermark' as const),
          time: fc.integer({ min: -70, max: 130 }),
        }),
      },
      { weight: 3, arbitrary: fc.constant({ kind: 'idle' as const }) },
      { weight: 1, arbitrary: fc.constant({ kind: 'restore' as const }) },
    ),
  }),
  { minLength: 4, maxLength: 24 },
);

const shape = fc.record({
  sizeMs: fc.constantFrom(1, 10, 25, 60),
  /** Null = tumbling. Some leave gaps, some have no length in common with the size. */
  slideMs: fc.constantFrom(null, null, 2, 4, 7, 25, 40),
  offsetShare: fc.constantFrom(0, 0.3, -0.9),
  allowedLatenessMs: fc.constantFrom(0, 1, 15, 60),
  interpreted: fc.boolean(),
});

interface Shape {
  readonly sizeMs: number;
  readonly slideMs: number | null;
  readonly offsetShare: number;
  readonly allowedLatenessMs: number;
}

function specOf(
  { sizeMs, slideMs, offsetShare, allowedLatenessMs }: Shape,
  spec: Parameters<typeof planCells>[0] = aggregates,
): WindowSpec {
  const offsetMs = Math.trunc((slideMs ?? sizeMs) * offsetShare);
  const windows =
    slideMs === null
      ? { kind: 'tumbling' as const, sizeMs, offsetMs }
      : { kind: 'sliding' as const, sizeMs, slideMs, offsetMs };
  return { windows, allowedLatenessMs, plan: planCells(spec), fold: null };
}

function send(pipeline: Pipeline, { from, step }: Sent): void {
  switch (step.kind) {
    case 'records':
      return pipeline.sender(from).records(forms(step.rows, step.form));
    case 'watermark':
      return pipeline.sender(from).watermark(step.time);
    case 'idle':
      return pipeline.sender(from).idle();
    case 'restore':
      return pipeline.restore();
  }
}

const END: readonly Sent[] = Array.from({ length: SENDERS }, (_, from) => ({
  from,
  step: { kind: 'watermark', time: 1_000 },
}));

void t.test(
  'E3, PA1 PA2 PA3 PM1: with pre-aggregation everything is given as without, in the same order, also to senders that were idle or restored, and to windows on another host',
  async () => {
    fc.assert(
      fc.property(
        shape,
        fc.oneof(fc.constant([]), stages()),
        script,
        fc.boolean(),
        (how, steps, sent, isRemote) => {
          const [plain, folded] = [false, true].map(
            (isPreAggregated) =>
              new Pipeline(specOf(how), {
                stages: steps,
                interpreted: how.interpreted,
                isPreAggregated,
                isRemote: isRemote && isPreAggregated,
              }),
          ) as [Pipeline, Pipeline];
          for (const it of [...sent, ...END]) {
            send(plain, it);
            send(folded, it);
            const [expected, got] = [plain.take(), folded.take()];
            if (got !== expected) throw new Error(`${text(it)}\n got      ${got}\n expected ${expected}`);
          }
        },
      ),
      { numRuns: propertyRuns(400) },
    );
  },
);

const sample = (ts: number, changes: Partial<Sample> = {}): Sample => ({
  ts,
  tenant: 'acme',
  device: null,
  value: 1,
  level: 0,
  ok: null,
  ...changes,
});

function open(allowedLatenessMs = 0, stages: readonly Stage[] = []) {
  const spec = specOf({ sizeMs: 10, slideMs: null, offsetShare: 0, allowedLatenessMs }, { n: count() });
  return new Pipeline(spec, { stages, interpreted: false, isPreAggregated: true });
}

/** One sender, and what it hands on. */
function openSender(stages: readonly Stage[] = []) {
  const windows = tumbling(10);
  const sent: Digest[] = [];
  const output: Output = {
    records: (records) => {
      if (records.kind === 'rows') sent.push(...(records.rows as Digest[]));
    },
    watermark() {},
    idle() {},
  };
  const plan = planCells({ n: count(), doubles: max(doubled) });
  const bench = createOperatorBench({ output, stages });
  return { sender: preAggregate({ windows, plan }).create(bench.context), sent, bench };
}

void t.test('PA1 PA2: a batch becomes one partial per pane, and the next begins anew', async (test) => {
  const { sender, sent } = openSender();
  const rows = [sample(1), sample(12), sample(3), sample(-1)];
  for (let batch = 0; batch < 2; batch++) {
    const records = forms(rows, 'columns');
    sender.records(records);
    const digest = sent[batch] as Digest;
    test.same(
      digest.partials.map(({ start, end, cells }) => [start, end, cells.page[cells.at]]),
      [
        [0, 10, 2],
        [10, 20, 1],
        [-10, 0, 1],
      ],
    );
    test.equal(digest.records, records, 'columns are handed on as they are');
  }
  test.equal(sent.length, 2);
  test.equal(sender.snapshot, undefined, 'there is no state');
});

void t.test(
  'PA3: a record on which user code throws is set aside once, and is not in the digest',
  async (test) => {
    const { sender, sent, bench } = openSender();
    sender.records(forms([sample(1), sample(2, { level: -3 }), sample(3)], 'columns'));
    sender.records(forms([sample(4, { level: -3 })], 'rows'));
    test.equal(sent.length, 1, 'nothing is sent of a batch of which nothing is left');
    test.same(sent[0]?.partials[0]?.cells.page[0], 2);
    test.same(sent[0]?.records.kind === 'columns' && [...(sent[0].records.selection ?? [])], [0, 2]);
    test.same(
      bench.errors.map(({ time }) => time),
      [2, 4],
    );
  },
);

void t.test(
  'PM1: records of a sender behind the merged watermark are late, or give a result again, one by one',
  async (test) => {
    const pipeline = open(10);
    pipeline.sender(1).idle();
    pipeline.sender(2).idle();
    pipeline.sender(0).idle();
    pipeline.sender(1).watermark(25);
    pipeline.take();
    pipeline.sender(0).records(forms([sample(1), sample(12), sample(31), sample(2), sample(13)], 'columns'));
    const { given, late } = JSON.parse(pipeline.take()) as {
      given: { row: { value: { n: number } }; time: number }[];
      late: { time: number }[];
    };
    test.same(
      given.map(({ row, time }) => [row.value.n, time]),
      [
        [1, 19],
        [2, 19],
      ],
    );
    test.same(
      late.map(({ time }) => time),
      [1, 2],
      'with their own times',
    );
  },
);

void t.test(
  'sketches and moments past their exact range say what they say without partials',
  async (test) => {
    const rows = Array.from({ length: 3_000 }, (_, i) =>
      sample((i * 7) % 40, { device: `dev-${(i * 31) % 1_500}`, value: ((i * 7_919) % 1_000) - 200 }),
    );
    const spec = specOf(
      { sizeMs: 20, slideMs: 8, offsetShare: 0, allowedLatenessMs: 0 },
      {
        devices: distinct('device'),
        middle: p50('value'),
        top: p95('value'),
        spread: stddev('value'),
        squared: variance('value'),
      },
    );
    const given = [false, true].map((isPreAggregated) => {
      const pipeline = new Pipeline(spec, { stages: [], interpreted: false, isPreAggregated });
      for (let at = 0; at < rows.length; at += 300)
        pipeline.sender((at / 300) % SENDERS).records(forms(rows.slice(at, at + 300), 'columns'));
      for (const it of END) send(pipeline, it);
      const { given } = JSON.parse(pipeline.take()) as { given: { row?: { value: Values } }[] };
      return given.flatMap(({ row }) => (row === undefined ? [] : [row.value]));
    }) as [Values[], Values[]];
    const [plain, folded] = given;
    test.equal(plain.length, 7);
    test.equal(folded.length, plain.length);
    for (const [i, { spread, squared, ...same }] of plain.entries()) {
      const other = folded[i] as Values;
      test.match(other, same);
      test.ok(Math.abs(other.spread - spread) < 1e-9 * spread);
      test.ok(Math.abs(other.squared - squared) < 1e-9 * squared);
    }
  },
);
type Values = Readonly<Record<'devices' | 'middle' | 'top' | 'spread' | 'squared', number>>;
