import type { MemberMeter } from '../runtime/member-meter.ts';
import type { Task } from '../runtime/task.ts';
import type { HostStatus, MemberStatus } from './host-protocol.ts';
import type { SparingLooks } from './sparing-looks.ts';

/** Finding out what an operator waits for may mean visiting all that it holds. */
export type WaitingLooks = SparingLooks<MemberMeter, MemberStatus['waiting']>;

export function whatWaits({ operator }: MemberMeter): MemberStatus['waiting'] {
  return operator?.waiting?.() ?? null;
}

/** The figures of a host's tasks as they are now. @param nowMs monotonic */
export function describeHost(
  tasks: readonly Task[],
  meters: readonly MemberMeter[],
  sinks: HostStatus['sinks'],
  waiting: WaitingLooks,
  nowMs: number,
): HostStatus {
  return {
    members: meters.map((meter) => memberStatus(meter, waiting)),
    tasks: tasks.map(({ id, subtask, time }) => ({ id, subtask, ...time.read(nowMs) })),
    sources: meters.flatMap(({ id, reader }) =>
      (reader?.status() ?? []).map((status) => ({ operator: id, ...status })),
    ),
    sinks,
  };
}

function memberStatus(meter: MemberMeter, waiting: WaitingLooks): MemberStatus {
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
    waiting: waiting.at(meter),
  };
}
