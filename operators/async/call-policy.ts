import { backoffMs, type Duration, durationMs, LIMITS, MillraceError, type Random } from '#engine';

/** What a call is given beside its input. */
export interface CallAttempt {
  /** Aborts when the attempt is given up: at its timeout, after it has failed, and when the job stops or restarts. */
  readonly signal: AbortSignal;
  /** 1 for the first. */
  readonly attempt: number;
}

/** When and how often a failed call is made again. */
export interface RetryOptions {
  /** Attempts in all, the first one included: 1 to LIMITS.callAttemptsMax. */
  readonly attempts: number;
  /** Wait before the second attempt; doubles from then on. Default 100 ms. */
  readonly first?: Duration;
  /** The longest wait. Default 10 s. */
  readonly max?: Duration;
  /** Draws each wait at random from its upper half, so that calls that failed together do not come back together. Default true. */
  readonly jitter?: boolean;
  /** False for errors that will not pass by themselves. A timeout is MR_OPERATOR_TIMEOUT. Default: all are tried again. */
  readonly if?: (error: unknown) => boolean;
}

/** Bounds of asynchronous calls. */
export interface CallOptions {
  /** Open calls at most, those between two attempts included. Default 100. */
  readonly concurrency?: number;
  /** How long one attempt may take. Default: as long as it likes. */
  readonly timeout?: Duration;
  /** Default: a call that fails has failed. */
  readonly retry?: RetryOptions;
}

/** {@link CallOptions}, checked. */
export interface CallPolicy {
  readonly concurrency: number;
  readonly timeoutMs: number | null;
  readonly attempts: number;
  readonly retries: (error: unknown) => boolean;
  /** Wait after so many failed attempts. */
  readonly waitMs: (failed: number, random: Random) => number;
}

/** @throws MR_CONFIG_INVALID, naming `what` */
export function callPolicy(options: CallOptions, what: string): CallPolicy {
  const { concurrency = 100, timeout, retry } = options;
  atLeastOne(concurrency, `${what} needs a concurrency`);
  const attempts = retry?.attempts ?? 1;
  atLeastOne(attempts, `${what} needs a number of attempts`, LIMITS.callAttemptsMax);
  const timeoutMs = timeout === undefined ? null : durationMs(timeout, `timeout of ${what}`);
  if (timeoutMs === 0)
    throw new MillraceError('MR_CONFIG_INVALID', `The timeout of ${what} must be at least 1 ms.`);
  const firstMs = durationMs(retry?.first ?? 100, `first wait of ${what}`);
  const maxMs = durationMs(retry?.max ?? '10s', `longest wait of ${what}`);
  const isJittered = retry?.jitter ?? true;
  return {
    concurrency,
    timeoutMs,
    attempts,
    retries: retry?.if ?? (() => true),
    waitMs: (failed, random) => backoffMs(failed - 1, firstMs, maxMs, isJittered ? random : () => 1),
  };
}

/** @throws MR_CONFIG_INVALID unless `value` is a whole number from 1 to `max` */
export function atLeastOne(value: number, what: string, max = Number.MAX_SAFE_INTEGER): void {
  if (Number.isInteger(value) && value >= 1 && value <= max) return;
  const range = max === Number.MAX_SAFE_INTEGER ? 'of 1 or more' : `from 1 to ${max}`;
  throw new MillraceError('MR_CONFIG_INVALID', `${what} ${range}, got ${value}.`);
}
