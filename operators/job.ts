import {
  defaultMaxParallelism,
  type Duration,
  durationMs,
  type Guarantee,
  type JobGraph,
  type JobOptions,
  LIMITS,
  type Source,
  type StatePlacement,
  validateGraph,
} from '#engine';
import type { DataStream } from './data-stream.ts';
import { dataStream } from './build-data-stream.ts';
import { GraphBuilder, type SourceSettings } from './graph-builder.ts';

/** How a job runs. Everything but `guarantee` has a default and may be changed without losing state, except maxParallelism. */
export interface JobSettings<G extends Guarantee> {
  /** What the job asks of its sinks; a weaker sink does not compile unless it is accepted by name. */
  readonly guarantee: G;
  /** Subtasks per operator. Default 1. */
  readonly parallelism?: number;
  /** Number of key groups, frozen in the first checkpoint. Default 128 for small jobs. */
  readonly maxParallelism?: number;
  /** Default `'5s'`. */
  readonly checkpointInterval?: Duration;
  /** Completed checkpoints kept. Default 3. */
  readonly checkpointsRetained?: number;
  /** Default `'10m'`. */
  readonly checkpointTimeout?: Duration;
  /** From the end of one checkpoint to the beginning of the next at least. Default 0. */
  readonly checkpointMinPause?: Duration;
  /** Checkpoints in a row that may fail (time out, find no room) before the job restarts. Default 0. */
  readonly checkpointFailuresTolerable?: number;
  /** A checkpoint whose barriers a subtask waits for longer than this is given up, as slow inputs hold up fast ones meanwhile. Default: checkpointTimeout. */
  readonly alignmentTimeout?: Duration;
  /** A record that makes user code throw fails the attempt (default), or goes to the topic `<job>.dead-letter`. */
  readonly onError?: 'fail' | 'dead-letter';
  /**
   * With `onError: 'fail'`: a record that has made so many attempts fail goes to dead letters instead, and the job goes on. Default: never.
   */
  readonly poisonAfter?: number;
  /**
   * After a failure. Default: delays of 1 s doubling to 1 min, without end, started over after 10 min of quiet running; or a fixed delay; or
   * at most so many failures in a time; or no restart.
   */
  readonly restart?: RestartSettings;
  /**
   * Where the state of operators that declare state lives. Default `'memory'`. On disk it may be larger than memory: the state of
   * `hotKeysMax` keys per subtask (default 1,000,000) stays in memory, the rest goes to files in `folder` (default `.millrace/state`)
   * that last no longer than the run; checkpoints hold all of it as ever, and a job may change from one to the other. A state value
   * that is changed in place must be set again. Of keys with timers only the key and the timers stay in memory.
   */
  readonly state?:
    | 'memory'
    | { readonly kind: 'disk'; readonly folder?: string; readonly hotKeysMax?: number };
  /** No generated code. Default false. */
  readonly interpreted?: boolean;
}

export type RestartSettings =
  | {
      readonly first?: Duration;
      readonly max?: Duration;
      readonly resetAfter?: Duration;
      readonly attempts?: number;
    }
  | { readonly strategy: 'fixed'; readonly delay?: Duration; readonly attempts?: number }
  | {
      readonly strategy: 'failure-rate';
      readonly failures: number;
      readonly per: Duration;
      readonly delay?: Duration;
    }
  | 'none';

/** What the author's function is given to describe the job with. */
export interface JobBuilder<G extends Guarantee> {
  /** Starts a stream. `id` names the source's positions and must not change. */
  readonly source: <T>(id: string, source: Source<T>, settings?: SourceSettings) => DataStream<T, G>;
}

/** A job, ready to run: a value, the default export of its module. */
export interface JobDefinition {
  readonly name: string;
  /** The plan; `changes` override the settings, e.g. parallelism. */
  readonly graph: (changes?: Partial<JobOptions>) => JobGraph;
}

/**
 * Defines a job. The function is called once, at once, and only describes: nothing runs before the job is started.
 * @throws MR_GRAPH_INVALID, MR_CONFIG_INVALID with every fault it finds
 * @example
 * export default defineJob('hot-devices', { guarantee: 'exactly-once' }, (job) => {
 *   job.source('readings', partitionLog('telemetry', Reading), { outOfOrderness: '2s' })
 *     .filter((reading) => reading.temperature > 80)
 *     .to('hot', partitionLog('hot-readings', Reading));
 * });
 */
export function defineJob<const G extends Guarantee>(
  name: string,
  settings: JobSettings<G>,
  describe: (job: JobBuilder<G>) => void,
): JobDefinition {
  const builder = new GraphBuilder(dataStream);
  describe({
    source: (id, source, sourceSettings = {}) => builder.source(id, source, sourceSettings) as never,
  });
  const options = jobOptions(settings);
  const graph: JobGraph = { name, options, nodes: builder.nodes };
  validateGraph(graph);
  return { name, graph: (changes = {}) => ({ ...graph, options: { ...options, ...changes } }) };
}

function jobOptions(settings: JobSettings<Guarantee>): JobOptions {
  const parallelism = settings.parallelism ?? 1;
  const checkpointTimeoutMs = durationMs(settings.checkpointTimeout ?? '10m', 'checkpointTimeout');
  return {
    guarantee: settings.guarantee,
    parallelism,
    maxParallelism: settings.maxParallelism ?? defaultMaxParallelism(parallelism),
    checkpointIntervalMs: durationMs(settings.checkpointInterval ?? '5s', 'checkpointInterval'),
    checkpointsRetained: settings.checkpointsRetained ?? 3,
    checkpointTimeoutMs,
    checkpointMinPauseMs: durationMs(settings.checkpointMinPause ?? 0, 'checkpointMinPause'),
    checkpointFailuresTolerable: settings.checkpointFailuresTolerable ?? 0,
    alignmentTimeoutMs: durationMs(settings.alignmentTimeout ?? checkpointTimeoutMs, 'alignmentTimeout'),
    poisonAfter: settings.poisonAfter ?? Number.POSITIVE_INFINITY,
    onError: settings.onError ?? 'fail',
    restart: restartOptions(settings.restart ?? {}),
    state: statePlacement(settings.state),
    interpreted: settings.interpreted ?? false,
  };
}

function restartOptions(restart: RestartSettings): JobOptions['restart'] {
  if (restart === 'none') return { strategy: 'none' };
  if (!('strategy' in restart)) {
    return {
      strategy: 'exponential',
      firstMs: durationMs(restart.first ?? '1s', 'restart.first'),
      maxMs: durationMs(restart.max ?? '1m', 'restart.max'),
      resetAfterMs: durationMs(restart.resetAfter ?? '10m', 'restart.resetAfter'),
      attemptsMax: restart.attempts ?? Number.POSITIVE_INFINITY,
    };
  }
  const delayMs = durationMs(restart.delay ?? '1s', 'restart.delay');
  if (restart.strategy === 'fixed')
    return { strategy: 'fixed', delayMs, attemptsMax: restart.attempts ?? Number.POSITIVE_INFINITY };
  const perMs = durationMs(restart.per, 'restart.per');
  return { strategy: 'failure-rate', failuresMax: restart.failures, perMs, delayMs };
}

function statePlacement(state: JobSettings<Guarantee>['state']): StatePlacement {
  if (state === undefined || state === 'memory') return { kind: 'memory' };
  const { folder = '.millrace/state', hotKeysMax = LIMITS.hotKeysDefault } = state;
  return { kind: 'disk', folder, hotKeysMax };
}
