import { recordCount, rowAt, type Sink, type SinkCommitter, type SinkWriter, timeAt } from '#engine';

/** A record that came out of a job under test. */
export interface TestOutput<T = unknown> {
  readonly record: T;
  /** Its event time, epoch ms. */
  readonly timestamp: number;
}

/** Rows that checkpoints have made final, each once, by the sequence of their commits. */
export class Collected {
  readonly #commits = new Map<number, readonly TestOutput[]>();

  get rows(): readonly TestOutput[] {
    return [...this.#commits].sort(([a], [b]) => a - b).flatMap(([, rows]) => rows);
  }

  commit(seq: number, rows: readonly TestOutput[]): void {
    this.#commits.set(seq, rows);
  }
}

/** An exactly-once sink in memory: what it is given shows with the checkpoint that covers it. */
export function collectingSink(into: Collected): Sink<unknown, 'exactly-once'> {
  return {
    kind: 'test',
    target: 'test output',
    guarantee: 'exactly-once',
    openWriter: async () => collectingWriter(),
    openCommitter: async () => collectingCommitter(into),
  };
}

function collectingWriter(): SinkWriter<unknown> {
  let rows: TestOutput[] = [];
  return {
    write(records) {
      for (let k = 0; k < recordCount(records); k++)
        rows.push({ record: rowAt(records, k), timestamp: timeAt(records, k) });
    },
    async prepareCommit() {
      const staged = rows;
      rows = [];
      return staged;
    },
    close: async () => {},
  };
}

function collectingCommitter(into: Collected): SinkCommitter {
  const commit: SinkCommitter['commit'] = async ({ seq, committables }) =>
    into.commit(seq, (committables as readonly (readonly TestOutput[])[]).flat());
  return {
    commit,
    async recover(pending) {
      for (const one of pending) await commit(one);
    },
    close: async () => {},
  };
}
