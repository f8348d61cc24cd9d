import type { Clock } from '../base/clock.ts';
import { MillraceError } from '../base/errors.ts';
import { backoffMs, type Random } from '../base/random.ts';
import { redisError, type RedisFailure, redisFailure } from './redis-error.ts';

export interface OrderedCallsOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** How long a call may take from when it was made. */
  readonly unavailableMs: number;
  /** Null when a call may be sent, or what to wait for before asking again; rejects or throws when there is no hope. */
  readonly ready: () => Promise<void> | null;
  /** Failures after which a call is sent again. */
  readonly again: (failure: RedisFailure) => boolean;
  /** What a call fails with whose time is up. */
  readonly unavailable: (doing: string) => MillraceError;
}

/*
 * Calls that are sent in the order in which they were made, and again until they are answered or their time is up.
 *
 * Owns the calls under way. Suspends in #recover only: for answers, a pause, and a server.
 *
 * OC1 A call settles: with what its last try gave, or with `unavailable` no later than `unavailableMs` after it was made.
 * OC2 When a call has to be sent again new ones are held, those on their way are waited for, and then all that are not answered are sent
 *     in the order in which they were made. So calls overtake each other only when both were on their way and the server refused the
 *     first and took the second.
 * OC3 After {@link end} no call is under way, also not one whose client never settles it.
 */
export class OrderedCalls {
  readonly #options: OrderedCallsOptions;
  #made = 0;
  #inFlight = 0;
  /** Not settled. */
  readonly #open = new Set<Call>();
  /** Refused, and made after them; not on their way. */
  readonly #waiting = new Set<Call>();
  #recovering = false;
  #ended: MillraceError | null = null;
  #drained: PromiseWithResolvers<void> | null = null;

  constructor(options: OrderedCallsOptions) {
    this.#options = options;
  }

  /** `send` writes before it first suspends. It may be called any number of times, one after another. */
  run(doing: string, send: () => Promise<unknown>): Promise<unknown> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    const { clock, unavailableMs, unavailable } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const stop = clock.after(unavailableMs, () => call.settle(() => reject(unavailable(doing))));
    const call: Call = {
      number: this.#made++,
      doing,
      send,
      tries: 0,
      settled: false,
      settle: (act) => {
        if (call.settled) return;
        call.settled = true;
        this.#open.delete(call);
        this.#waiting.delete(call);
        stop();
        act();
      },
      answer: (value) => call.settle(() => resolve(value)),
      fail: (error) => call.settle(() => reject(redisError(error, doing))),
    };
    this.#open.add(call);
    this.#take(call);
    return promise;
  }

  /** Fails all calls, also those to come: the client is closed. One that is closed before it has connected again never settles them. */
  end(why: MillraceError): void {
    this.#ended = why;
    for (const call of this.#open) call.fail(why);
  }

  #take(call: Call): void {
    try {
      const wait = this.#recovering ? undefined : this.#options.ready();
      if (wait === null) return this.#send(call);
      wait?.catch(() => {}); // #recover asks again, after those on their way
    } catch (error) {
      return call.fail(error);
    }
    this.#waiting.add(call);
    if (!this.#recovering) void this.#recover();
  }

  #send(call: Call): void {
    this.#inFlight++;
    call.tries++;
    call.send().then(
      (value) => {
        this.#arrived();
        call.answer(value);
      },
      (error: unknown) => {
        this.#arrived();
        if (call.settled) return;
        const failure = redisFailure(error);
        if (error instanceof MillraceError || !this.#options.again(failure)) return call.fail(error);
        call.failure = failure;
        this.#waiting.add(call);
        if (!this.#recovering) void this.#recover();
      },
    );
  }

  #arrived(): void {
    this.#inFlight--;
    if (this.#inFlight > 0) return;
    this.#drained?.resolve();
    this.#drained = null;
  }

  async #recover(): Promise<void> {
    this.#recovering = true;
    try {
      if (this.#inFlight > 0) {
        this.#drained = Promise.withResolvers();
        await this.#drained.promise;
      }
      const pauseMs = this.#pauseMs();
      if (pauseMs > 0) await this.#options.clock.sleep(pauseMs);
      for (let wait = this.#options.ready(); wait !== null; wait = this.#options.ready()) {
        await wait;
        if (this.#waiting.size === 0) break;
      }
      this.#goOn((call) => this.#send(call));
    } catch (error) {
      this.#goOn((call) => call.fail(error));
    }
  }

  #goOn(act: (call: Call) => void): void {
    const calls = [...this.#waiting].sort((a, b) => a.number - b.number);
    this.#waiting.clear();
    this.#recovering = false;
    for (const call of calls) act(call);
  }

  /** How long the call that was refused most often waits. A server that is elsewhere or lacks the script is asked at once, at first. */
  #pauseMs(): number {
    const pauses = [...this.#waiting].map(({ failure, tries }) => {
      if (failure === undefined) return 0;
      if ((failure === 'moved' || failure === 'noscript') && tries <= FREE_TRIES) return 0;
      if (failure === 'lost' && this.#options.ready() !== null) return 0;
      return backoffMs(tries - 1, 10, PAUSE_MS_MAX, this.#options.random);
    });
    return Math.max(0, ...pauses);
  }
}

interface Call {
  readonly number: number;
  readonly doing: string;
  readonly send: () => Promise<unknown>;
  tries: number;
  failure?: RedisFailure;
  settled: boolean;
  readonly settle: (act: () => void) => void;
  readonly answer: (value: unknown) => void;
  readonly fail: (error: unknown) => void;
}

const FREE_TRIES = 3;
const PAUSE_MS_MAX = 1_000;
