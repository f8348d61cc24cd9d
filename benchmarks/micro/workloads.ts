import { intervalJoinWorkload } from './interval-join.ts';
import { processWorkload } from './process.ts';
import { sessionWorkload } from './session.ts';
import { slidingWorkload } from './sliding.ts';
import { topNWorkload } from './top-n.ts';
import type { Workload } from './workload.ts';

/** By the names that the command line knows them by. */
export const WORKLOADS: Readonly<Record<string, Workload>> = {
  session: sessionWorkload,
  sliding: slidingWorkload(10),
  'sliding-dense': slidingWorkload(100),
  process: processWorkload,
  'interval-join': intervalJoinWorkload,
  'top-n': topNWorkload,
};
