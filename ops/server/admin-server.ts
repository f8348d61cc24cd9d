import { join } from 'node:path';
import rateLimit from '@fastify/rate-limit';
import fastifyStatic from '@fastify/static';
import websocket from '@fastify/websocket';
import fastify, {
  type FastifyError,
  type FastifyReply,
  type FastifyRequest,
  type RouteOptions,
} from 'fastify';
import { type Clock, systemClock } from '../../engine/base/clock.ts';
import type { MillraceError } from '../../engine/base/errors.ts';
import type { JobHandle } from '../../engine/coordinator/job-status.ts';
import type { ReadHeldForwarders } from '../held-forwarders.ts';
import type { ReadLake } from '../lake-state.ts';
import type { SeriesReader } from '../series-reader.ts';
import { LoadReadings } from '../telemetry/load-readings.ts';
import { guardHost } from './host-guard.ts';
import { addJobRoutes, type TypedServer } from './job-routes.ts';
import { LiveFeed } from './live-feed.ts';
import { LIVE, LiveSocket } from './live-socket.ts';
import { addProbeRoutes } from './probe-routes.ts';
import { notFound, sendProblem } from './problem.ts';
import { addSeriesRoutes } from './series-routes.ts';
import type { TypeBoxProvider } from './typebox-provider.ts';

export interface AdminServerOptions {
  readonly jobs: () => readonly JobHandle[];
  readonly series?: () => SeriesReader | null;
  /** Size of the table that the jobs write; without it the live page shows none. */
  readonly lake?: ReadLake;
  /** Forwarders that full partitions keep waiting; without it they are not known. */
  readonly forwarders?: ReadHeldForwarders;
  /** Text of `/metrics`; without it the route answers 404. */
  readonly metricsText?: () => Promise<string>;
  readonly clock?: Clock;
  readonly limits?: Partial<typeof ADMIN_LIMITS>;
}

export interface AdminServer {
  readonly server: TypedServer;
  /** Every route with its schemas: the inventory that tests walk. */
  readonly routes: readonly RouteOptions[];
}

export const ADMIN_LIMITS = {
  requestsPerMinute: 1_200,
  /** Commands that change a job. */
  mutationsPerMinute: 60,
  bodyBytesMax: 16 * 1024,
  requestMsMax: 30_000,
};

/** Only our own files, no inline code, nothing from elsewhere, no framing. */
const PAGE_HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
} as const;

/**
 * The admin API, the metrics and the live page on one Fastify server. It has no log-in and must listen on loopback only
 * ({@link listenOnLoopback}); {@link guardHost} keeps web pages out.
 * Input is checked strictly: nothing is coerced, unknown fields are refused.
 */
export async function createAdminServer(options: AdminServerOptions): Promise<AdminServer> {
  const { jobs, series = () => null, lake = noLake, clock = systemClock, metricsText } = options;
  const limits = { ...ADMIN_LIMITS, ...options.limits };
  const server: TypedServer = fastify({
    bodyLimit: limits.bodyBytesMax,
    requestTimeout: limits.requestMsMax,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 256 },
    frameworkErrors: refuseUrl,
    ajv: {
      customOptions: { removeAdditional: false, coerceTypes: false, useDefaults: false, allErrors: false },
    },
    logger: { level: 'error' },
  }).withTypeProvider<TypeBoxProvider>();

  const routes: RouteOptions[] = [];
  server.addHook('onRoute', (route) => {
    routes.push(route);
  });
  server.setErrorHandler((error: FastifyError | MillraceError, request, reply) =>
    sendProblem(error, request, reply),
  );
  server.setNotFoundHandler((request) => {
    throw notFound(`There is nothing at ${request.method} ${request.url.slice(0, 256)}.`);
  });
  const live = new LiveSocket(new LiveFeed({ jobs, series, lake, clock }), clock);
  // Before the websocket plugin, which closes clients without a reason.
  server.addHook('preClose', async () => live.stop());
  // Before the guard: its hooks end the socket of an upgrade that the guard refuses, else `close` would wait for it.
  await server.register(websocket, {
    options: { maxPayload: LIVE.messageBytesMax, perMessageDeflate: false },
  });
  server.addHook('onRequest', async (request, reply) => {
    void reply.headers(PAGE_HEADERS);
    guardHost(request);
  });
  await server.register(rateLimit, { max: limits.requestsPerMinute, timeWindow: 60_000 });
  await server.register(fastifyStatic, { root: join(import.meta.dirname, '..', 'ui'), index: 'index.html' });

  const readings = new LoadReadings(jobs, clock);
  server.addHook('onReady', async () => readings.start());
  server.addHook('onClose', async () => readings.stop());
  const mutation = { config: { rateLimit: { max: limits.mutationsPerMinute, timeWindow: 60_000 } } };
  addJobRoutes(server, jobs, mutation, { readings, forwarders: options.forwarders ?? null, clock });
  addSeriesRoutes(server, series);
  addProbeRoutes(server, jobs, clock);
  if (metricsText !== undefined) addMetricsRoute(server, metricsText);
  addLiveRoute(server, live);
  return { server, routes };
}

/** A URL that cannot be decoded is refused before routing, so no hook has run yet. */
function refuseUrl(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  void reply.headers(PAGE_HEADERS);
  sendProblem(error, request, reply);
}

async function noLake(): Promise<null> {
  return null;
}

function addLiveRoute(server: TypedServer, live: LiveSocket): void {
  server.get('/api/v1/live', { websocket: true }, (socket) => live.add(socket));
  server.addHook('onReady', async () => live.start());
}

function addMetricsRoute(server: TypedServer, metricsText: () => Promise<string>): void {
  server.get('/metrics', { config: { rateLimit: false } }, async (_request, reply) =>
    reply.type('text/plain; version=0.0.4; charset=utf-8').send(await metricsText()),
  );
}
