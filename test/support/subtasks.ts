import {
  createKeySpace,
  keyGroupRange,
  type KeySelector,
  type Operator,
  type OperatorDefinition,
  type Records,
  type Stage,
  subtaskOf,
} from '#engine';
import { decodeSnapshot, encodeSnapshot } from './stored-snapshot.ts';
import { createOperatorBench, type OperatorBench } from './operator-bench.ts';

const MAX_PARALLELISM = 128;

/** All subtasks of one keyed operator, fed by key group, snapshotted and restored as a job does it. */
export interface Subtasks {
  /** Gives every subtask its rows; `form` makes a batch of them. Rows without a key go to the first. */
  readonly records: <Row>(rows: readonly Row[], form: (rows: readonly Row[]) => Records) => void;
  readonly watermark: (time: number) => void;
  /** Snapshots all, through the stored form, into new subtasks. */
  readonly restore: (parallelism: number) => void;
  /** Rows with their times, of the main output and of `late`, and errors, since the last call. */
  readonly take: () => {
    readonly results: readonly (readonly [unknown, number])[];
    readonly late: readonly (readonly [unknown, number])[];
    readonly errors: OperatorBench['errors'];
  };
  /** Rows with their times of another side output, since the last call. */
  readonly takeSide: (name: string) => readonly (readonly [unknown, number])[];
  /** Last watermark that each subtask has handed on, those that have. */
  readonly watermarks: () => readonly number[];
  readonly operators: () => readonly Operator[];
}

export function createSubtasks(
  definition: OperatorDefinition<Operator>,
  options: { readonly keys: KeySelector; readonly stages?: readonly Stage[]; readonly interpreted: boolean },
): Subtasks {
  const keySpace = createKeySpace(options.keys, MAX_PARALLELISM);
  const open = (parallelism: number) =>
    Array.from({ length: parallelism }, (_, subtask) => {
      const bench = createOperatorBench({
        ...options,
        subtask,
        parallelism,
        maxParallelism: MAX_PARALLELISM,
      });
      return { bench, operator: definition.create(bench.context), watermark: null as number | null };
    });
  let subtasks = open(1);
  const ownerOf = (row: unknown) => {
    if (subtasks.length === 1) return 0;
    try {
      return subtaskOf(keySpace.group(keySpace.slotOfRow(row)), subtasks.length, MAX_PARALLELISM);
    } catch {
      return 0;
    }
  };
  return {
    records(rows, form) {
      const shares = subtasks.map((_, i) => rows.filter((row) => ownerOf(row) === i));
      for (const [i, share] of shares.entries())
        if (share.length > 0) subtasks[i]?.operator.records(form(share));
    },
    watermark(time) {
      for (const { operator } of subtasks) operator.watermark(time);
    },
    restore(parallelism) {
      const stored = subtasks.map(({ operator }) => {
        const state = operator.snapshot?.();
        if (state === undefined) throw new Error('a keyed operator has state');
        return encodeSnapshot(state);
      });
      subtasks = open(parallelism);
      for (const [i, { operator }] of subtasks.entries()) {
        const range = keyGroupRange(i, parallelism, MAX_PARALLELISM);
        operator.restore?.(stored.map((bytes) => decodeSnapshot(bytes, range)));
      }
    },
    take() {
      const results: (readonly [unknown, number])[] = [];
      const late: (readonly [unknown, number])[] = [];
      for (const subtask of subtasks) {
        for (const it of subtask.bench.output.take()) {
          if (it.kind === 'row') results.push([it.row, it.time]);
          else if (it.kind === 'watermark') subtask.watermark = it.time;
        }
        for (const it of subtask.bench.side('late').take())
          if (it.kind === 'row') late.push([it.row, it.time]);
      }
      return { results, late, errors: subtasks.flatMap(({ bench }) => bench.errors.splice(0)) };
    },
    takeSide: (name) =>
      subtasks.flatMap(({ bench }) =>
        bench
          .side(name)
          .take()
          .flatMap((it) => (it.kind === 'row' ? [[it.row, it.time] as const] : [])),
      ),
    watermarks: () => subtasks.flatMap(({ watermark }) => watermark ?? []),
    operators: () => subtasks.map(({ operator }) => operator),
  };
}
