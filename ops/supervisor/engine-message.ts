import type { JobState } from '../../engine/coordinator/job-status.ts';
import type { JobFigures } from '../telemetry/job-figures.ts';

/** What the engine process tells the supervisor over its channel. */
export type EngineMessage =
  | { readonly kind: 'ready'; readonly port: number }
  | { readonly kind: 'progress'; readonly progress: EngineProgress };

/** How the job is doing, once a second. */
export interface EngineProgress {
  readonly job: string;
  readonly state: JobState;
  readonly figures: JobFigures;
  /** Since the newest completed checkpoint; null before the first of this process. */
  readonly checkpointAgeMs: number | null;
  /** Rows in the lake's table, also those of earlier starts; null while there is no table. */
  readonly lakeRows: number | null;
  /** The newest failure, while the job does not run. */
  readonly failure: string | null;
}

export function isEngineMessage(message: unknown): message is EngineMessage {
  return typeof message === 'object' && message !== null && 'kind' in message;
}
