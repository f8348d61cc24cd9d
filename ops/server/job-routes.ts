import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify';
import Type from 'typebox';
import { MillraceError } from '../../engine/base/errors.ts';
import { LIMITS } from '../../engine/base/limits.ts';
import { systemClock } from '../../engine/base/clock.ts';
import type { JobHandle, JobState } from '../../engine/coordinator/job-status.ts';
import { type ReportParts, reportBackpressure } from './backpressure-report.ts';
import {
  Backpressure,
  Checkpoints,
  Exceptions,
  Job,
  JobList,
  Report,
  Rescale,
  Rescales,
} from './job-schema.ts';
import { explainOutput } from '../../engine/coordinator/output-report.ts';
import { notFound, Problem } from './problem.ts';
import type { TypeBoxProvider } from './typebox-provider.ts';

/** A Fastify instance whose handlers are typed by TypeBox schemas. */
export type TypedServer = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxProvider
>;

const closed = { additionalProperties: false };
const JobName = Type.Object({ name: Type.String({ minLength: 1, maxLength: LIMITS.nameLengthMax }) }, closed);
const NoFields = Type.Object({}, closed);
const StopOptions = Type.Object(
  { savepoint: Type.Optional(Type.Boolean()), drain: Type.Optional(Type.Boolean()) },
  closed,
);
/** Of any job; one that has fewer key groups refuses by itself. */
const PARALLELISM_MAX = 32_768;
const Parallelism = Type.Object(
  { parallelism: Type.Integer({ minimum: 1, maximum: PARALLELISM_MAX }) },
  closed,
);
const Interval = Type.Object({ ms: Type.Integer({ minimum: 100, maximum: 86_400_000 }) }, closed);
const State = Type.Object({ name: Type.String(), state: Type.String() }, closed);
const Stopped = Type.Object(
  { ...State.properties, checkpoint: Type.Union([Type.Integer(), Type.Null()]) },
  closed,
);
const Savepoint = Type.Object({ id: Type.Integer() }, closed);

/** Answers that every route may give. */
export const PROBLEMS = { '4xx': Problem, '5xx': Problem } as const;

const FINAL: readonly JobState[] = ['finished', 'stopped', 'cancelled', 'failed'];
const ENDING: readonly JobState[] = [...FINAL, 'stopping', 'cancelling'];
const NOT_RUNNING: readonly JobState[] = [...ENDING, 'created', 'starting', 'restoring', 'restarting'];

/** Looks at jobs and steers them. Commands answer when they are done, not when they are accepted. */
export function addJobRoutes(
  server: TypedServer,
  jobs: () => readonly JobHandle[],
  mutation: Mutation,
  parts: ReportParts,
): void {
  const find = (name: string): JobHandle => {
    const job = jobs().find((candidate) => candidate.name === name);
    if (job !== undefined) return job;
    throw notFound(`There is no job "${name}" in this process. GET /api/v1/jobs lists those there are.`);
  };
  addReadingRoutes(server, jobs, find, parts);
  addEndingRoutes(server, find, mutation);
  addChangingRoutes(server, find, mutation);
}

type FindJob = (name: string) => JobHandle;

/** Options of every route that changes a job. */
interface Mutation {
  readonly config: object;
}

/** What changes a job that goes on. */
function addChangingRoutes(server: TypedServer, find: FindJob, mutation: Mutation): void {
  server.post(
    '/api/v1/jobs/:name/savepoints',
    {
      ...mutation,
      ...emptyBody,
      schema: { params: JobName, body: NoFields, response: { 201: Savepoint, ...PROBLEMS } },
    },
    async (request, reply) => {
      const job = find(request.params.name);
      refuse(job, 'take a savepoint of', ENDING);
      const id = await job.savepoint();
      return reply.code(201).send({ id });
    },
  );

  server.patch(
    '/api/v1/jobs/:name/checkpoint-interval',
    { ...mutation, schema: { params: JobName, body: Interval, response: { 200: Interval, ...PROBLEMS } } },
    async (request) => {
      const job = find(request.params.name);
      refuse(job, 'change', ENDING);
      job.setCheckpointInterval(request.body.ms);
      return { ms: job.status().checkpointIntervalMs };
    },
  );

  server.post(
    '/api/v1/jobs/:name/rescale',
    { ...mutation, schema: { params: JobName, body: Parallelism, response: { 200: Rescale, ...PROBLEMS } } },
    async (request) => {
      const job = find(request.params.name);
      refuse(job, 'rescale', NOT_RUNNING);
      return job.rescale(request.body.parallelism);
    },
  );
}

function addReadingRoutes(
  server: TypedServer,
  jobs: () => readonly JobHandle[],
  find: FindJob,
  parts: ReportParts,
): void {
  server.get('/api/v1/jobs', { schema: { response: { 200: JobList, ...PROBLEMS } } }, async () => ({
    jobs: jobs().map((job) => job.status()),
  }));
  server.get(
    '/api/v1/jobs/:name',
    { schema: { params: JobName, response: { 200: Job, ...PROBLEMS } } },
    async (request) => find(request.params.name).status(),
  );
  server.get(
    '/api/v1/jobs/:name/checkpoints',
    { schema: { params: JobName, response: { 200: Checkpoints, ...PROBLEMS } } },
    async (request) => find(request.params.name).status().checkpoints,
  );
  server.get(
    '/api/v1/jobs/:name/rescales',
    { schema: { params: JobName, response: { 200: Rescales, ...PROBLEMS } } },
    async (request) => ({ rescales: find(request.params.name).status().rescales }),
  );
  server.get(
    '/api/v1/jobs/:name/exceptions',
    { schema: { params: JobName, response: { 200: Exceptions, ...PROBLEMS } } },
    async (request) => {
      const { restarts, failures } = find(request.params.name).status();
      return { restarts, failures };
    },
  );
  server.get(
    '/api/v1/jobs/:name/backpressure',
    { schema: { params: JobName, response: { 200: Backpressure, ...PROBLEMS } } },
    async (request) => reportBackpressure(find(request.params.name), parts),
  );
  server.get(
    '/api/v1/jobs/:name/why-no-output',
    { schema: { params: JobName, response: { 200: Report, ...PROBLEMS } } },
    async (request) => explainOutput(find(request.params.name).status(), systemClock.now()),
  );
}

function addEndingRoutes(server: TypedServer, find: FindJob, mutation: Mutation): void {
  server.post(
    '/api/v1/jobs/:name/cancel',
    {
      ...mutation,
      ...emptyBody,
      schema: { params: JobName, body: NoFields, response: { 200: State, ...PROBLEMS } },
    },
    async (request) => {
      const job = find(request.params.name);
      refuse(
        job,
        'cancel',
        FINAL.filter((state) => state !== 'cancelled'),
      );
      await job.cancel();
      return { name: job.name, state: job.status().state };
    },
  );
  server.post(
    '/api/v1/jobs/:name/stop',
    {
      ...mutation,
      ...emptyBody,
      schema: { params: JobName, body: StopOptions, response: { 200: Stopped, ...PROBLEMS } },
    },
    async (request) => {
      const job = find(request.params.name);
      refuse(job, 'stop', ENDING);
      const { savepoint = false, drain = false } = request.body;
      const checkpoint = await job.stop({ savepoint, drain });
      return { name: job.name, state: job.status().state, checkpoint };
    },
  );
}

/** A command without a body means the same as one with `{}`. */
const emptyBody = {
  preValidation: async (request: { body: unknown }): Promise<void> => {
    request.body ??= {};
  },
};

function refuse(job: JobHandle, what: string, states: readonly JobState[]): void {
  const { state } = job.status();
  if (!states.includes(state)) return;
  throw new MillraceError('MR_API_CONFLICT', `Cannot ${what} job "${job.name}": it is ${state}.`);
}
