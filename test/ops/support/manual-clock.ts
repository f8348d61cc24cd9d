import { type VirtualClock, virtualClock } from '../../../operators/testing/index.ts';

export type ManualClock = VirtualClock;

/** Time that moves only when told to, from a day of 2025 on. */
export const manualClock = (startMs = 1_760_000_000_000): ManualClock => virtualClock(startMs);
