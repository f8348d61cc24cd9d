import {
  createKeySpace,
  keyGroupRange,
  type KeySelector,
  type MultiInputOperator,
  type Operator,
  type OperatorDefinition,
  type Records,
  subtaskOf,
} from '#engine';
import { decodeSnapshot, encodeSnapshot } from '../../support/stored-snapshot.ts';
import type { ManualClock } from '../../ops/support/manual-clock.ts';
import { createOperatorBench, type OperatorBench } from '../../support/operator-bench.ts';

const MAX_PARALLELISM = 128;

/** How records of an input get to the subtasks. */
export type InputRoute = KeySelector | 'broadcast' | 'any';

/** All subtasks of an operator with one input or more, on a clock of the test's, snapshotted and restored as a job does it. */
export interface KeySubtasks {
  readonly records: <Row>(
    input: number,
    rows: readonly Row[],
    form: (rows: readonly Row[]) => Records,
  ) => void;
  readonly watermark: (input: number, time: number) => void;
  readonly idle: (input: number) => void;
  /** A turn of every task. */
  readonly poll: () => void;
  /** Snapshots all, through the stored form, into new subtasks. */
  readonly restore: (parallelism: number) => void;
  /** Rows with their times, subtask by subtask, since the last call. */
  readonly take: (side?: string) => readonly (readonly [row: unknown, time: number])[];
  readonly errors: () => OperatorBench['errors'];
  readonly operators: () => readonly (Operator | MultiInputOperator)[];
  readonly benches: () => readonly OperatorBench[];
}

export function createKeySubtasks(
  definition: OperatorDefinition,
  options: {
    readonly routes: readonly InputRoute[];
    readonly clock: ManualClock;
    readonly interpreted?: boolean;
    readonly parallelism?: number;
  },
): KeySubtasks {
  const { routes, clock, interpreted = false } = options;
  const inputKeys = routes.map((route) => (typeof route === 'string' ? null : route));
  const spaces = inputKeys.map((keys) => (keys === null ? null : createKeySpace(keys, MAX_PARALLELISM)));
  const open = (parallelism: number) =>
    Array.from({ length: parallelism }, (_, subtask) => {
      const bench = createOperatorBench({
        keys: inputKeys[0] ?? null,
        inputKeys,
        clock,
        interpreted,
        subtask,
        parallelism,
        maxParallelism: MAX_PARALLELISM,
      });
      return { bench, operator: definition.create(bench.context) };
    });
  let subtasks = open(options.parallelism ?? 1);
  const inputOf = (operator: Operator | MultiInputOperator, input: number) => {
    const output = 'inputs' in operator ? operator.inputs[input] : operator;
    if (output === undefined) throw new Error(`no input ${input}`);
    return output;
  };
  const goesTo = (input: number, row: unknown, position: number, subtask: number) => {
    const space = spaces[input];
    if (routes[input] === 'broadcast') return true;
    if (!space) return position % subtasks.length === subtask;
    return subtaskOf(space.group(space.slotOfRow(row)), subtasks.length, MAX_PARALLELISM) === subtask;
  };
  return {
    records(input, rows, form) {
      for (const [i, { operator }] of subtasks.entries()) {
        const share = rows.filter((row, position) => goesTo(input, row, position, i));
        if (share.length > 0) inputOf(operator, input).records(form(share));
      }
    },
    watermark(input, time) {
      for (const { operator } of subtasks) inputOf(operator, input).watermark(time);
    },
    idle(input) {
      for (const { operator } of subtasks) inputOf(operator, input).idle();
    },
    poll() {
      for (const { operator } of subtasks) operator.poll?.();
    },
    restore(parallelism) {
      const stored = subtasks.map(({ operator }) => {
        const state = operator.snapshot?.();
        if (state === undefined) throw new Error('the operator has state');
        return encodeSnapshot(state);
      });
      subtasks = open(parallelism);
      for (const [i, { operator }] of subtasks.entries()) {
        const range = keyGroupRange(i, parallelism, MAX_PARALLELISM);
        operator.restore?.(stored.map((bytes) => decodeSnapshot(bytes, range)));
      }
    },
    take: (side) =>
      subtasks.flatMap(({ bench }) =>
        (side === undefined ? bench.output : bench.side(side))
          .take()
          .flatMap((it) => (it.kind === 'row' ? [[it.row, it.time] as const] : [])),
      ),
    errors: () => subtasks.flatMap(({ bench }) => bench.errors.splice(0)),
    operators: () => subtasks.map(({ operator }) => operator),
    benches: () => subtasks.map(({ bench }) => bench),
  };
}
