import Type from 'typebox';

/** Wire form of {@link import('../../engine/coordinator/job-status.ts').JobStatus}; times are epoch ms. */
const count = Type.Number({ minimum: 0 });
const nullable = (schema: Type.TSchema) => Type.Union([schema, Type.Null()]);
const closed = { additionalProperties: false };

const times = { busyMs: count, idleMs: count, backpressuredMs: count, runningMs: count };

const Failure = Type.Object(
  {
    at: Type.Number(),
    code: Type.String(),
    message: Type.String(),
    operator: nullable(Type.String()),
    subtask: nullable(count),
    topic: nullable(Type.String()),
    partition: nullable(count),
    offset: nullable(count),
    generation: count,
  },
  closed,
);

const Operator = Type.Object(
  {
    id: Type.String(),
    kind: Type.String(),
    vertex: Type.String(),
    parallelism: count,
    recordsIn: count,
    recordsOut: count,
    lateRecords: count,
    deadLetters: count,
    watermark: nullable(Type.Number()),
    inputWatermarks: Type.Array(nullable(Type.Number())),
    waiting: nullable(Type.Object({ what: Type.String(), until: nullable(Type.Number()), count }, closed)),
    stateKeys: count,
    timers: count,
    ...times,
  },
  closed,
);

const Subtask = Type.Object(
  {
    id: Type.String(),
    subtask: count,
    host: count,
    ...times,
  },
  closed,
);

export const Rescale = Type.Object(
  {
    at: Type.Number(),
    from: count,
    to: count,
    outcome: Type.String(),
    checkpointMs: count,
    downtimeMs: count,
    failure: nullable(Type.String()),
  },
  closed,
);

const Source = Type.Object(
  {
    operator: Type.String(),
    topic: Type.String(),
    partition: count,
    offset: count,
    lagRecords: nullable(count),
    lagMs: nullable(Type.Number()),
    watermark: nullable(Type.Number()),
    idle: Type.Boolean(),
    paused: Type.Boolean(),
    recordsRead: count,
    bytesRead: count,
  },
  closed,
);

const Sink = Type.Object(
  {
    operator: Type.String(),
    kind: Type.String(),
    target: Type.String(),
    guarantee: Type.String(),
    stats: Type.Record(Type.String(), Type.Number()),
  },
  closed,
);

const Checkpoint = Type.Object(
  {
    id: count,
    kind: Type.String(),
    outcome: Type.String(),
    triggeredAt: Type.Number(),
    durationMs: count,
    stateBytes: count,
    writtenBytes: count,
    alignmentMs: count,
    syncMs: count,
    failure: nullable(Type.String()),
  },
  closed,
);

export const Checkpoints = Type.Object(
  {
    completed: count,
    failed: count,
    inProgress: nullable(count),
    restoredFrom: nullable(count),
    history: Type.Array(Checkpoint),
  },
  closed,
);

const JobSummary = Type.Object(
  {
    name: Type.String(),
    state: Type.String(),
    generation: count,
    startedAt: Type.Number(),
    stateSince: Type.Number(),
    restarts: count,
  },
  closed,
);

export const Job = Type.Object(
  {
    ...JobSummary.properties,
    checkpointIntervalMs: count,
    parallelism: count,
    maxParallelism: count,
    failures: Type.Array(Failure),
    operators: Type.Array(Operator),
    edges: Type.Array(Type.Object({ from: Type.String(), to: Type.String(), kind: Type.String() }, closed)),
    subtasks: Type.Array(Subtask),
    sources: Type.Array(Source),
    sinks: Type.Array(Sink),
    checkpoints: Checkpoints,
    rescales: Type.Array(Rescale),
  },
  closed,
);

export const Rescales = Type.Object({ rescales: Type.Array(Rescale) }, closed);

export const Exceptions = Type.Object({ restarts: count, failures: Type.Array(Failure) }, closed);

const share = Type.Number({ minimum: 0, maximum: 1 });
const load = {
  shares: nullable(Type.Object({ busy: share, idle: share, backpressured: share, running: share }, closed)),
  level: nullable(Type.String()),
};

/** Wire form of {@link import('./backpressure-report.ts').BackpressureReport}. */
export const Backpressure = Type.Object(
  {
    at: Type.Number(),
    overMs: nullable(count),
    level: nullable(Type.String()),
    operators: Type.Array(
      Type.Object(
        {
          id: Type.String(),
          vertex: Type.String(),
          ...load,
          subtasks: Type.Array(Type.Object({ subtask: count, host: count, ...load }, closed)),
        },
        closed,
      ),
    ),
    sources: Type.Array(
      Type.Object(
        {
          operator: Type.String(),
          topic: Type.String(),
          partition: count,
          lagRecords: nullable(count),
          lagMs: nullable(Type.Number()),
        },
        closed,
      ),
    ),
    forwarders: nullable(
      Type.Array(
        Type.Object(
          {
            topic: Type.String(),
            producer: Type.String(),
            at: Type.Number(),
            since: Type.Number(),
            partitions: Type.Array(count),
            pendingRecords: count,
            pendingBytes: count,
            oldestMs: nullable(count),
            inputHeld: Type.Boolean(),
          },
          closed,
        ),
      ),
    ),
  },
  closed,
);

export const JobList = Type.Object({ jobs: Type.Array(JobSummary) }, closed);

/** Wire form of {@link import('../../engine/coordinator/output-report.ts').OutputReport}. */
export const Report = Type.Object(
  {
    job: Type.String(),
    at: Type.Number(),
    findings: Type.Array(
      Type.Object(
        { holder: Type.String(), id: Type.String(), until: nullable(Type.Number()), text: Type.String() },
        closed,
      ),
    ),
  },
  closed,
);
