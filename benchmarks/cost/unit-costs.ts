import { readFileSync } from 'node:fs';

/** What one event of the main job costs where it passes, and what a failure costs. Measured, never assumed. */
export interface UnitCosts {
  /** CPU of the workers per event, ns, with all that the job does. */
  readonly workerNs: number;
  /** CPU of the Redis servers per event, ns: taking it in, handing it out, and what the job writes there. */
  readonly serverNs: number;
  /** Bytes per event: in a frame, in the log's memory, in the lake. */
  readonly frameBytes: number;
  readonly logBytes: number;
  readonly lakeBytes: number;
  /** Bytes of state per key, in a worker's memory. */
  readonly keyBytes: number;
  /** From the end of a worker to the next progress of the job, s. */
  readonly recoverySeconds: number;
  /** From the loss of a primary to the next progress, s. */
  readonly failOverSeconds: number;
}

export type UnitCost = keyof UnitCosts;

/** A unit cost with the measurement that it comes from. */
interface Measured {
  readonly value: number;
  readonly from: string;
}

export interface UnitCostFile {
  readonly costs: UnitCosts;
  readonly origins: Readonly<Record<UnitCost, string>>;
}

const NAMES: readonly UnitCost[] = [
  'workerNs',
  'serverNs',
  'frameBytes',
  'logBytes',
  'lakeBytes',
  'keyBytes',
  'recoverySeconds',
  'failOverSeconds',
];

/** @throws where a unit cost is missing or is no number above zero */
export function readUnitCosts(path: string): UnitCostFile {
  const file = JSON.parse(readFileSync(path, 'utf8')) as Readonly<Record<string, Measured | undefined>>;
  const entries = NAMES.map((name) => {
    const measured = file[name];
    if (typeof measured?.value !== 'number' || !(measured.value > 0) || typeof measured.from !== 'string')
      throw new Error(`${path}: '${name}' needs a value above 0 and where it is from.`);
    return [name, measured] as const;
  });
  return {
    costs: Object.fromEntries(entries.map(([name, { value }]) => [name, value])) as Record<UnitCost, number>,
    origins: Object.fromEntries(entries.map(([name, { from }]) => [name, from])) as Record<UnitCost, string>,
  };
}
