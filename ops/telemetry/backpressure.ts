import type { JobStatus, SubtaskStatus } from '../../engine/coordinator/job-status.ts';
import { type TimeShares, timeShares } from './job-figures.ts';

/** Up to 10 % of the time is `ok`, up to 50 % `low`: the thresholds of Flink's web interface. */
export type BackpressureLevel = 'ok' | 'low' | 'high';

const LEVELS = { okMax: 0.1, lowMax: 0.5 } as const;

export function backpressureLevel(backpressured: number): BackpressureLevel {
  if (backpressured <= LEVELS.okMax) return 'ok';
  return backpressured <= LEVELS.lowMax ? 'low' : 'high';
}

/** What one subtask did over the interval; shares are null when nothing new is known of it, as after a restart. */
export interface SubtaskLoad {
  readonly subtask: number;
  readonly host: number;
  readonly shares: TimeShares | null;
  readonly level: BackpressureLevel | null;
}

export interface OperatorLoad {
  readonly id: string;
  /** Operators of one vertex run together and have their load in common. */
  readonly vertex: string;
  /** Of all subtasks together. */
  readonly shares: TimeShares | null;
  /** Of the subtask that is held up most. */
  readonly level: BackpressureLevel | null;
  readonly subtasks: readonly SubtaskLoad[];
}

/** Where the time of a job's operators went between two readings, in the order of its graph. */
export function operatorLoads(
  { operators, subtasks }: JobStatus,
  earlier: readonly SubtaskStatus[],
): readonly OperatorLoad[] {
  const vertices = new Map<string, Omit<OperatorLoad, 'id' | 'vertex'>>();
  return operators.map(({ id, vertex }) => {
    const load = vertices.get(vertex) ?? vertexLoad(ofVertex(subtasks, vertex), ofVertex(earlier, vertex));
    vertices.set(vertex, load);
    return { id, vertex, ...load };
  });
}

function vertexLoad(
  now: readonly SubtaskStatus[],
  earlier: readonly SubtaskStatus[],
): Omit<OperatorLoad, 'id' | 'vertex'> {
  const subtasks = now.map((task): SubtaskLoad => {
    const { subtask, host } = task;
    const before = earlier.find((one) => one.subtask === subtask && one.host === host);
    const shares = before === undefined ? null : timeShares(task, before);
    return { subtask, host, shares, level: shares && backpressureLevel(shares.backpressured) };
  });
  const known = subtasks.flatMap(({ shares }) => shares ?? []);
  if (known.length === 0) return { shares: null, level: null, subtasks };
  const mean = (share: keyof TimeShares) => known.reduce((sum, one) => sum + one[share], 0) / known.length;
  const shares = {
    busy: mean('busy'),
    idle: mean('idle'),
    backpressured: mean('backpressured'),
    running: mean('running'),
  };
  const level = backpressureLevel(Math.max(...known.map(({ backpressured }) => backpressured)));
  return { shares, level, subtasks };
}

function ofVertex(subtasks: readonly SubtaskStatus[], vertex: string): readonly SubtaskStatus[] {
  return subtasks.filter(({ id }) => id === vertex);
}
