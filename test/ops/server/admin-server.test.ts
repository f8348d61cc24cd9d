import type { InjectOptions } from 'fastify';
import t, { type Test } from 'tap';
import { MillraceError } from '../../../engine/base/errors.ts';
import type { JobHandle } from '../../../engine/coordinator/job-status.ts';
import { type AdminServerOptions, createAdminServer } from '../../../ops/server/admin-server.ts';
import { listenOnLoopback } from '../../../ops/server/listen.ts';
import type { HeldForwarder } from '../../../ops/held-forwarders.ts';
import { heldForwarder } from '../support/held-forwarder.ts';
import { manualClock } from '../support/manual-clock.ts';
import { scriptedJob } from '../support/scripted-job.ts';
import { scriptedSeries } from '../support/series.ts';

async function api(t: Test, jobs: readonly JobHandle[], options: Partial<AdminServerOptions> = {}) {
  const { server } = await createAdminServer({ jobs: () => jobs, ...options });
  t.teardown(() => server.close());
  return async (
    method: 'GET' | 'POST' | 'PATCH',
    url: string,
    more: Omit<InjectOptions, 'method' | 'url'> = {},
  ) => {
    const answer = await server.inject({
      method,
      url,
      ...more,
      headers: { host: '127.0.0.1:8090', ...more.headers },
    });
    const json = answer.headers['content-type']?.toString().includes('json') ? answer.json() : null;
    return { status: answer.statusCode, json, headers: answer.headers, text: answer.body };
  };
}

const rounded = (shares: Record<string, number>) =>
  Object.fromEntries(Object.entries(shares).map(([name, value]) => [name, Math.round(value * 1e6) / 1e6]));

await t.test('lists jobs and shows one in full, with its checkpoints (O1)', async (t) => {
  const job = scriptedJob();
  job.completeCheckpoint(12);
  const call = await api(t, [job]);
  t.match((await call('GET', '/api/v1/jobs')).json, {
    jobs: [{ name: 'device-telemetry', state: 'running' }],
  });
  const { json } = await call('GET', '/api/v1/jobs/device-telemetry');
  const { startedAt, failures, checkpoints, maxParallelism } = job.status();
  t.match(json, { startedAt, failures, checkpoints, maxParallelism });
  t.equal(json.operators.length, 5);
  t.match((await call('GET', '/api/v1/jobs/device-telemetry/checkpoints')).json, {
    completed: 1,
    history: [{ id: 1 }],
  });
});

await t.test('carries commands to the job and answers when they are done (O1)', async (t) => {
  const job = scriptedJob();
  const call = await api(t, [job]);
  const url = '/api/v1/jobs/device-telemetry';
  t.match(await call('POST', `${url}/savepoints`), { status: 201, json: { id: 1 } });
  t.match(await call('PATCH', `${url}/checkpoint-interval`, { payload: { ms: 2_500 } }), {
    status: 200,
    json: { ms: 2_500 },
  });
  t.match(await call('POST', `${url}/stop`, { payload: { savepoint: true } }), {
    status: 200,
    json: { state: 'stopped', checkpoint: 2 },
  });
  t.strictSame(job.calls, ['savepoint', 'interval 2500', 'stop with savepoint']);
});

await t.test('a job is rescaled, and drained before it stops (O1, E10)', async (t) => {
  const job = scriptedJob();
  const call = await api(t, [job]);
  const url = '/api/v1/jobs/device-telemetry';
  const entry = { from: 2, to: 4, outcome: 'completed', checkpointMs: 120, downtimeMs: 1_900, failure: null };
  t.match(await call('POST', `${url}/rescale`, { payload: { parallelism: 4 } }), {
    status: 200,
    json: entry,
  });
  t.match((await call('GET', `${url}/rescales`)).json, { rescales: [entry] });
  for (const payload of [
    {},
    { parallelism: 0 },
    { parallelism: 1.5 },
    { parallelism: '4' },
    { parallelism: 1e6 },
  ])
    t.match(
      await call('POST', `${url}/rescale`, { payload }),
      { status: 400, json: { code: 'MR_API_INVALID' } },
      JSON.stringify(payload),
    );
  const tooMany = await call('POST', `${url}/rescale`, { payload: { parallelism: 129 } });
  t.match(tooMany, { status: 400, json: { code: 'MR_GRAPH_INVALID' } }, 'more than it has key groups');
  t.equal((await call('POST', `${url}/stop`, { payload: { drain: true } })).status, 200);
  const late = await call('POST', `${url}/rescale`, { payload: { parallelism: 4 } });
  t.match(late, { status: 409, json: { code: 'MR_API_CONFLICT', detail: /it is stopped/ } });
  t.strictSame(job.calls, ['rescale 4', 'stop drained']);
});

await t.test('a second rescale meets the one under way (O1)', async (t) => {
  const under = new MillraceError('MR_API_CONFLICT', "Job 'j' is being rescaled already.");
  const call = await api(t, [{ ...scriptedJob('j'), rescale: () => Promise.reject(under) }]);
  const answer = await call('POST', '/api/v1/jobs/j/rescale', { payload: { parallelism: 4 } });
  t.match(answer, { status: 409, json: { code: 'MR_API_CONFLICT', detail: /already/ } });
});

await t.test('checkpoints and exceptions are told with all of their figures (O1)', async (t) => {
  const job = scriptedJob();
  job.completeCheckpoint(12);
  job.fail({
    code: 'MR_OPERATOR_FAILED',
    message: 'boom',
    operator: 'valid',
    topic: 'in',
    partition: 3,
    offset: 7,
  });
  const call = await api(t, [job]);
  const url = '/api/v1/jobs/device-telemetry';
  t.match((await call('GET', `${url}/checkpoints`)).json, {
    history: [{ id: 1, writtenBytes: 4_096, alignmentMs: 3, syncMs: 2 }],
  });
  t.match((await call('GET', `${url}/exceptions`)).json, {
    restarts: 1,
    failures: [{ operator: 'valid', subtask: null, topic: 'in', partition: 3, offset: 7, generation: 1 }],
  });
});

await t.test('backpressure is that of the last interval, not of the whole run (E11, O1)', async (t) => {
  const clock = manualClock();
  const job = scriptedJob('j', clock);
  const held: HeldForwarder[] = [heldForwarder('telemetry')];
  const call = await api(t, [job], { clock, forwarders: async () => held });
  const report = async () => (await call('GET', '/api/v1/jobs/j/backpressure')).json;
  t.match(await report(), {
    overMs: null,
    level: null,
    operators: [{ id: 'readings', shares: null, level: null }],
  });
  clock.advance(60_000);
  const calm = await report();
  t.equal(calm.overMs, 5_000);
  t.match(calm, { level: 'ok', operators: { length: 5 }, forwarders: held });
  const { shares, level, subtasks } = calm.operators.find(({ id }: { id: string }) => id === 'per-device');
  t.same(rounded(shares), { busy: 0.62, idle: 0.34, backpressured: 0.04, running: 0.31 });
  t.match(
    { level, subtasks },
    {
      level: 'ok',
      subtasks: [
        { subtask: 0, host: 0 },
        { subtask: 1, host: 1 },
      ],
    },
  );
  t.match(calm.sources, [
    { topic: 'telemetry', partition: 0 },
    { partition: 1, lagRecords: 120, lagMs: 300 },
  ]);
});

await t.test('a forwarder registry that does not answer leaves the rest of the report', async (t) => {
  const gone = () => Promise.reject(new Error('no connection'));
  const call = await api(t, [scriptedJob('j')], { forwarders: gone });
  t.match((await call('GET', '/api/v1/jobs/j/backpressure')).json, {
    forwarders: null,
    sources: { length: 2 },
  });
  const without = await api(t, [scriptedJob('j')]);
  t.match((await without('GET', '/api/v1/jobs/j/backpressure')).json, { forwarders: null });
});

await t.test(
  'a command that the state does not allow is a conflict and does not reach the job',
  async (t) => {
    const job = scriptedJob();
    const call = await api(t, [job]);
    const url = '/api/v1/jobs/device-telemetry';
    t.match(await call('POST', `${url}/cancel`), { status: 200, json: { state: 'cancelled' } });
    t.match(await call('POST', `${url}/cancel`), { status: 200 }, 'cancel is idempotent');
    for (const command of ['stop', 'savepoints']) {
      t.match(await call('POST', `${url}/${command}`), { status: 409, json: { code: 'MR_API_CONFLICT' } });
    }
    t.strictSame(job.calls, ['cancel', 'cancel']);
  },
);

await t.test('errors are problem details with a code of the catalogue', async (t) => {
  const broken: JobHandle = {
    ...scriptedJob('broken'),
    savepoint: () => Promise.reject(new MillraceError('MR_CHECKPOINT_TIMEOUT', 'Savepoint 4 timed out.')),
    stop: () => Promise.reject(new TypeError('secret of the inside')),
  };
  const call = await api(t, [broken]);
  const refused = await call('GET', '/api/v1/jobs/none');
  t.match(refused.headers, { 'content-type': /^application\/problem\+json/ });
  t.match(refused.json, { status: 404, code: 'MR_API_NOT_FOUND', instance: '/api/v1/jobs/none' });
  t.match((await call('GET', '/nowhere')).json, { status: 404, code: 'MR_API_NOT_FOUND' });
  t.match((await call('POST', '/api/v1/jobs/broken/savepoints')).json, {
    status: 503,
    code: 'MR_CHECKPOINT_TIMEOUT',
  });
  const inside = await call('POST', '/api/v1/jobs/broken/stop');
  t.match(inside.json, { status: 500, code: 'MR_INVARIANT' });
  t.notMatch(inside.text, 'secret');
});

await t.test('input is neither coerced nor cleaned: it is refused', async (t) => {
  const job = scriptedJob();
  const call = await api(t, [job]);
  const url = '/api/v1/jobs/device-telemetry';
  for (const payload of [{ ms: '2500' }, { ms: 99 }, { ms: 2_500, also: 1 }, {}, [], 7]) {
    const answer = await call('PATCH', `${url}/checkpoint-interval`, { payload: payload as object });
    t.match(answer, { status: 400, json: { code: 'MR_API_INVALID' } }, JSON.stringify(payload));
  }
  t.match((await call('POST', `${url}/stop`, { payload: { savepoint: 1 } })).status, 400);
  t.equal((await call('POST', `${url}/stop`, { payload: { x: 'y'.repeat(20_000) } })).status, 413);
  t.equal(
    (await call('POST', `${url}/stop`, { payload: '<a/>', headers: { 'content-type': 'text/xml' } })).status,
    415,
  );
  t.strictSame(job.calls, []);
});

await t.test('pages of other sites are kept out: foreign Host (rebinding) and foreign Origin', async (t) => {
  const job = scriptedJob();
  const call = await api(t, [job]);
  const url = '/api/v1/jobs/device-telemetry/cancel';
  const refused = { status: 403, json: { code: 'MR_API_FORBIDDEN' } };
  for (const host of [
    'evil.example',
    'localhost.evil.example:8090',
    '127.0.0.1.evil.example',
    '10.0.0.1:8090',
    ':8090',
  ]) {
    t.match(await call('POST', url, { headers: { host } }), refused, host);
  }
  for (const origin of ['http://evil.example', 'https://127.0.0.1:8090', 'http://127.0.0.1:9999', 'null']) {
    t.match(await call('POST', url, { headers: { origin } }), refused, origin);
  }
  t.strictSame(job.calls, []);
  t.equal((await call('GET', '/livez', { headers: { host: '10.0.0.1:8090' } })).status, 200);
  t.equal(
    (await call('POST', url, { headers: { host: '[::1]:8090', origin: 'http://[::1]:8090' } })).status,
    200,
  );
});

await t.test('commands are limited more tightly than reading; probes are not limited', async (t) => {
  const call = await api(t, [scriptedJob()], { limits: { requestsPerMinute: 5, mutationsPerMinute: 2 } });
  const savepoint = () => call('POST', '/api/v1/jobs/device-telemetry/savepoints');
  t.strictSame([(await savepoint()).status, (await savepoint()).status], [201, 201]);
  const limited = await savepoint();
  t.match(limited, { status: 429, json: { code: 'MR_API_LIMITED' } });
  t.ok(Number(limited.headers['retry-after']) > 0);
  for (let index = 0; index < 20; index++) t.equal((await call('GET', '/livez')).status, 200);
});

await t.test('readyz follows the jobs, livez does not', async (t) => {
  const job = scriptedJob();
  const call = await api(t, [job]);
  t.match(await call('GET', '/readyz'), { status: 200, json: { ready: true } });
  job.enter('restarting');
  t.match(await call('GET', '/readyz'), {
    status: 503,
    json: { ready: false, jobs: [{ state: 'restarting' }] },
  });
  t.match(await call('GET', '/livez'), { status: 200, json: { live: true } });
  t.equal(
    (await (await api(t, []))('GET', '/readyz')).status,
    503,
    'without a job there is nothing to be ready for',
  );
});

await t.test('series are read by key and range', async (t) => {
  const now = 1_760_000_000_000;
  const call = await api(t, [], { series: () => scriptedSeries(() => now) });
  const url = `/api/v1/series/device_10s?key=${encodeURIComponent('acme/pump-1')}`;
  const { json } = await call('GET', `${url}&from=${now - 60_000}&to=${now - 30_000}`);
  t.equal(json.points.length, 3);
  t.match(json.points[0], { start: now - 60_000, end: now - 50_000, values: { n: Number, temp: Number } });
  t.strictSame((await call('GET', '/api/v1/series/device_10s?key=nobody')).json.points, []);
  t.equal((await call('GET', `${url}&from=5&to=5`)).status, 400);
  t.equal((await call('GET', '/api/v1/series/device_10s')).status, 400);
  t.match(await call('GET', '/api/v1/series/other?key=a'), {
    status: 404,
    json: { detail: /Known here: device_10s/ },
  });
});

await t.test('the page comes with a strict policy and nothing outside its folder', async (t) => {
  const call = await api(t, []);
  const page = await call('GET', '/');
  t.equal(page.status, 200);
  t.match(page.headers['content-security-policy'], /^default-src 'none'; script-src 'self'/);
  for (const path of ['/../main.ts', '/..%2fmain.ts', '/%2e%2e/main.ts'])
    t.not((await call('GET', path)).status, 200, path);
});

await t.test('takes the next free port, unless one was asked for by name', async (t) => {
  const servers = await Promise.all([0, 1, 2].map(() => createAdminServer({ jobs: () => [] })));
  t.teardown(() => Promise.all(servers.map(({ server }) => server.close())));
  const [first, second, third] = servers.map(({ server }) => server);
  if (first === undefined || second === undefined || third === undefined) throw new Error('three servers');
  const port = await listenOnLoopback(first, 0, false);
  t.ok((await listenOnLoopback(second, port, false)) > port);
  await t.rejects(listenOnLoopback(third, port, true), {
    code: 'MR_OPS_START',
    message: /is in use.*PORT=9000/,
  });
});
