import { type Duration, durationMs, MillraceError, type Sink, type SinkContext, validName } from '#engine';
import { openRedisSeriesWriter } from './redis-series-writer.ts';
import type { WindowResult } from './window-result.ts';

export interface TimeSeriesOptions {
  /** `redis://…`, `rediss://…`, or the path of a unix socket. Default: the job's own Redis. */
  readonly url?: string;
  /** How long a point stays after the last write to its hour. Default 2 h: a live view, not an archive. */
  readonly ttl?: Duration;
  /** Series keys listed for the live page, at most; points of others stay readable by key. Default 131,072. */
  readonly keysMax?: number;
}

/**
 * A live view of windows in Redis: the newest value of every (key, window start), readable by {@link openTimeSeriesReader}.
 * Written through at once. When an attempt is lost, the next one first undoes what it wrote after the checkpoint that is restored; an
 * attempt that has lost its job is refused.
 * @example perDevice.to('live', timeSeries('device_10s'), { accept: 'idempotent' });
 * @throws MR_CONFIG_INVALID for a name or duration that is none
 */
export function timeSeries(name: string, options: TimeSeriesOptions = {}): Sink<WindowResult, 'idempotent'> {
  validName(name, 'series name');
  const ttlMs = durationMs(options.ttl ?? '2h', 'ttl');
  if (ttlMs === 0)
    throw new MillraceError('MR_CONFIG_INVALID', `The ttl of series '${name}' must be above zero.`);
  const keysMax = options.keysMax ?? KEYS_MAX_DEFAULT;
  return {
    kind: 'time-series',
    guarantee: 'idempotent',
    target: name,
    openWriter: async (context) =>
      openRedisSeriesWriter({ context, name, ttlMs, keysMax, url: redisUrl(name, options, context) }),
  };
}

const KEYS_MAX_DEFAULT = 131_072;

function redisUrl(name: string, options: TimeSeriesOptions, context: SinkContext): string {
  const url = options.url ?? context.redisUrl;
  if (url !== undefined) return url;
  throw new MillraceError(
    'MR_CONFIG_INVALID',
    `Series '${name}' of job '${context.job}' does not know its Redis. Pass { url } to timeSeries(…).`,
  );
}
