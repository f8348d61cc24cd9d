import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { until } from '../../support/job-bench.ts';
import { startRedis } from '../../support/redis-server.ts';
import { ATTACKS } from './hostile-job.ts';
import { openWorkers } from './worker-harness.ts';

t.setTimeout(90_000);
const server = await startRedis();
t.teardown(() => server.stop());
const fileOf = (name: string) => fileURLToPath(new URL(name, import.meta.url));

void t.test(
  "E10: a job's code that exits, throws outside of its operators, or fills the heap costs its thread, not the worker",
  async (test) => {
    const markers = await mkdtemp(join(tmpdir(), 'mr-hostile-'));
    test.teardown(() => rm(markers, { recursive: true, force: true }));
    const workers = await openWorkers(test, server.url, 'hostile', { MARKERS: markers });
    const worker = await workers.start('--job', fileOf('./hostile-job.ts'), '--slots', '2', '--heap', '64');
    for (const number of ATTACKS.keys()) {
      await workers.feed(number * 10, 500);
      await until(() => existsSync(join(markers, String(number))), `attack ${number}`, 20_000);
      await until(
        async () => ((await workers.status())?.failures?.length ?? 0) === number + 1,
        `failure ${number}`,
        20_000,
      );
      await workers.read((number + 1) * 500);
    }
    const failures = (await workers.status())?.failures ?? [];
    test.same(
      failures.map(({ code }) => code),
      ATTACKS.map(() => 'MR_HOST_LOST'),
    );
    const texts = failures.map(({ message }) => message).toReversed();
    for (const [i, text] of ['exit code 3', 'looks at this', 'catches this', 'memory'].entries())
      test.match(texts[i], text);
    test.match(await workers.living(), [{ pid: worker.pid }], 'the same worker, still registered');
    const stopped = await workers.cli('stop', 'counting', '--drain');
    test.equal(stopped.code, 0, stopped.error);
    test.equal(await workers.counted(), 2_000);
    worker.kill('SIGTERM');
    test.equal(await worker.ended, 0);
  },
);

void t.test(
  'TC1, TC2: a job whose module ends its coordinator again and again is stopped, and says why; others run',
  async (test) => {
    const workers = await openWorkers(test, server.url, 'crashing');
    const worker = await workers.start('--job', fileOf('./crashing-job.ts'), '--slots', '2');
    await until(async () => (await workers.status())?.state === 'failed', 'given up', 30_000);
    test.match(await workers.status(), { code: 'MR_HOST_LOST', message: /ended by itself: exit code 0/ });
    await until(async () => (await workers.jobs.desired('counting'))?.desired === 'stopped', 'stopped');
    test.match(await workers.cli('restart', 'counting'), {
      code: 1,
      error: /MR_HOST_LOST: Job 'counting' has failed/,
    });
    const deployed = await workers.cli('deploy', fileOf('../../engine/host/counting-job.ts'), '--json');
    test.equal(deployed.code, 0, deployed.error);
    test.match(JSON.parse(deployed.out), { state: 'running' });
    test.match(await workers.living(), [{ pid: worker.pid }]);
  },
);
