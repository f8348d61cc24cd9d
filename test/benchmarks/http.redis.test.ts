import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { load } from '../../benchmarks/http/autocannon.ts';
import { httpTable, runHttp } from '../../benchmarks/http/run.ts';

void t.test('every row that a request brought is in Redis, and the admin API answers', async (test) => {
  const lines: string[] = [];
  const workloads = ['ingest, 100 rows', 'GET /api/v1/jobs'];
  const print = (line: string) => lines.push(line);
  const [ingest, admin] = await runHttp({ seconds: 3, runs: 1, workloads, print });
  test.ok((ingest?.rows ?? 0) >= (ingest?.requests ?? 0) * 100);
  test.equal((ingest?.rows ?? 0) % 100, 0);
  test.equal(admin?.rows, null);
  test.ok((ingest?.cpuMs ?? 0) > 0 && (admin?.cpuMs ?? 0) > 0);
  test.match(lines.join('\n'), '\n| ingest, 100 rows | ');
});

void t.test('CPU is per million of what it was spent on', async (test) => {
  const run = { workload: 'w', requests: 1_000, seconds: 2, p50Ms: 1, p99Ms: 3, cpuMs: 500, redisCpuMs: 20 };
  test.equal(httpTable([{ ...run, rows: 10_000 }]).at(-1), '| w | 500 | 5000 | 1 | 3 | 500.0 | 50.0 | 2.0 |');
  test.equal(httpTable([{ ...run, rows: null }]).at(-1), '| w | 500 |  | 1 | 3 | 500.0 |  |  |');
});

void t.test('an answer that is not 2xx ends a run', async (test) => {
  const server = createServer((_request, response) => response.writeHead(429).end());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await test.rejects(load({ url: `http://127.0.0.1:${port}/` }, 1), { message: /something else/ });
  server.close();
});
