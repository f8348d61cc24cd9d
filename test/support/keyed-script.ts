import fc from 'fast-check';
import { type KeySelector, MIN_WATERMARK, type Stage } from '#engine';
import { type Form, form, forms, type Sample, samples } from './row-arbitraries.ts';
import type { Subtasks } from './subtasks.ts';
import { text } from './window-reference.ts';

/** Keys with the key of a row as results show it; null when the row has none. */
export const sampleKeys: readonly (readonly [KeySelector, (row: Sample) => unknown])[] = [
  [{ kind: 'fields', fields: ['tenant'] }, (row) => ({ tenant: row.tenant })],
  [
    { kind: 'fields', fields: ['tenant', 'device'] },
    (row) => (row.device === null ? null : { tenant: row.tenant, device: row.device }),
  ],
  [{ kind: 'function', select: (row) => (row as Sample).level }, (row) => row.level],
];

/** What happens to a keyed operator. */
export type KeyedStep =
  | { readonly kind: 'records'; readonly rows: readonly Sample[]; readonly form: Form }
  | { readonly kind: 'watermark'; readonly time: number }
  | { readonly kind: 'restore'; readonly parallelism: number };

export function keyedSteps(parallelismMax: number): fc.Arbitrary<KeyedStep[]> {
  const step: fc.Arbitrary<KeyedStep> = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant('records' as const),
        rows: samples({ maxLength: 10 }),
        form: form(),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('watermark' as const),
        time: fc.integer({ min: -70, max: 130 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('restore' as const),
        parallelism: fc.integer({ min: 1, max: parallelismMax }),
      }),
    },
  );
  return fc.array(step, { maxLength: 10 });
}

/** What an operator should do, explained from scratch. `record` throws for a record that the operator refuses. */
export interface KeyedReference {
  readonly record: (key: unknown, row: Sample) => void;
  readonly watermark: (time: number) => void;
  /** Results and late records since the last call, with their times. */
  readonly take: () => {
    readonly results: readonly (readonly [unknown, number])[];
    readonly late: readonly (readonly [unknown, number])[];
  };
}

/** Runs a script on both; the first difference as text, or null. The order of keys among each other is left out. */
export function keyedDifference(
  subtasks: Subtasks,
  reference: KeyedReference,
  script: readonly KeyedStep[],
  how: { readonly keyOf: (row: Sample) => unknown; readonly stages: readonly Stage[] },
): string | null {
  let watermark = MIN_WATERMARK;
  let errors: unknown[] = [];
  for (const it of [...script, { kind: 'watermark' as const, time: 1_000 }]) {
    if (it.kind === 'records') {
      subtasks.records(it.rows, (rows) => forms(rows, it.form));
      for (const row of it.rows) {
        try {
          feed(reference, row, how.stages, how.keyOf);
        } catch (error) {
          errors.push([(error as Error).message, row, row.ts]);
        }
      }
    } else if (it.kind === 'watermark') {
      subtasks.watermark(it.time);
      if (it.time > watermark) reference.watermark(it.time);
      watermark = Math.max(watermark, it.time);
    } else subtasks.restore(it.parallelism);
    const got = subtasks.take();
    const given = said(
      got.results,
      got.late,
      got.errors.map(({ code, message, row, time }) => [
        code === 'MR_KEY_INVALID' ? 'no key' : message,
        row,
        time,
      ]),
    );
    const { results, late } = reference.take();
    const expected = said(results, late, errors);
    errors = [];
    if (given !== expected) return `${text(it)}\n got      ${given}\n expected ${expected}`;
    if (subtasks.watermarks().some((time) => time !== watermark))
      return `watermark ${watermark} was not handed on`;
  }
  return null;
}

function feed(
  reference: KeyedReference,
  row: Sample,
  [stage, ...rest]: readonly Stage[],
  keyOf: (row: Sample) => unknown,
): void {
  if (stage === undefined) {
    const key = keyOf(row);
    if (key === null) throw new Error('no key');
    reference.record(key, row);
  } else if (stage.kind === 'filter') {
    if (stage.run(row)) feed(reference, row, rest, keyOf);
  } else if (stage.kind === 'map') feed(reference, stage.run(row) as Sample, rest, keyOf);
  else if (stage.kind === 'derive') {
    const derived = [...stage.fields].map(([name, run]) => [name, run(row)] as const);
    feed(reference, { ...row, ...Object.fromEntries(derived) }, rest, keyOf);
  } else for (const made of stage.run(row)) feed(reference, made as Sample, rest, keyOf);
}

function said(results: readonly unknown[], late: readonly unknown[], errors: readonly unknown[]): string {
  return text({
    results: results.map(text).sort(),
    late: late.map(text).sort(),
    errors: errors.map(text).sort(),
  });
}
