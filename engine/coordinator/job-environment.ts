import type { Clock } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import type { CheckpointStore } from '../checkpoint/checkpoint-store.ts';
import type { DeadLetter } from '../log/dead-letter.ts';
import type { PartitionLog } from '../log/partition-log.ts';
import type { OpenRedisLink } from '../redis/redis-link.ts';
import type { RestoreFrom } from './choose-restore.ts';
import type { OpenHosts } from './open-hosts.ts';

/** What a job runs on. Closing the log and the store is the caller's business. */
export interface JobEnvironment {
  readonly namespace: string;
  /** Where sinks on Redis write unless told otherwise. */
  readonly redisUrl?: string;
  readonly log: PartitionLog;
  readonly store: CheckpointStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly uuid: () => string;
  /** Who runs it, for people: host and process id. */
  readonly owner: string;
  readonly killPoint?: (name: string) => void | Promise<void>;
  /** How sources and sinks connect to Redis; a simulation hands in its own. */
  readonly openLink?: OpenRedisLink;
  /** Shown the dead letters of slots in this thread as they are written, ahead of the checkpoint that covers them. */
  readonly onDeadLetter?: (letter: DeadLetter) => void;
  /** Told what ended an attempt, or kept it from starting: its cause has the stack that a status leaves out. */
  readonly onFailure?: (error: unknown) => void;
  /** Where its slots run. Default: all in this thread. */
  readonly openHosts?: OpenHosts;
  /** Where it begins, when not from its newest checkpoint. */
  readonly restoreFrom?: RestoreFrom;
  /** Operators that the job does not have any more, and whose state may be dropped. Default none: such state is refused. */
  readonly allowNonRestored?: readonly string[];
  /** Content hash of the job's bundle. */
  readonly jobVersion?: string;
}
