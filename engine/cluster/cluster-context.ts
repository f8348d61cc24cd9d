import type { Clock } from '../base/clock.ts';
import type { RedisLink } from '../redis/redis-link.ts';

/** What the parts of the cluster store share; all of it is handed in, and the link stays the caller's to close. */
export interface ClusterContext {
  readonly link: RedisLink;
  readonly namespace: string;
  readonly clock: Clock;
  readonly uuid: () => string;
}
