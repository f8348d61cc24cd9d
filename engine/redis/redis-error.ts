import { errorText, MillraceError } from '../base/errors.ts';

/**
 * What went wrong between us and Redis:
 * `lost` – no answer, the command may or may not have run; `transient` – the server cannot serve now (loading, failing over, busy);
 * `moved` – another node of a cluster holds the key; `memory` – over maxmemory; `noscript` – EVALSHA of an unknown script; `refused` – the server's final no.
 */
export type RedisFailure = 'lost' | 'transient' | 'moved' | 'memory' | 'noscript' | 'refused';

export function redisFailure(error: unknown): RedisFailure {
  if (error instanceof MillraceError && error.cause !== undefined) return redisFailure(error.cause);
  if (!(error instanceof Error) || error.name !== 'ReplyError') return 'lost';
  const code = error.message.split(' ', 1)[0] as string;
  if (code === 'OOM' || error.message.includes('OOM command not allowed')) return 'memory';
  if (code === 'NOSCRIPT') return 'noscript';
  if (code === 'MOVED' || code === 'ASK') return 'moved';
  return TRANSIENT.has(code) ? 'transient' : 'refused';
}

/** Any failure of Redis as MR_REDIS_UNAVAILABLE, from which {@link redisFailure} still tells; errors of ours pass unchanged. */
export function redisError(error: unknown, doing: string): MillraceError {
  if (error instanceof MillraceError) return error;
  const text = `Redis did not carry out ${doing}: ${errorText(error)} ${NEXT_STEP[redisFailure(error)]}`;
  return new MillraceError('MR_REDIS_UNAVAILABLE', text, { cause: error });
}

const NEXT_STEP: Readonly<Record<RedisFailure, string>> = {
  lost: 'Check that the server is up and reachable.',
  transient: 'Wait until it has loaded or failed over.',
  moved: 'The server is one node of a cluster: give its URL as redis+cluster://….',
  memory: 'Free memory, lower quotas or raise maxmemory.',
  noscript: 'Check that nothing flushes its scripts all the time.',
  refused: 'Check the permissions there, and that nothing else writes to these keys.',
};

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
