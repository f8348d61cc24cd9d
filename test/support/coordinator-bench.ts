import { setImmediate } from 'node:timers/promises';
import type { JobEnvironment, JobGraph, JobHandle } from '#engine';
import { type VirtualClock, virtualClock } from '../../operators/testing/index.ts';
import { createJobBench, type JobBench } from './job-bench.ts';

/** A job bench in virtual time. */
export interface CoordinatorBench extends JobBench {
  readonly clock: VirtualClock;
  /** Lets everything that is under way come to rest, and then `ms` pass, and that again. */
  readonly pass: (ms?: number) => Promise<void>;
  /** Lets virtual time pass in steps until the condition holds. */
  readonly passUntil: (
    condition: () => boolean | Promise<boolean>,
    what: string,
    stepMs?: number,
  ) => Promise<void>;
  /** Starts a job and waits until it runs. */
  readonly running: (graph: JobGraph, changes?: Partial<JobEnvironment>) => Promise<JobHandle>;
}

const TURNS = 40;
const STEPS_MAX = 400;

export function createCoordinatorBench(): CoordinatorBench {
  const clock = virtualClock(1_000_000);
  const bench = createJobBench({ clock });
  const rest = async () => {
    for (let turn = 0; turn < TURNS; turn++) await setImmediate();
  };
  const pass = async (ms = 0) => {
    await rest();
    clock.advance(ms);
    await rest();
  };
  const passUntil: CoordinatorBench['passUntil'] = async (condition, what, stepMs = 10) => {
    for (let step = 0; !(await condition()); step++) {
      if (step === STEPS_MAX) throw new Error(`not within ${STEPS_MAX * stepMs} ms: ${what}`);
      await pass(stepMs);
    }
  };
  return {
    ...bench,
    clock,
    pass,
    passUntil,
    async running(graph, changes) {
      const handle = bench.run(graph, changes);
      await passUntil(() => handle.status().state === 'running', 'it runs', 0);
      return handle;
    },
  };
}
