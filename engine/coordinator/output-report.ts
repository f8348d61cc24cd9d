import { durationText } from '../base/duration.ts';
import type { JobStatus, SourceStatus } from './job-status.ts';

/** Why a job gives no output (or not yet), most decisive first; empty when nothing holds it back. */
export interface OutputReport {
  readonly job: string;
  /** When it was made, epoch ms. */
  readonly at: number;
  readonly findings: readonly OutputFinding[];
}

/** One thing that holds output back. */
export interface OutputFinding {
  readonly holder: 'job' | 'source' | 'partition' | 'input' | 'operator' | 'checkpoint';
  /** Id of the operator; of a partition `<operator>/<topic>/<partition>`. */
  readonly id: string;
  /** Event time (checkpoints: wall clock) that must be reached, epoch ms; null where no time will free it. */
  readonly until: number | null;
  /** The same for people, with what to do. */
  readonly text: string;
}

/** Answers "why is there no output?" from a job's status. @param now epoch ms */
export function explainOutput(status: JobStatus, now: number): OutputReport {
  const findings =
    status.state === 'running'
      ? [
          ...unreadSources(status),
          ...slowPartitions(status),
          ...slowInputs(status),
          ...waitingOperators(status),
          ...swallowingOperators(status),
          ...uncommittedSinks(status),
        ]
      : [notRunning(status)];
  return { job: status.name, at: now, findings };
}

function notRunning({ name, state, failures }: JobStatus): OutputFinding {
  const [last] = failures;
  const cause = last === undefined ? '' : ` Its last failure: ${last.code}: ${last.message}`;
  return { holder: 'job', id: name, until: null, text: `The job is ${state}, not running.${cause}` };
}

function unreadSources({ sources }: JobStatus): OutputFinding[] {
  return [...Map.groupBy(sources, (source) => source.operator)].flatMap(
    ([id, partitions]): OutputFinding[] => {
      if (partitions.some((partition) => partition.recordsRead > 0)) return [];
      const lag = partitions.reduce((sum, partition) => sum + (partition.lagRecords ?? 0), 0);
      const topic = partitions[0]?.topic ?? '';
      const text =
        lag > 0
          ? `Source '${id}' has read none of the ${lag} records that wait in '${topic}'; look at its consumers' backpressure and at the job's failures.`
          : `Source '${id}' has read nothing since it started: nothing new has come to '${topic}'. Is its producer running?`;
      return [{ holder: 'source', id, until: null, text }];
    },
  );
}

/** Partitions that event time waits for: behind others of their source, or all idle. */
function slowPartitions({ sources }: JobStatus): OutputFinding[] {
  return [...Map.groupBy(sources, (source) => source.operator)].flatMap(
    ([id, partitions]): OutputFinding[] => {
      const read = partitions.some((partition) => partition.recordsRead > 0);
      const waited = partitions.filter((partition) => !partition.idle);
      if (waited.length === 0 && read) {
        return [
          {
            holder: 'source',
            id,
            until: null,
            text: `All partitions of source '${id}' are idle: event time stands at ${timeText(newest(partitions))} until a record comes, and so do windows that end later.`,
          },
        ];
      }
      const reached = newest(partitions);
      if (reached === null) return [];
      return waited
        .filter((partition) => partition.watermark === null || partition.watermark < reached)
        .toSorted((a, b) => (a.watermark ?? -Infinity) - (b.watermark ?? -Infinity))
        .slice(0, 1)
        .map((partition) => ({
          holder: 'partition',
          id: `${id}/${partition.topic}/${partition.partition}`,
          until: reached,
          text: `Partition ${partition.partition} of '${partition.topic}' ${standsAt(partition.watermark)}, others have reached ${timeText(reached)}: event time waits for it until it moves on or is idle.`,
        }));
    },
  );
}

/** Inputs of joins and unions that stand behind the others. */
function slowInputs({ operators, edges }: JobStatus): OutputFinding[] {
  return operators.flatMap((operator): OutputFinding[] => {
    if (operator.inputWatermarks.length < 2) return [];
    const ahead = Math.max(...operator.inputWatermarks.map((time) => time ?? -Infinity));
    const froms = edges.filter((edge) => edge.to === operator.id).map((edge) => edge.from);
    return operator.inputWatermarks.flatMap((time, input) =>
      (time ?? -Infinity) >= ahead
        ? []
        : [
            {
              holder: 'input',
              id: operator.id,
              until: ahead,
              text: `Input ${input} of '${operator.id}' (from '${froms[input]}') ${standsAt(time)}, another has reached ${timeText(ahead)}: '${operator.id}' waits for it unless it is idle.`,
            },
          ],
    );
  });
}

function waitingOperators({ operators }: JobStatus): OutputFinding[] {
  return operators.flatMap((operator): OutputFinding[] => {
    const { id, waiting, watermark } = operator;
    if (waiting === null) return [];
    const many = waiting.count === 1 ? `a ${waiting.what}` : `${waiting.count} ${waiting.what}s`;
    if (waiting.until === null)
      return [{ holder: 'operator', id, until: null, text: `'${id}' waits for ${many} to finish.` }];
    const missing =
      watermark === null
        ? 'no event time has reached it yet'
        : `event time stands at ${timeText(watermark)}, ${durationText(Math.max(0, waiting.until - watermark))} short`;
    const rest = waiting.what === 'processing-time timer' ? '' : `: ${missing}`;
    return [
      {
        holder: 'operator',
        id,
        until: waiting.until,
        text: `'${id}' holds ${many}; the first is due at ${timeText(waiting.until)}${rest}.`,
      },
    ];
  });
}

/** Operators that took records, hold nothing, and have given none. */
function swallowingOperators({ operators, edges }: JobStatus): OutputFinding[] {
  const gives = (id: string) => edges.some((edge) => edge.from === id || edge.from.startsWith(`${id}:`));
  return operators.flatMap((operator): OutputFinding[] => {
    if (operator.recordsIn === 0 || operator.recordsOut > 0 || operator.waiting !== null) return [];
    if (!gives(operator.id)) return [];
    const lost =
      operator.deadLetters > 0
        ? ` ${operator.deadLetters} went to dead letters.`
        : operator.lateRecords > 0
          ? ` ${operator.lateRecords} came too late.`
          : '';
    const text = `'${operator.id}' has taken ${operator.recordsIn} records and given none.${lost}`;
    return [{ holder: 'operator', id: operator.id, until: null, text }];
  });
}

/** Sinks whose rows show with the next checkpoint only. */
function uncommittedSinks({ sinks, checkpoints, checkpointIntervalMs }: JobStatus): OutputFinding[] {
  const [last] = checkpoints.history;
  const isFailing = last?.outcome === 'failed';
  if (checkpoints.completed > 0 && !isFailing) return [];
  const why = isFailing
    ? `the last checkpoint failed: ${last.failure ?? 'unknown cause'}`
    : `none has completed yet (they are taken every ${durationText(checkpointIntervalMs)})`;
  return sinks
    .filter((sink) => sink.guarantee === 'exactly-once')
    .map(({ operator, target }) => ({
      holder: 'checkpoint',
      id: operator,
      until: null,
      text: `Rows of '${operator}' become visible in '${target}' with a completed checkpoint; ${why}.`,
    }));
}

function newest(partitions: readonly SourceStatus[]): number | null {
  const times = partitions.flatMap(({ watermark }) => watermark ?? []);
  return times.length === 0 ? null : Math.max(...times);
}

function standsAt(watermark: number | null): string {
  return watermark === null ? 'has no event time yet' : `stands at ${timeText(watermark)}`;
}

/** ISO 8601 where the time is one that a calendar knows, else the number. */
function timeText(time: number | null): string {
  if (time === null) return 'no event time';
  return Math.abs(time) <= 8.64e15 ? new Date(time).toISOString() : String(time);
}
