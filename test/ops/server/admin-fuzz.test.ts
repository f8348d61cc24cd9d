import fc from 'fast-check';
import type { RouteOptions } from 'fastify';
import t from 'tap';
import type { TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { createAdminServer } from '../../../ops/server/admin-server.ts';
import { heldForwarder } from '../support/held-forwarder.ts';
import { scriptedJob } from '../support/scripted-job.ts';
import { scriptedSeries } from '../support/series.ts';

const REQUESTS = 1_500;

interface HostileRequest {
  readonly route: RouteOptions;
  readonly name: string;
  readonly query: Record<string, string>;
  readonly body: string | undefined;
  readonly contentType: string;
}

type Answers = Readonly<Record<string, TSchema>>;

const text = fc.oneof(
  fc.constantFrom(
    'device-telemetry',
    'device_10s',
    'acme/pump-1',
    '',
    '..',
    '%',
    '%00',
    '\u0000',
    '__proto__',
    'a'.repeat(300),
  ),
  fc.string({ unit: 'binary', maxLength: 40 }),
);
const body = fc.oneof(
  fc.constant(undefined),
  fc
    .record({ ms: fc.oneof(fc.integer(), fc.double(), text) }, { requiredKeys: [] })
    .map((o) => JSON.stringify(o)),
  fc
    .record(
      { savepoint: fc.oneof(fc.boolean(), fc.integer()), drain: fc.oneof(fc.boolean(), text) },
      { requiredKeys: [] },
    )
    .map((o) => JSON.stringify(o)),
  fc
    .record({ parallelism: fc.oneof(fc.integer(), fc.nat(200), fc.double(), text) }, { requiredKeys: [] })
    .map((o) => JSON.stringify(o)),
  fc.json(),
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.constant(`{"__proto__":{"savepoint":true}}`),
  fc.constant('['.repeat(5_000)),
);
const contentType = fc.constantFrom(
  'application/json',
  'application/json',
  'text/plain',
  'application/octet-stream',
  ';',
  '',
);
const query = fc.dictionary(fc.constantFrom('key', 'from', 'to', 'x'), fc.oneof(text, fc.nat().map(String)), {
  maxKeys: 4,
});

await t.test(
  `${REQUESTS} hostile requests: no fault inside, every answer as its schema says (O1)`,
  async (t) => {
    let job = scriptedJob();
    const { server, routes } = await createAdminServer({
      jobs: () => [job],
      series: () => scriptedSeries(() => 1_760_000_000_000),
      forwarders: async ([topic = '']) => [heldForwarder(topic)],
      metricsText: () => Promise.resolve('# none\n'),
      limits: { requestsPerMinute: 1e9, mutationsPerMinute: 1e9 },
    });
    t.teardown(() => server.close());
    await server.ready();
    const targets = routes.filter(
      (route) => route.method !== 'HEAD' && !route.url.includes('*') && route.url !== '/api/v1/live',
    );
    t.ok(targets.length >= 14, `${targets.length} routes`);

    const seen = new Map<string, number>();
    const request: fc.Arbitrary<HostileRequest> = fc.record({
      route: fc.constantFrom(...targets),
      name: text,
      query,
      body,
      contentType,
    });
    await fc.assert(
      fc.asyncProperty(request, async ({ route, name, query, body, contentType }) => {
        job = scriptedJob();
        const url = withQuery(route.url.replace(':name', encode(name)), query);
        const method = route.method as 'GET' | 'POST' | 'PATCH';
        const headers = {
          host: 'localhost:8090',
          ...(body === undefined || method === 'GET' ? {} : { 'content-type': contentType }),
        };
        const answer = await server.inject({
          method,
          url,
          headers,
          ...(body === undefined || method === 'GET' ? {} : { payload: body }),
        });
        seen.set(
          `${route.url} ${answer.statusCode}`,
          (seen.get(`${route.url} ${answer.statusCode}`) ?? 0) + 1,
        );
        if (answer.statusCode >= 500) throw new Error(`${method} ${url} failed: ${answer.body}`);
        const schema = schemaFor(route, answer.statusCode);
        if (schema !== null && !Value.Check(schema, answer.json()))
          throw new Error(`${method} ${url}: ${answer.body}`);
      }),
      { numRuns: REQUESTS, examples: targets.map((route): [HostileRequest] => [wellFormed(route)]) },
    );
    for (const route of targets) {
      t.ok(
        [...seen.keys()].some((key) => key === `${route.url} 200` || key === `${route.url} 201`),
        `${route.url} also succeeded`,
      );
    }
  },
);

/** One request per route that must succeed, among those that need not. */
function wellFormed(route: RouteOptions): HostileRequest {
  const series = route.url.includes('/series/');
  const [, command = ''] = /([^/]+)$/.exec(route.url) ?? [];
  const body = { 'checkpoint-interval': '{"ms":2500}', rescale: '{"parallelism":4}' }[command] ?? '{}';
  return {
    route,
    name: series ? 'device_10s' : 'device-telemetry',
    query: series ? { key: 'acme/pump-1' } : {},
    body,
    contentType: 'application/json',
  };
}

function schemaFor(route: RouteOptions, status: number): TSchema | null {
  const answers = (route.schema?.response ?? {}) as Answers;
  return answers[String(status)] ?? answers[`${Math.floor(status / 100)}xx`] ?? null;
}

function withQuery(path: string, query: Record<string, string>): string {
  const text = Object.entries(query).map(([name, value]) => `${name}=${encode(value)}`);
  return text.length === 0 ? path : `${path}?${text.join('&')}`;
}

/** A lone percent sign stays as it is: a path that cannot be decoded. */
function encode(value: string): string {
  if (value === '%') return value;
  return encodeURIComponent(value.toWellFormed());
}
