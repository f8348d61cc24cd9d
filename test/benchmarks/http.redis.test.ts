import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { load } from '../../benchmarks/http/autocannon.ts';
import { httpTable, runHttp } from '../../benchmarks/http/run.ts';

void t.test('the admin API answers', async (test) => {
  const lines: string[] = [];
  const outcomes = await runHttp({ seconds: 1, runs: 1, print: (line) => lines.push(line) });
  test.equal(outcomes.length, 3);
  for (const { path, cpuMs, requests } of outcomes) test.ok(cpuMs > 0 && requests > 0, path);
  test.match(lines.join('\n'), '\n| /api/v1/jobs | ');
});

void t.test('CPU is per request', async (test) => {
  const run = { path: '/p', requests: 1_000, seconds: 2, p50Ms: 1, p99Ms: 3, cpuMs: 500 };
  test.equal(httpTable([run]).at(-1), '| /p | 500 | 1 | 3 | 500 |');
});

void t.test('an answer that is not 2xx ends a run', async (test) => {
  const server = createServer((_request, response) => response.writeHead(429).end());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await test.rejects(load(`http://127.0.0.1:${port}/`, 1), { message: /something else/ });
  server.close();
});
