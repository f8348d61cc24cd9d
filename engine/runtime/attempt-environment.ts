import type { Generation } from '../base/brand.ts';
import type { Clock } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import type { DeadLetter } from '../log/dead-letter.ts';
import type { PartitionLog } from '../log/partition-log.ts';
import type { OpenRedisLink } from '../redis/redis-link.ts';

/** What everything inside one attempt shares. */
export interface AttemptEnvironment {
  readonly job: string;
  readonly namespace: string;
  readonly generation: Generation;
  /** The job's own Redis, for sinks that write there unless told otherwise. */
  readonly redisUrl?: string | undefined;
  /** How connections to Redis are opened. Default {@link RedisConnection.open}. */
  readonly openLink?: OpenRedisLink | undefined;
  readonly log: PartitionLog;
  readonly clock: Clock;
  readonly random: Random;
  readonly uuid: () => string;
  /** Shown every dead letter as it is written, ahead of the checkpoint that covers it. */
  readonly onDeadLetter?: ((letter: DeadLetter) => void) | undefined;
  readonly signal: AbortSignal;
  /**
   * Called at the places that crash tests name; a production process passes a function that does nothing. What it returns is awaited where
   * a coordinator calls it, between any two of its effects: a test may hold it up there, for ever or until another one has taken over.
   */
  readonly killPoint: (name: string) => void | Promise<void>;
}
