import type { JobHandle } from '../engine/coordinator/job-status.ts';
import type { ReadLake } from './lake-state.ts';
import type { SeriesReader } from './series-reader.ts';

/**
 * What the engine process needs of a job's `run.ts`: it exports `start`. Everything outside the job comes in as
 * `environment`, so that the same module runs under `npm start`, in tests and in crash tests.
 */
export interface JobModule {
  readonly start: (environment: JobEnvironment) => Promise<StartedJob | JobHandle>;
}

export interface JobEnvironment {
  /** `redis://…`, `rediss://…` or the path of a unix socket. */
  readonly redisUrl: string;
  /** Folder that belongs to the job and outlives the process; the lake of a local run lives below it. */
  readonly dataDir: string;
  /** The process environment, for settings of the job itself. */
  readonly variables: Readonly<Record<string, string | undefined>>;
}

/** A job with the live series and the lake it writes, so that the API and the live page can read them. */
export interface StartedJob {
  readonly handle: JobHandle;
  readonly series?: SeriesReader;
  /** Size of the table that the job writes. */
  readonly lake?: ReadLake;
  /** Frees what `start` opened beside the job; called after the job has ended. */
  readonly close?: () => Promise<void>;
}

/** Both forms that `start` may answer, as one. */
export function startedJob(answer: StartedJob | JobHandle): StartedJob {
  return 'handle' in answer ? answer : { handle: answer };
}
