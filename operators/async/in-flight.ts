import {
  LIMITS,
  MIN_WATERMARK,
  type OperatorContext,
  type OperatorState,
  RowEmitter,
  type Waiting,
} from '#engine';
import {
  OrderedQueue,
  pendingInput,
  type PendingInput,
  type ResultQueue,
  UnorderedQueue,
} from './result-queue.ts';

/**
 * How results leave: in the order of their inputs, or as they come. Between two watermarks only: no result overtakes a
 * watermark, and no watermark a result.
 */
export type ResultOrder = 'ordered' | 'unordered';

/** What a snapshot keeps of an input. */
interface StoredInput {
  readonly row: unknown;
  readonly time: number;
}

/**
 * The inputs of an asynchronous operator from their arrival until their results have left, its output and its event time.
 *
 * IF1 results and watermarks leave as {@link ResultOrder} says; idleness leaves when nothing is in flight.
 * IF2 a snapshot holds exactly the inputs whose results have not left, in order of arrival.
 */
export class InFlight {
  readonly emitter: RowEmitter;
  readonly #context: OperatorContext;
  readonly #queue: ResultQueue;
  readonly #give: (result: unknown, input: PendingInput) => void;
  #watermark = MIN_WATERMARK;
  #idle = false;
  #room: PromiseWithResolvers<void> | null = null;

  /** @param give emits what comes of a result; what it throws is an error of the input */
  constructor(
    context: OperatorContext,
    order: ResultOrder,
    give: (result: unknown, input: PendingInput) => void,
  ) {
    this.#context = context;
    this.#queue = order === 'ordered' ? new OrderedQueue() : new UnorderedQueue();
    this.#give = give;
    this.emitter = new RowEmitter(context.output);
  }

  get size(): number {
    return this.#queue.size;
  }

  /** True when a result that is there at once may be emitted without entering. */
  get open(): boolean {
    return this.#queue.open;
  }

  add(row: unknown, time: number): PendingInput {
    const input = pendingInput(row, time);
    this.#queue.add(input);
    return input;
  }

  /** Takes an input that may have its result already: with nothing before it, that leaves at once. What it throws is an error of the input. */
  enter(input: PendingInput): void {
    if (input.state === 'done' && this.#queue.open) this.#give(input.result, input);
    else this.#queue.add(input);
  }

  done(input: PendingInput, result: unknown): void {
    this.#settle(input, 'done', result);
  }

  failed(input: PendingInput, error: unknown): void {
    this.#settle(input, 'failed', error);
  }

  /** Records are coming. */
  active(): void {
    this.#idle = false;
  }

  watermark(time: number): void {
    this.#idle = false;
    if (this.#queue.open && this.#queue.size === 0) this.#forward(time);
    else this.#queue.addWatermark(time);
  }

  idle(): void {
    this.#idle = true;
    if (this.#queue.size === 0) this.#context.output.idle();
  }

  /** Hands on everything that may leave. @param callsWait whether calls wait for a place */
  leave(callsWait: boolean): void {
    const wasBusy = this.#queue.size > 0;
    for (let next = this.#queue.take(); next !== null; next = this.#queue.take()) {
      if (next.kind === 'input') this.#leave(next);
      else {
        this.emitter.flush();
        this.#forward(next.time);
      }
    }
    this.emitter.flush();
    if (wasBusy && this.#queue.size === 0 && this.#idle) this.#context.output.idle();
    if (!this.#isFull(callsWait)) {
      this.#room?.resolve();
      this.#room = null;
    }
  }

  /** For Operator.blocked. */
  blocked(callsWait: boolean): Promise<void> | null {
    if (!this.#isFull(callsWait)) return null;
    this.#room ??= Promise.withResolvers<void>();
    return this.#room.promise;
  }

  waiting(): Waiting | null {
    return this.#queue.size === 0 ? null : { what: 'call', until: null, count: this.#queue.size };
  }

  snapshot(): OperatorState {
    return {
      watermark: this.#watermark,
      idle: this.#idle,
      groups: new Map(),
      items: this.#queue.inputs().map(({ row, time }): StoredInput => ({ row, time })),
    };
  }

  /** Takes up the stored inputs; whoever calls must get their results. */
  restore(parts: readonly OperatorState[]): PendingInput[] {
    this.#watermark = Math.min(...parts.map((part) => part.watermark));
    const stored = parts.flatMap((part) => part.items as readonly StoredInput[]);
    return stored.map(({ row, time }) => this.add(row, time));
  }

  #settle(input: PendingInput, state: 'done' | 'failed', result: unknown): void {
    input.state = state;
    input.result = result;
    this.#queue.settled(input);
  }

  #leave(input: PendingInput): void {
    let error = input.result;
    if (input.state === 'done') {
      try {
        this.#give(input.result, input);
        return;
      } catch (thrown) {
        error = thrown;
      }
    }
    this.#context.onRecordError(error, () => input.row, input.time);
  }

  #isFull(callsWait: boolean): boolean {
    return callsWait || this.#queue.size >= LIMITS.asyncInputsMax;
  }

  #forward(time: number): void {
    if (time <= this.#watermark) return;
    this.#watermark = time;
    this.#context.output.watermark(time);
  }
}
