import { durationText, MillraceError, type OperatorContext, type Random } from '#engine';
import type { CallAttempt, CallPolicy } from './call-policy.ts';

/** What a pool does with its jobs. */
export interface CallHandlers<Job> {
  /** Makes one attempt. What it returns, or its promise, is the answer. */
  readonly invoke: (job: Job, attempt: CallAttempt) => unknown;
  readonly answered: (job: Job, answer: unknown) => void;
  /** The last attempt has failed, `timedOut` because it took too long. */
  readonly failed: (job: Job, error: unknown, timedOut: boolean) => void;
}

/** A job whose answer was not there at once, with its current attempt; null between two. */
interface Call<Job> {
  readonly job: Job;
  attempts: number;
  current: Attempt | null;
  cancelTimer: () => void;
}

/**
 * Makes calls for jobs, a bounded number at a time, with timeout and retries. Suspension points: none of its own; user code runs
 * inside {@link add} and {@link turn}, later answers and timers only take notes and ask for a turn.
 *
 * CL1 at most `concurrency` calls are begun and not ended; a call between two attempts counts.
 * CL2 a job is answered or has failed exactly once; what a given-up attempt says later is not heard.
 * CL3 jobs begin in the order they came.
 */
export class CallPool<Job> {
  readonly #policy: CallPolicy;
  readonly #handlers: CallHandlers<Job>;
  readonly #context: OperatorContext;
  readonly #random: Random;
  #waiting: Job[] = [];
  #next = 0;
  /** Calls whose wait before the next attempt is over. */
  #due: Call<Job>[] = [];
  readonly #begun = new Set<Call<Job>>();

  constructor(policy: CallPolicy, handlers: CallHandlers<Job>, context: OperatorContext, random: Random) {
    this.#policy = policy;
    this.#handlers = handlers;
    this.#context = context;
    this.#random = random;
  }

  /** Jobs that wait for a place. */
  get waiting(): number {
    return this.#waiting.length - this.#next;
  }

  /** Begins the job if there is a place, else with a later turn. */
  add(job: Job): void {
    if (this.waiting === 0 && this.#begun.size < this.#policy.concurrency)
      this.#attempt(job, new Attempt(1), null);
    else this.#waiting.push(job);
  }

  /** Begins the job with the next turn. */
  defer(job: Job): void {
    this.#waiting.push(job);
  }

  /** Makes the attempts that are due, and begins jobs that have a place now. */
  turn(): void {
    if (this.#due.length > 0) for (const call of this.#due.splice(0)) this.#again(call);
    while (this.waiting > 0 && this.#begun.size < this.#policy.concurrency)
      this.#attempt(this.#waiting[this.#next++] as Job, new Attempt(1), null);
    if (this.#next > 0 && (this.waiting === 0 || this.#next >= 1024)) {
      this.#waiting = this.#waiting.slice(this.#next);
      this.#next = 0;
    }
  }

  /** Gives up everything: signals abort, no attempt follows. */
  close(): void {
    for (const call of this.#begun) {
      call.cancelTimer();
      const { current } = call;
      call.current = null;
      current?.abort(new Error(`operator '${this.#context.operator}' is closing`));
    }
    this.#begun.clear();
    this.#due = [];
    this.#waiting = [];
    this.#next = 0;
  }

  /** @param kept the call of an earlier attempt; null before the first, when what is answered at once needs no call */
  #attempt(job: Job, attempt: Attempt, kept: Call<Job> | null): void {
    let answer: unknown;
    try {
      answer = this.#handlers.invoke(job, attempt);
    } catch (error) {
      this.#failed(kept ?? this.#keep(job, attempt), error, false);
      return;
    }
    if (isThenable(answer)) this.#hear(kept ?? this.#keep(job, attempt), attempt, answer);
    else if (kept === null) this.#handlers.answered(job, answer);
    else this.#answered(kept, answer);
  }

  #again(call: Call<Job>): void {
    call.current = new Attempt(++call.attempts);
    this.#attempt(call.job, call.current, call);
  }

  #keep(job: Job, attempt: Attempt): Call<Job> {
    const call: Call<Job> = { job, attempts: attempt.attempt, current: attempt, cancelTimer: () => {} };
    this.#begun.add(call);
    return call;
  }

  #hear(call: Call<Job>, attempt: Attempt, answer: PromiseLike<unknown>): void {
    const { timeoutMs } = this.#policy;
    if (timeoutMs !== null)
      call.cancelTimer = this.#context.clock.after(timeoutMs, () =>
        this.#failed(call, this.#timeout(call, timeoutMs), true),
      );
    answer.then(
      (value) => {
        if (call.current === attempt) this.#answered(call, value);
      },
      (error: unknown) => {
        if (call.current === attempt) this.#failed(call, error ?? this.#noReason(), false);
      },
    );
  }

  #answered(call: Call<Job>, answer: unknown): void {
    call.cancelTimer();
    call.current = null;
    this.#begun.delete(call);
    this.#handlers.answered(call.job, answer);
    this.#context.wake();
  }

  #failed(call: Call<Job>, error: unknown, timedOut: boolean): void {
    call.cancelTimer();
    const { current } = call;
    call.current = null;
    current?.abort(error);
    const refusal = call.attempts < this.#policy.attempts ? this.#refusal(error) : error;
    if (refusal === null) {
      const waitMs = this.#policy.waitMs(call.attempts, this.#random);
      call.cancelTimer = this.#context.clock.after(waitMs, () => {
        this.#due.push(call);
        this.#context.wake();
      });
      return;
    }
    this.#begun.delete(call);
    this.#handlers.failed(call.job, refusal, timedOut && refusal === error);
    this.#context.wake();
  }

  /** Null when the error may be tried again, else the error to report: it, or what the user's test of it threw. */
  #refusal(error: unknown): unknown {
    try {
      return this.#policy.retries(error) ? null : error;
    } catch (thrown) {
      return thrown ?? error;
    }
  }

  #timeout(call: Call<Job>, timeoutMs: number): MillraceError {
    const { operator } = this.#context;
    return new MillraceError(
      'MR_OPERATOR_TIMEOUT',
      `A call of '${operator}' gave no answer within ${durationText(timeoutMs)} (attempt ${call.attempts} of ${this.#policy.attempts}). Allow it more time or attempts, or look at what it calls.`,
      { details: { operator, attempt: call.attempts } },
    );
  }

  #noReason(): Error {
    return new Error(`a call of '${this.#context.operator}' rejected without a reason`);
  }
}

/** Makes the signal when somebody asks for it: most calls do not. */
class Attempt implements CallAttempt {
  readonly attempt: number;
  #controller: AbortController | null = null;
  #given: { readonly reason: unknown } | null = null;

  constructor(attempt: number) {
    this.attempt = attempt;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#given !== null) this.#controller.abort(this.#given.reason);
    return this.#controller.signal;
  }

  abort(reason: unknown): void {
    this.#given = { reason };
    this.#controller?.abort(reason);
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
