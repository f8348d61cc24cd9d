import type { Guarantee, Sink } from '#engine';
import type { DataStream } from '../data-stream.ts';
import type { KeyedOperator } from '../define-operator.ts';
import { defineJob } from '../job.ts';
import { Collected, collectingSink, type TestOutput } from './collecting-sink.ts';
import { type JobTestOptions, type JobTestResult, testJob } from './job-harness.ts';
import type { TestInput } from './script.ts';

export interface OperatorTestOptions<K, In> extends Omit<JobTestOptions, 'inputs'> {
  /** What the operator is given. */
  readonly input: TestInput<In>;
  /** Its key: names of fields, or a function of the record. */
  readonly keyBy: readonly (keyof In & keyof K & string)[] | ((record: In) => K);
}

export interface OperatorTestResult<Out, Sides> extends Pick<JobTestResult, 'deadLetters' | 'restores'> {
  /** What it emitted, each record once. */
  readonly records: readonly Out[];
  /** The same with times. */
  readonly output: readonly TestOutput<Out>[];
  readonly side: { readonly [S in keyof Sides]: readonly Sides[S][] };
}

/**
 * Runs one operator, made by defineOperator, as {@link testJob} runs a job.
 * @example
 * const { records } = await testOperator(abandonedCart, {
 *   keyBy: ['cart'],
 *   input: input(CartEvent, [{ at: 0, cart: 'c1', kind: 'added' }, watermark(3_600_000)]),
 *   restoreAfterEveryStep: true,
 * });
 */
export async function testOperator<K, In, Out, Sides>(
  operator: KeyedOperator<K, In, Out, Sides>,
  { input, keyBy, ...options }: OperatorTestOptions<K, In>,
): Promise<OperatorTestResult<Out, Sides>> {
  const sides = Object.keys(operator.sides ?? {});
  const sink = collectingSink(new Collected()) as Sink<unknown, 'exactly-once'>;
  const job = defineJob('operator-test', { guarantee: 'exactly-once', onError: 'fail' }, (build) => {
    const source = build.source('input', { kind: 'script', target: 'test input', open: unopened });
    const selectors = typeof keyBy === 'function' ? [keyBy] : keyBy;
    const keyed = (source.keyBy as (...selectors: readonly unknown[]) => ReturnType<typeof source.keyBy>)(
      ...selectors,
    );
    const stream = keyed.process('operator', operator as never) as DataStream<unknown, 'exactly-once'> & {
      readonly side: Readonly<Record<string, DataStream<unknown, Guarantee>>>;
    };
    stream.to('main', sink);
    for (const name of sides) stream.side[name]?.to(`side-${name}`, sink);
  });
  const result = await testJob(job, { ...options, inputs: { input } });
  return {
    deadLetters: result.deadLetters,
    restores: result.restores,
    output: result.output<Out>('main'),
    records: result.records<Out>('main'),
    side: Object.fromEntries(
      sides.map((name) => [name, result.records(`side-${name}`)]),
    ) as OperatorTestResult<Out, Sides>['side'],
  };
}

/** testJob puts the script in place of every source. */
const unopened = (): never => {
  throw new Error('a test job opens scripts only');
};
