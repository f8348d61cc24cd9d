import type { Fleet, Load } from './fleet.ts';
import type { UnitCosts } from './unit-costs.ts';

/** What happens to the fleet at a time, s. */
export type Incident =
  | {
      readonly kind: 'worker-lost';
      readonly at: number;
      readonly workerCores: number;
      readonly replacedAfter: number;
    }
  | { readonly kind: 'primary-lost'; readonly at: number }
  | { readonly kind: 'burst'; readonly at: number; readonly seconds: number; readonly factor: number };

export interface FleetRun {
  /** Age of the oldest event not yet processed, highest and at the end, s. */
  readonly lagMax: number;
  readonly lagAtEnd: number;
  /** From the incident until the lag is below a second again, s; null when it is not. */
  readonly caughtUpAfter: number | null;
  /** Highest that forwarders had to hold for want of a primary, events. */
  readonly heldAtEdgeMax: number;
}

const STEP = 0.1;
const CAUGHT_UP = 1;

/**
 * A fluid model of a fleet: events arrive evenly, wait in the log (or at the edge, while their primary is away) and are processed at the
 * speed of the cores that are there. A job that loses a worker stands still while it recovers and begins again from its last checkpoint.
 * It knows nothing of skew between keys: of that the share of the hottest key must be taken off.
 */
export function simulateFleet(
  { load, fleet, units, seconds }: { load: Load; fleet: Fleet; units: UnitCosts; seconds: number },
  incident: Incident,
): FleetRun {
  const perCore = 1e9 / units.workerNs;
  let [arrived, processed, held] = [0, 0, 0];
  let [lag, lagMax, heldMax] = [0, 0, 0];
  let caughtUpAt: number | null = null;
  /** How many had arrived by the end of each step, and the first step of which some wait. */
  const arrivals: number[] = [];
  let oldest = 0;
  let standsUntil = Number.NEGATIVE_INFINITY;
  for (let step = 0; step * STEP < seconds; step++) {
    const now = step * STEP;
    if (Math.abs(now - incident.at) < STEP / 2 && incident.kind !== 'burst') {
      standsUntil = now + (incident.kind === 'worker-lost' ? units.recoverySeconds : units.failOverSeconds);
      // On average half an interval has to be done again.
      processed = Math.max(0, processed - (load.checkpointSeconds / 2) * load.eventsPerSecond);
      while (oldest > 0 && (arrivals[oldest - 1] as number) > processed) oldest--;
    }
    const arriving = load.eventsPerSecond * (isBurst(incident, now) ? incident.factor : 1) * STEP;
    const isAway = incident.kind === 'primary-lost' && now >= incident.at && now < standsUntil;
    held = isAway ? held + arriving / fleet.shards : 0;
    heldMax = Math.max(heldMax, held);
    arrived += arriving;
    arrivals.push(arrived);
    const capacity = now < standsUntil ? 0 : coresAt(fleet, incident, now) * perCore * STEP;
    processed = Math.min(arrived - held, processed + capacity);
    while (oldest < arrivals.length && (arrivals[oldest] as number) <= processed + 1e-6) oldest++;
    lag = (step + 1 - oldest) * STEP;
    lagMax = Math.max(lagMax, lag);
    if (now < incident.at || lag >= CAUGHT_UP) caughtUpAt = null;
    else caughtUpAt ??= now;
  }
  return {
    lagMax,
    lagAtEnd: lag,
    caughtUpAfter: caughtUpAt === null ? null : caughtUpAt - incident.at,
    heldAtEdgeMax: heldMax,
  };
}

function isBurst(incident: Incident, now: number): incident is Extract<Incident, { kind: 'burst' }> {
  return incident.kind === 'burst' && now >= incident.at && now < incident.at + incident.seconds;
}

function coresAt({ workerCores }: Fleet, incident: Incident, now: number): number {
  const isShort =
    incident.kind === 'worker-lost' && now >= incident.at && now < incident.at + incident.replacedAfter;
  return isShort ? workerCores - incident.workerCores : workerCores;
}
