import { LIMITS } from '../../engine/base/limits.ts';

/**
 * Bounds of simulated runs. What passes while nothing happens costs as much as what does, so that looks come more seldom, and what is
 * gone is given up sooner, in the proportions of the real ones: a lease outlasts two renewals, a worker four heartbeats.
 */
const SIMULATED: Partial<Record<keyof typeof LIMITS, number>> = {
  readBlockMs: 400,
  leaseTtlMs: 2_000,
  workerHeartbeatMs: 500,
  workerExpiryMs: 2_000,
  workerLookMs: 600,
  orphanLookMs: 1_500,
  controlBlockMs: 3_000,
  exchangeBlockMs: 3_000,
  coordinationLookMs: 800,
  supervisorLookMs: 800,
  hostStatusEveryMs: 2_500,
  slotPollMs: 200,
};

Object.assign(LIMITS as Record<string, number>, SIMULATED);
