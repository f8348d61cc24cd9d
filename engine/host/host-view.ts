import type { MemberMeter } from '../runtime/member-meter.ts';
import type { Task } from '../runtime/task.ts';
import type { HostStatus, MemberStatus } from './host-protocol.ts';

/** The figures of a host's tasks as they are now. @param nowMs monotonic */
export function describeHost(
  tasks: readonly Task[],
  meters: readonly MemberMeter[],
  sinks: HostStatus['sinks'],
  nowMs: number,
): HostStatus {
  return {
    members: meters.map(memberStatus),
    tasks: tasks.map(({ id, subtask, time }) => ({ id, subtask, ...time.read(nowMs) })),
    sources: meters.flatMap(({ id, reader }) =>
      (reader?.status() ?? []).map((status) => ({ operator: id, ...status })),
    ),
    sinks,
  };
}

function memberStatus(meter: MemberMeter): MemberStatus {
  const { id, subtask, recordsIn, recordsOut, deadLetters, watermarks, operator } = meter;
  const counters = operator?.counters?.();
  return {
    id,
    subtask,
    recordsIn,
    recordsOut,
    deadLetters,
    lateRecords: counters?.lateRecords ?? 0,
    keys: counters?.keys ?? 0,
    timers: counters?.timers ?? 0,
    watermarks: [...watermarks],
    waiting: operator?.waiting?.() ?? null,
  };
}
