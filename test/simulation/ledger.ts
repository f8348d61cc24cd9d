import {
  MillraceError,
  recordCount,
  rowAt,
  type Sink,
  type SinkCommitRequest,
  type SinkCommitter,
  type SinkWriter,
} from '#engine';
import type { SimKernel } from './kernel.ts';
import type { SimProcess } from './process.ts';
import type { Reading } from './simulated-job.ts';

/**
 * A store outside of Redis that keeps what it has been given whatever happens to Redis, as an invoice that was sent. Calls of it take
 * time, and are carried out even when the caller dies meanwhile.
 *
 * LG1 One (sink, seq) is entered once, in order of seq.
 * LG2 A restore from a checkpoint before what was entered is refused, since entries cannot be taken back; unless `isForgiving`.
 */
export class Ledger {
  /** Numbers of the records entered, in order. */
  readonly entries: number[] = [];
  readonly #kernel: SimKernel;
  readonly #isForgiving: boolean;
  readonly #latency: () => number;
  readonly #entered = new Map<string, number>();

  constructor(kernel: SimKernel, options: { readonly isForgiving: boolean }) {
    this.#kernel = kernel;
    this.#isForgiving = options.isForgiving;
    const random = kernel.random('ledger');
    this.#latency = () => 0.5 + random() * (random() < 0.05 ? 400 : 4);
  }

  /** The ledger as a sink of a job in `process`. */
  sink(process: SimProcess): Sink<Reading, 'exactly-once'> {
    return {
      kind: 'ledger',
      guarantee: 'exactly-once',
      target: 'ledger',
      openWriter: () => Promise.resolve(new LedgerWriter()),
      openCommitter: ({ sinkId }) => Promise.resolve(this.#committer(process, sinkId)),
    };
  }

  #committer(process: SimProcess, sinkId: string): SinkCommitter {
    const commit = ({ seq, committables }: SinkCommitRequest) =>
      this.#call(process, `ledger commit ${seq}`, () =>
        this.#enter(sinkId, seq, committables.flat() as number[]),
      );
    return {
      commit,
      recover: async (pending, restoredSeq) => {
        for (const request of pending) await commit(request);
        const entered = await this.#call(process, 'ledger state', () => this.#entered.get(sinkId) ?? 0);
        if (entered > restoredSeq && !this.#isForgiving) throw ahead(restoredSeq, entered);
      },
      close: () => Promise.resolve(),
    };
  }

  #enter(sinkId: string, seq: number, numbers: readonly number[]): void {
    if (seq <= (this.#entered.get(sinkId) ?? 0)) return;
    this.#entered.set(sinkId, seq);
    this.entries.push(...numbers);
  }

  #call<T>(process: SimProcess, label: string, act: () => T): Promise<T> {
    if (process.state === 'dead') return new Promise(() => {});
    return new Promise((resolve) => {
      this.#kernel.schedule(this.#latency(), null, label, () => {
        const result = act();
        process.schedule(this.#latency(), `${label} answered`, () => resolve(result));
      });
    });
  }
}

class LedgerWriter implements SinkWriter<Reading> {
  #numbers: number[] = [];

  write(input: Parameters<SinkWriter<Reading>['write']>[0]): void {
    for (let k = 0; k < recordCount(input); k++) this.#numbers.push((rowAt(input, k) as Reading).number);
  }

  prepareCommit(): Promise<unknown> {
    const numbers = this.#numbers;
    this.#numbers = [];
    return Promise.resolve(numbers.length === 0 ? null : numbers);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function ahead(restoredSeq: number, entered: number): MillraceError {
  return new MillraceError(
    'MR_SINK_AHEAD',
    `The ledger has entries up to ${entered}, but the checkpoint restored ends at ${restoredSeq}. What was confirmed as durable got lost.`,
  );
}
