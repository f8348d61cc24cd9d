import { errorText, hasCode, MillraceError } from '../base/errors.ts';

/**
 * What went wrong between us and Redis:
 * `lost` – no answer, the command may or may not have run; `transient` – the server cannot serve now (loading, failing over, busy);
 * `memory` – over maxmemory; `noscript` – EVALSHA of an unknown script; `refused` – the server's final no.
 */
export type RedisFailure = 'lost' | 'transient' | 'memory' | 'noscript' | 'refused';

export function redisFailure(error: unknown): RedisFailure {
  if (!(error instanceof Error) || error.name !== 'ReplyError') return 'lost';
  const code = error.message.split(' ', 1)[0] as string;
  if (code === 'OOM' || error.message.includes('OOM command not allowed')) return 'memory';
  if (code === 'NOSCRIPT') return 'noscript';
  return TRANSIENT.has(code) ? 'transient' : 'refused';
}

/** Any failure of Redis as MR_REDIS_UNAVAILABLE; errors of ours pass unchanged. */
export function redisError(error: unknown, doing: string): MillraceError {
  if (error instanceof MillraceError || hasCode(error, 'MR_REDIS_UNAVAILABLE')) return error;
  const why = errorText(error);
  const next =
    redisFailure(error) === 'refused'
      ? 'Check the permissions and the data in it.'
      : 'Check that the server is up and reachable.';
  return new MillraceError('MR_REDIS_UNAVAILABLE', `Redis did not carry out ${doing}: ${why} ${next}`, {
    cause: error,
  });
}

const TRANSIENT: ReadonlySet<string> = new Set([
  'LOADING',
  'READONLY',
  'MASTERDOWN',
  'BUSY',
  'TRYAGAIN',
  'CLUSTERDOWN',
  'NOREPLICAS',
  'UNBLOCKED',
]);
