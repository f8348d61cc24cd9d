/** One run of one workload on one engine, in a process of its own. */
export interface VersusOutcome {
  readonly workload: string;
  readonly engine: string;
  readonly events: number;
  /** Of the whole process while the events went through: user and system, all threads. */
  readonly cpuMs: number;
  readonly wallMs: number;
  readonly rows: number;
  /** Equal for equal results, in whatever order they came. */
  readonly checksum: string;
  /** CPU time of the server that the events came from, Redis or a Kafka broker, not part of `cpuMs`. */
  readonly serverCpuMs?: number;
  readonly rssMb?: number;
  readonly gcMs?: number;
}

/** All runs of a comparison, and what they were made with. */
export interface VersusReport {
  readonly date: string;
  readonly machine: string;
  readonly versions: Readonly<Record<string, string>>;
  /** Engine → in what form it ran. */
  readonly engines: Readonly<Record<string, string>>;
  /** Workload → what its input is, with the digest of its file. */
  readonly inputs: Readonly<Record<string, string>>;
  readonly outcomes: readonly VersusOutcome[];
  /** Peers that could not run here, and why. */
  readonly skipped: Readonly<Record<string, string>>;
}

export const nsPerEvent = ({ cpuMs, events }: VersusOutcome): number => (cpuMs * 1e6) / events;

/** CPU per event of every (workload, engine), in the order in which they first ran. */
export function groups(
  report: VersusReport,
): ReadonlyMap<string, ReadonlyMap<string, readonly VersusOutcome[]>> {
  const byWorkload = Map.groupBy(report.outcomes, ({ workload }) => workload);
  return new Map(
    [...byWorkload].map(([workload, some]) => [workload, Map.groupBy(some, ({ engine }) => engine)]),
  );
}
