import type { Fault } from './fault-plan.ts';
import type { PlantedBug } from './planted/planted-bug.ts';

/** A simulated system with a workload, faults and checks; everything in it follows from the seed. */
export interface Scenario {
  readonly name: string;
  readonly run: (seed: number, options?: ScenarioOptions) => Promise<SimReport>;
}

export interface ScenarioOptions {
  /** Called with a line for each event and note. */
  readonly onEvent?: (line: string) => void;
  /** A bug put in from outside, to show that the checks find it. */
  readonly planted?: PlantedBug | null;
  /** Instead of what the seed draws. */
  readonly faults?: readonly Fault[];
  readonly durability?: 'process' | 'replicated';
}

export interface SimReport {
  readonly seed: number;
  /** What did not hold; empty when all did. */
  readonly problems: readonly string[];
  /** Digest of the run: the same for the same seed. */
  readonly trace: string;
  readonly events: number;
  readonly virtualMs: number;
  readonly faults: readonly Fault[];
  /** For people: mode, restarts, failures. */
  readonly notes: readonly string[];
}
