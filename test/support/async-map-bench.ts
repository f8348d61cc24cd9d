import { type Operator, type OperatorState, seededRandom } from '#engine';
import type { CallAttempt } from '../../operators/async/call-policy.ts';
import { asyncMap, type AsyncMapOptions } from '../../operators/async-map.ts';
import { manualClock } from '../ops/support/manual-clock.ts';
import { createOperatorBench, type Given, rowRecords } from './operator-bench.ts';
import { decodeSnapshot, encodeSnapshot } from './stored-snapshot.ts';

/** Calls that stay open until the test answers them. */
export class Calls {
  readonly open: {
    readonly row: number;
    readonly resolve: (value: unknown) => void;
    readonly reject: (error: unknown) => void;
  }[] = [];
  readonly made: number[] = [];
  openMax = 0;
  readonly transform = (row: unknown): Promise<unknown> => {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.made.push(row as number);
    this.open.push({ row: row as number, resolve, reject });
    this.openMax = Math.max(this.openMax, this.open.length);
    return promise;
  };
  /** Answers the n-th open call. */
  answer(n: number, fails = false): void {
    const [call] = this.open.splice(n % this.open.length, 1);
    if (call === undefined) return;
    if (fails) call.reject(new Error(`no answer for ${call.row}`));
    else call.resolve(call.row * 10);
  }
}

/** Lets what was answered arrive. */
export const settle = () => new Promise((resolve) => setImmediate(resolve));
export const give = (operator: Operator, row: number) => operator.records(rowRecords([row], [row]));
/** An operator that calls `transform`, and its bench, in time that moves when told. */
export const open = (
  transform: (row: unknown, call: CallAttempt) => unknown,
  options: AsyncMapOptions,
  onError: 'fail' | 'dead-letter' = 'dead-letter',
) => {
  const clock = manualClock(0);
  const bench = createOperatorBench({ onError, clock });
  return { bench, clock, operator: asyncMap(transform, options, seededRandom(7)).create(bench.context) };
};
/** Its snapshot, through the stored form. */
export const stored = (operator: Operator): OperatorState =>
  decodeSnapshot(encodeSnapshot(operator.snapshot?.() as OperatorState), [0, 127]);
/** The result of the record `n`. */
export const row = (n: number): Given => ({ kind: 'row', row: n * 10, time: n });
