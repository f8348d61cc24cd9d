import {
  type Operator,
  type OperatorContext,
  type OperatorDefinition,
  type OperatorState,
  type Random,
  type Records,
  type RowLoop,
  systemRandom,
  type Waiting,
} from '#engine';
import { recordLoop } from './record-loop.ts';
import { type CallAttempt, type CallOptions, type CallPolicy, callPolicy } from './async/call-policy.ts';
import { CallPool } from './async/call-pool.ts';
import { InFlight, type ResultOrder } from './async/in-flight.ts';
import { pendingInput, type PendingInput } from './async/result-queue.ts';

export interface AsyncMapOptions<T = unknown, R = unknown> extends CallOptions {
  /** Default `'ordered'`. */
  readonly order?: ResultOrder;
  /**
   * Gives the result of a record whose last attempt has timed out; synchronous. Default: MR_OPERATOR_TIMEOUT, an operator error
   * of the record (job option `onError`).
   */
  readonly onTimeout?: (record: T) => R;
}

/**
 * Calls a function for each record and gives what its promise resolves to, at the record's time. Inputs whose results have not
 * left are part of checkpoints and called again after a restore, so calls must be safe to repeat.
 *
 * @param random draws the waits between attempts
 * @throws MR_CONFIG_INVALID for options out of range
 */
export function asyncMap(
  transform: (record: unknown, call: CallAttempt) => unknown,
  options: AsyncMapOptions = {},
  random: Random = systemRandom,
): OperatorDefinition<Operator> {
  const spec: AsyncMapSpec = {
    transform,
    policy: callPolicy(options, 'asyncMap'),
    order: options.order ?? 'ordered',
    onTimeout: options.onTimeout ?? null,
    random,
  };
  return { kind: 'async-map', sides: [], create: (context) => new AsyncMapOperator(spec, context) };
}

interface AsyncMapSpec {
  readonly transform: (record: unknown, call: CallAttempt) => unknown;
  readonly policy: CallPolicy;
  readonly order: ResultOrder;
  readonly onTimeout: ((record: unknown) => unknown) | null;
  readonly random: Random;
}

/**
 * Suspension points: the user's calls; results leave through `poll`, in a turn of the task.
 *
 * AM1 ordered: results and watermarks leave in the order their inputs came.
 * AM2 at most `concurrency` calls are open, and at most LIMITS.asyncInputsMax inputs (and the batch that passes it) are held;
 *     while inputs wait for a place, the task takes no more records.
 * AM3 a snapshot holds exactly the inputs whose results have not left; after a restore they are called again, first.
 * AM4 unordered: results leave as they come, but after every watermark that came before their input, and before every
 *     watermark that came after it.
 * AM5 a result that the function gives at once, while nothing is before it, is emitted at once: no promise, no queue.
 */
class AsyncMapOperator implements Operator {
  readonly #inFlight: InFlight;
  readonly #calls: CallPool<PendingInput>;
  readonly #loop: RowLoop;

  constructor(spec: AsyncMapSpec, context: OperatorContext) {
    const inFlight = new InFlight(context, spec.order, (result, { time }) =>
      inFlight.emitter.emit(result, time),
    );
    this.#inFlight = inFlight;
    this.#calls = new CallPool<PendingInput>(
      spec.policy,
      {
        invoke: (input, attempt) => spec.transform(input.row, attempt),
        answered: (input, answer) => inFlight.done(input, answer),
        failed: (input, error, timedOut) => {
          if (timedOut && spec.onTimeout !== null) settleBy(spec.onTimeout, input, inFlight);
          else inFlight.failed(input, error);
        },
      },
      context,
      spec.random,
    );
    this.#loop = recordLoop(context, this);
  }

  records(records: Records): void {
    this.#inFlight.active();
    this.#loop.run(records);
    this.#turn();
  }

  accept(row: unknown, time: number): void {
    const input = pendingInput(row, time);
    this.#calls.add(input);
    this.#inFlight.enter(input);
  }

  watermark(time: number): void {
    this.#inFlight.watermark(time);
  }

  idle(): void {
    this.#inFlight.idle();
  }

  blocked(): Promise<void> | null {
    return this.#inFlight.blocked(this.#calls.waiting > 0);
  }

  pending(): boolean {
    return this.#inFlight.size > 0;
  }

  /** Hands on what may leave, and makes calls that have waited for a place or for their next attempt. */
  poll(): void {
    if (this.#inFlight.size > 0) this.#turn();
  }

  waiting(): Waiting | null {
    return this.#inFlight.waiting();
  }

  snapshot(): OperatorState {
    return this.#inFlight.snapshot();
  }

  restore(parts: readonly OperatorState[]): void {
    for (const input of this.#inFlight.restore(parts)) this.#calls.defer(input);
  }

  async close(): Promise<void> {
    this.#calls.close();
  }

  #turn(): void {
    this.#calls.turn();
    this.#inFlight.leave(this.#calls.waiting > 0);
  }
}

function settleBy(result: (row: unknown) => unknown, input: PendingInput, inFlight: InFlight): void {
  try {
    inFlight.done(input, result(input.row));
  } catch (error) {
    inFlight.failed(input, error);
  }
}
