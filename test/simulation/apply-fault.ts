import type { Fault } from './fault-plan.ts';
import type { SimRedis } from './redis.ts';
import type { SimRole } from './role.ts';

/** What faults are done to. */
export interface FaultTargets {
  readonly redis: SimRedis;
  readonly roles: ReadonlyMap<string, SimRole>;
  /** Has the process that comes to a kill point die or stop there. */
  readonly armKillPoint: (armed: ArmedPoint) => void;
}

/** At the `hit`th time from now a process dies at a point, or stops there for so long. */
export interface ArmedPoint {
  readonly point: string;
  hit: number;
  readonly forMs: number | null;
}

/** Does a fault, now. */
export function applyFault(fault: Fault, { redis, roles, armKillPoint }: FaultTargets): void {
  switch (fault.kind) {
    case 'kill':
      return roles.get(fault.role)?.kill(fault.forMs);
    case 'kill-thread': {
      const threads = roles.get(fault.role)?.current?.threads ?? [];
      return threads[fault.thread % threads.length]?.kill();
    }
    case 'freeze':
      return roles.get(fault.role)?.freeze(fault.forMs);
    case 'kill-at':
      return armKillPoint({ point: fault.point, hit: fault.hit, forMs: null });
    case 'freeze-at':
      return armKillPoint({ point: fault.point, hit: fault.hit, forMs: fault.forMs });
    case 'request-lost':
    case 'reply-lost':
    case 'late':
      return redis.network.arm(fault.role, fault.kind);
    case 'drop-links':
      return redis.dropLinks(
        fault.role,
        fault.lateMs === null ? { kind: 'lost' } : { kind: 'late', delayMs: fault.lateMs },
      );
    case 'spike':
      return redis.network.spike(fault.role, fault.factor, fault.forMs);
    case 'cut':
      return redis.network.cut(fault.role, fault.forMs);
    case 'restart':
      return redis.restart(fault.forMs, fault.lostMs);
    case 'fail-over':
      redis.lagReplica(fault.lagMs * LAG_BEYOND);
      redis.kernel.schedule(fault.lagMs, null, 'lagging replica promoted', () =>
        redis.failOver(fault.forMs, fault.isDemoted),
      );
      return;
    case 'out-of-memory':
      return redis.runOutOfMemory(fault.forMs);
    case 'replica-lag':
      return redis.lagReplica(fault.forMs);
  }
}

/** The replica would go on to lag when it is promoted: what came last is lost. */
const LAG_BEYOND = 2;
