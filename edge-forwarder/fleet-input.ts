import { setImmediate } from 'node:timers/promises';
import type { Clock } from '#wire';
import { createFleet, type FleetOptions, type FleetReading } from './fleet.ts';
import type { Input } from './input.ts';

/** Records of one turn between two looks at the outbox and the event loop. */
const SLICE_RECORDS = 512;
/** Pause when nothing is due. */
const PACE_MS = 10;

export interface FleetInputOptions extends FleetOptions {
  /** `realtime`: record i is sent when its time has come by the clock. The records are the same either way. */
  readonly pace: 'realtime' | 'asFastAsPossible';
  /** Ends after this many records. Default: never. */
  readonly recordsMax?: number;
  readonly clock: Clock;
}

/** The simulated fleet as an input: its position is the record index. Suspends between slices only. */
export function fleetInput({
  pace,
  recordsMax = Number.POSITIVE_INFINITY,
  clock,
  ...fleetOptions
}: FleetInputOptions): Input<FleetReading> {
  return {
    name: 'fleet',
    origin: fleetOrigin(fleetOptions),
    async run(port, signal) {
      const fleet = createFleet(fleetOptions);
      let index = port.position;
      while (index < recordsMax && !signal.aborted) {
        const due = pace === 'realtime' ? dueAt(fleetOptions, clock.now()) : Number.POSITIVE_INFINITY;
        const end = Math.min(recordsMax, due, index + SLICE_RECORDS);
        for (; index < end; index++) port.accept(fleet.readingAt(index));
        if (index >= due) await clock.sleep(PACE_MS, signal);
        await (port.blocked() ?? setImmediate());
      }
    },
  };
}

/** The settings that decide the records, as text. */
export function fleetOrigin(options: FleetOptions): string {
  return JSON.stringify(Object.entries(options).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Start time of a stored {@link fleetOrigin}, so that a restart without one goes on with it. */
export function fleetStartMs(origin: string): number | null {
  const entries = JSON.parse(origin) as [string, number][];
  return entries.find(([name]) => name === 'startMs')?.[1] ?? null;
}

/** Records that have happened by `nowMs`. */
function dueAt({ startMs, rate }: FleetOptions, nowMs: number): number {
  return Math.max(0, Math.floor(((nowMs - startMs) * rate) / 1_000));
}
