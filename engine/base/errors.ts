/**
 * One catalogue of every error code. `domain` says whose fault it is, `retry` what the runtime may do;
 * only the restart policy reads `retry`, and nobody parses messages. docs/errors.md lists the same codes
 * (a test holds the two together). Codes are never reused.
 */
export const ERROR_CATALOGUE = {
  // graph and job definition
  MR_GRAPH_INVALID: { domain: 'user', retry: 'never' },
  MR_CONFIG_INVALID: { domain: 'user', retry: 'never' },
  // wire: schema, frame, records
  MR_SCHEMA_INVALID: { domain: 'user', retry: 'never' },
  MR_SCHEMA_UNKNOWN: { domain: 'user', retry: 'never' },
  MR_SCHEMA_MISMATCH: { domain: 'user', retry: 'never' },
  MR_RECORD_INVALID: { domain: 'user', retry: 'never' },
  MR_FRAME_TRUNCATED: { domain: 'external', retry: 'never' },
  MR_FRAME_CORRUPT: { domain: 'external', retry: 'never' },
  MR_FRAME_VERSION: { domain: 'external', retry: 'never' },
  MR_FRAME_TOO_LARGE: { domain: 'user', retry: 'never' },
  // partition log
  MR_LOG_GAP: { domain: 'external', retry: 'never' },
  MR_LOG_FENCED: { domain: 'external', retry: 'never' },
  MR_LOG_FULL: { domain: 'external', retry: 'backoff' },
  MR_LOG_FRAME_OVER_QUOTA: { domain: 'user', retry: 'never' },
  MR_LOG_ROLLED_BACK: { domain: 'external', retry: 'restart' },
  MR_LOG_TRIMMED: { domain: 'external', retry: 'never' },
  MR_LOG_NO_TOPIC: { domain: 'user', retry: 'backoff' },
  MR_LOG_TOPIC_MISMATCH: { domain: 'user', retry: 'never' },
  MR_REDIS_UNAVAILABLE: { domain: 'external', retry: 'restart' },
  MR_REDIS_UNSUPPORTED: { domain: 'external', retry: 'never' },
  // checkpoints
  MR_CHECKPOINT_FENCED: { domain: 'external', retry: 'never' },
  MR_CHECKPOINT_CORRUPT: { domain: 'external', retry: 'never' },
  MR_CHECKPOINT_TIMEOUT: { domain: 'external', retry: 'restart' },
  MR_CHECKPOINT_FAILED: { domain: 'external', retry: 'restart' },
  MR_CHECKPOINT_NO_SPACE: { domain: 'external', retry: 'restart' },
  MR_CHECKPOINT_NOT_DURABLE: { domain: 'external', retry: 'restart' },
  MR_STATE_INCOMPATIBLE: { domain: 'user', retry: 'never' },
  MR_STATE_DISK: { domain: 'external', retry: 'restart' },
  // hosts of an attempt and the exchange between them
  MR_SLOTS_SHORT: { domain: 'external', retry: 'restart' },
  MR_HOST_LOST: { domain: 'external', retry: 'restart' },
  MR_EXCHANGE_LOST: { domain: 'external', retry: 'restart' },
  // operators and sinks
  MR_OPERATOR_FAILED: { domain: 'user', retry: 'restart' },
  MR_OPERATOR_TIMEOUT: { domain: 'external', retry: 'restart' },
  MR_KEY_INVALID: { domain: 'user', retry: 'restart' },
  MR_KEY_MISPLACED: { domain: 'user', retry: 'restart' },
  MR_SINK_FAILED: { domain: 'external', retry: 'restart' },
  MR_SINK_FENCED: { domain: 'external', retry: 'never' },
  MR_SINK_REFUSED: { domain: 'user', retry: 'never' },
  MR_SINK_AHEAD: { domain: 'user', retry: 'never' },
  // iceberg
  MR_TABLE_INVALID: { domain: 'user', retry: 'never' },
  MR_TABLE_CONFLICT: { domain: 'external', retry: 'restart' },
  MR_TABLE_CORRUPT: { domain: 'external', retry: 'never' },
  // cluster: control streams, bundles
  MR_CONTROL_FAILED: { domain: 'external', retry: 'restart' },
  MR_CONTROL_TOO_LARGE: { domain: 'user', retry: 'never' },
  MR_BUNDLE_INVALID: { domain: 'external', retry: 'never' },
  // edge forwarder
  MR_EDGE_OUTBOX: { domain: 'external', retry: 'restart' },
  // admin API
  MR_API_INVALID: { domain: 'user', retry: 'never' },
  MR_API_NOT_FOUND: { domain: 'user', retry: 'never' },
  MR_API_FORBIDDEN: { domain: 'user', retry: 'never' },
  MR_API_CONFLICT: { domain: 'user', retry: 'never' },
  MR_API_LIMITED: { domain: 'user', retry: 'backoff' },
  // supervisor and processes
  MR_OPS_START: { domain: 'user', retry: 'never' },
  // our own bugs
  MR_INVARIANT: { domain: 'internal', retry: 'never' },
} as const satisfies Record<string, { domain: ErrorDomain; retry: RetryHint }>;

export type ErrorCode = keyof typeof ERROR_CATALOGUE;
export type ErrorDomain = 'user' | 'external' | 'internal';
export type RetryHint = 'never' | 'backoff' | 'restart';

/** Facts that a message names, kept apart so that the API and logs can show them as fields. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean | undefined>>;

/**
 * The only error that Millrace throws on purpose. Test by `code`, never by `instanceof`: class identity is lost
 * between threads and processes ({@link hasCode} does it).
 */
export class MillraceError extends Error {
  override readonly name = 'MillraceError';
  readonly code: ErrorCode;
  readonly domain: ErrorDomain;
  readonly retry: RetryHint;
  readonly details: ErrorDetails;

  /** @param message what happened, to which job / operator / offset, and what to do next. */
  constructor(code: ErrorCode, message: string, options: { cause?: unknown; details?: ErrorDetails } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.domain = ERROR_CATALOGUE[code].domain;
    this.retry = ERROR_CATALOGUE[code].retry;
    this.details = options.details ?? {};
  }
}

/** True when `error` carries one of `codes`, across threads and processes. */
export function hasCode(error: unknown, ...codes: readonly ErrorCode[]): error is MillraceError {
  return (
    typeof error === 'object' &&
    error !== null &&
    'code' in error &&
    codes.includes((error as { code: ErrorCode }).code)
  );
}

/** The catalogue code of anything thrown, or null. */
export function errorCode(error: unknown): ErrorCode | null {
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
  return code in ERROR_CATALOGUE ? (code as ErrorCode) : null;
}

/**
 * The same failure with the operator that it happened in, unless it names one. What carries no code gets `code`: a foreign error
 * out of a source or a sink.
 */
export function failureOf(error: unknown, operator: string, code: ErrorCode): MillraceError {
  if (error instanceof MillraceError && error.details['operator'] !== undefined) return error;
  const details = error instanceof MillraceError ? { ...error.details, operator } : { operator };
  return new MillraceError(errorCode(error) ?? code, errorText(error), { cause: error, details });
}

/** The text of anything thrown, for logs and dead letters. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** States what must hold in our own code. Stays on in production; no retry catches it. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition)
    throw new MillraceError('MR_INVARIANT', `invariant broken: ${message}. This is a bug in Millrace.`);
}
