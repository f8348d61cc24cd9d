import {
  errorText,
  invariant,
  MIN_WATERMARK,
  MillraceError,
  type Operator,
  type OperatorContext,
  type OperatorDefinition,
  type OperatorState,
  type Records,
  RowEmitter,
  RowLoop,
} from '#engine';

export interface AsyncMapOptions {
  /** Open calls at most. Default 100. */
  readonly concurrency?: number;
}

/** One place in the queue: an input with its call, or a watermark that must not overtake results before it. */
type Entry =
  | {
      readonly kind: 'input';
      readonly row: unknown;
      readonly time: number;
      state: 'waiting' | 'open' | 'done' | 'failed';
      result: unknown;
    }
  | { readonly kind: 'watermark'; readonly time: number };

/** What a snapshot keeps: inputs whose result has not been handed on, in order. */
interface StoredInput {
  readonly row: unknown;
  readonly time: number;
}

export function asyncMap(
  transform: (record: unknown) => unknown,
  options: AsyncMapOptions,
): OperatorDefinition<Operator> {
  const concurrency = options.concurrency ?? 100;
  if (!Number.isInteger(concurrency) || concurrency < 1) {
    throw new MillraceError(
      'MR_CONFIG_INVALID',
      `asyncMap needs a concurrency of 1 or more, got ${concurrency}.`,
    );
  }
  return {
    kind: 'async-map',
    sides: [],
    create: (context) => new AsyncMapOperator(transform, concurrency, context),
  };
}

/**
 * Ordered asynchronous map. Suspension points: the user's calls; results come back through `poll`, in a turn of the task.
 *
 * AM1 results and watermarks leave in the order their inputs came.
 * AM2 at most `concurrency` calls are open; while inputs wait for a place, the task takes no more records.
 * AM3 a snapshot holds exactly the inputs whose results have not left; after a restore they are called again, first.
 */
class AsyncMapOperator implements Operator {
  readonly #transform: (record: unknown) => unknown;
  readonly #concurrency: number;
  readonly #context: OperatorContext;
  readonly #emitter: RowEmitter;
  readonly #loop: RowLoop;
  #queue: Entry[] = [];
  #head = 0;
  /** First entry whose call has not been started. */
  #next = 0;
  #open = 0;
  #watermark = MIN_WATERMARK;
  #idle = false;
  #room: PromiseWithResolvers<void> | null = null;

  constructor(transform: (record: unknown) => unknown, concurrency: number, context: OperatorContext) {
    this.#transform = transform;
    this.#concurrency = concurrency;
    this.#context = context;
    this.#emitter = new RowEmitter(context.output);
    this.#loop = new RowLoop({
      name: `${context.operator}.${context.subtask}`,
      stages: context.stages,
      consumer: this,
      onError: context.onRecordError,
      interpreted: context.interpreted,
    });
  }

  records(records: Records): void {
    this.#idle = false;
    this.#loop.run(records);
    this.poll();
  }

  accept(row: unknown, time: number): void {
    this.#queue.push({ kind: 'input', row, time, state: 'waiting', result: undefined });
    this.#start();
  }

  watermark(time: number): void {
    this.#idle = false;
    if (this.#head === this.#queue.length) this.#forward(time);
    else this.#queue.push({ kind: 'watermark', time });
  }

  idle(): void {
    this.#idle = true;
    if (this.#head === this.#queue.length) this.#context.output.idle();
  }

  blocked(): Promise<void> | null {
    if (this.#next === this.#queue.length) return null;
    this.#room ??= Promise.withResolvers<void>();
    return this.#room.promise;
  }

  pending(): boolean {
    return this.#head < this.#queue.length;
  }

  /** Hands on what is done at the front of the queue, and starts calls that have waited for a place. */
  poll(): void {
    if (this.#head === this.#queue.length) return;
    this.#start();
    while (this.#head < this.#queue.length) {
      const entry = this.#queue[this.#head] as Entry;
      if (entry.kind === 'input' && (entry.state === 'waiting' || entry.state === 'open')) break;
      this.#head++;
      if (entry.kind === 'watermark') {
        this.#emitter.flush();
        this.#forward(entry.time);
      } else if (entry.state === 'done') this.#emitter.emit(entry.result, entry.time);
      else this.#context.onRecordError(entry.result, () => entry.row, entry.time);
    }
    this.#emitter.flush();
    this.#compact();
    if (this.#head === this.#queue.length && this.#idle) this.#context.output.idle();
  }

  snapshot(): OperatorState {
    const waiting = this.#queue.slice(this.#head).filter((entry) => entry.kind === 'input');
    return {
      watermark: this.#watermark,
      idle: this.#idle,
      groups: new Map(),
      items: waiting.map(({ row, time }): StoredInput => ({ row, time })),
    };
  }

  restore(parts: readonly OperatorState[]): void {
    this.#watermark = Math.min(...parts.map((part) => part.watermark));
    const inputs = parts.flatMap((part) => part.items as readonly StoredInput[]);
    for (const { row, time } of inputs)
      this.#queue.push({ kind: 'input', row, time, state: 'waiting', result: undefined });
  }

  #start(): void {
    while (this.#next < this.#queue.length && this.#open < this.#concurrency) {
      const entry = this.#queue[this.#next++] as Entry;
      if (entry.kind === 'input') this.#call(entry);
    }
    if (this.#next === this.#queue.length) {
      this.#room?.resolve();
      this.#room = null;
    }
  }

  #call(entry: Extract<Entry, { kind: 'input' }>): void {
    try {
      const result = this.#transform(entry.row);
      if (!isThenable(result)) {
        entry.result = result;
        entry.state = 'done';
        return;
      }
      entry.state = 'open';
      this.#open++;
      result.then(
        (value) => this.#finish(entry, 'done', value),
        (error: unknown) =>
          this.#finish(
            entry,
            'failed',
            error ?? new Error(`asyncMap '${this.#context.operator}' rejected without a reason`),
          ),
      );
    } catch (error) {
      entry.result = error;
      entry.state = 'failed';
    }
  }

  #finish(entry: Extract<Entry, { kind: 'input' }>, state: 'done' | 'failed', result: unknown): void {
    invariant(
      entry.state === 'open',
      `a call of '${this.#context.operator}' finished twice: ${errorText(result)}`,
    );
    entry.state = state;
    entry.result = result;
    this.#open--;
    this.#context.wake();
  }

  #forward(time: number): void {
    if (time <= this.#watermark) return;
    this.#watermark = time;
    this.#context.output.watermark(time);
  }

  /** Drops the part of the queue that has left. */
  #compact(): void {
    if (this.#head < 1024 && this.#head < this.#queue.length) return;
    this.#queue = this.#queue.slice(this.#head);
    this.#next -= this.#head;
    this.#head = 0;
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
