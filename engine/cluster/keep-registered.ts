import type { Clock } from '../base/clock.ts';
import { LIMITS } from '../base/limits.ts';
import type { WorkerLoad, WorkerRegistry } from './worker-registry.ts';

export interface KeepRegisteredOptions {
  readonly clock: Clock;
  /** Of a worker that has registered. */
  readonly id: string;
  /** Asked before every heartbeat. */
  readonly load: () => WorkerLoad;
  /** Called once, when others have given this worker up: what it runs is no longer wanted, and it registers again under a new id. */
  readonly lost: () => void;
  /** Default LIMITS.workerHeartbeatMs. */
  readonly heartbeatMs?: number;
}

export interface RegistrationKeeper {
  /** Sends a heartbeat now, e.g. because the load has changed. */
  readonly beat: () => void;
  /** Stops the heartbeats and deregisters. @throws MR_REDIS_UNAVAILABLE */
  readonly leave: () => Promise<void>;
}

/**
 * Sends the heartbeats of one registration.
 * Owns one timer and one heartbeat under way. Suspends while beating and in `leave`.
 *
 * KR1 Heartbeats go on whatever fails; only the server's answer that the worker was given up ends them. What an unreachable worker
 *     still writes meanwhile is fenced by its generation.
 */
export function keepRegistered(registry: WorkerRegistry, options: KeepRegisteredOptions): RegistrationKeeper {
  const { clock, id, load, lost, heartbeatMs = LIMITS.workerHeartbeatMs } = options;
  let over = false;
  let beating = false;
  let again = false;
  let cancel: () => void = () => undefined;

  const beat = async (): Promise<void> => {
    if (over) return;
    if (beating) {
      again = true;
      return;
    }
    beating = true;
    cancel();
    const known = await registry.heartbeat(id, load()).catch(() => true);
    beating = false;
    if (over) return;
    if (!known) {
      over = true;
      return lost();
    }
    cancel = clock.after(again ? 1 : heartbeatMs, () => void beat());
    again = false;
  };
  cancel = clock.after(heartbeatMs, () => void beat());
  return {
    beat: () => void beat(),
    async leave() {
      over = true;
      cancel();
      await registry.deregister(id);
    },
  };
}
