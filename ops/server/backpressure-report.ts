import type { Clock } from '../../engine/base/clock.ts';
import type { JobHandle, SourceStatus } from '../../engine/coordinator/job-status.ts';
import type { HeldForwarder, ReadHeldForwarders } from '../held-forwarders.ts';
import { type BackpressureLevel, type OperatorLoad, operatorLoads } from '../telemetry/backpressure.ts';
import type { LoadReadings } from '../telemetry/load-readings.ts';

/** Who waits for whom, from the job's sinks back to the forwarders that feed its topics. */
export interface BackpressureReport {
  /** Epoch ms. */
  readonly at: number;
  /** The interval that shares are of; null before there is one. */
  readonly overMs: number | null;
  /** Of the operator that is held up most. */
  readonly level: BackpressureLevel | null;
  readonly operators: readonly OperatorLoad[];
  readonly sources: readonly Pick<
    SourceStatus,
    'operator' | 'topic' | 'partition' | 'lagRecords' | 'lagMs'
  >[];
  /** Those that a full partition keeps waiting; null when that cannot be known now. */
  readonly forwarders: readonly HeldForwarder[] | null;
}

export interface ReportParts {
  readonly readings: LoadReadings;
  readonly forwarders: ReadHeldForwarders | null;
  readonly clock: Clock;
}

const LEVELS: readonly BackpressureLevel[] = ['high', 'low', 'ok'];

export async function reportBackpressure(
  job: JobHandle,
  { readings, forwarders, clock }: ReportParts,
): Promise<BackpressureReport> {
  const status = job.status();
  const earlier = readings.earlier(job.name);
  const operators = operatorLoads(status, earlier?.subtasks ?? []);
  const report = {
    at: clock.now(),
    overMs: earlier === null ? null : Math.round(clock.monotonic() - earlier.atMs),
    level: LEVELS.find((level) => operators.some((operator) => operator.level === level)) ?? null,
    operators,
    sources: status.sources.map(({ operator, topic, partition, lagRecords, lagMs }) => ({
      operator,
      topic,
      partition,
      lagRecords,
      lagMs,
    })),
  };
  const topics = [...new Set(status.sources.map(({ topic }) => topic))];
  return { ...report, forwarders: (await forwarders?.(topics).catch(() => null)) ?? null };
}
