import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import deviceTelemetry from '../../../jobs/device-telemetry/index.ts';
import { startRedis } from '../../support/redis-server.ts';
import { openWorkers } from '../worker/worker-harness.ts';

t.setTimeout(60_000);
const JOB = fileURLToPath(new URL('../../../jobs/device-telemetry/index.ts', import.meta.url));

void t.test(
  'O2, JC3: the main job is deployed; a worker that cannot plan it says why, and the job is not tried on and on',
  async (test) => {
    const server = await startRedis();
    test.teardown(() => server.stop());
    const folder = await mkdtemp(join(tmpdir(), 'mr-lake-'));
    test.teardown(() => rm(folder, { recursive: true, force: true }));
    const context = { job: '', redisUrl: server.url, namespace: 'main', variables: {} };
    await test.rejects(deviceTelemetry(context), {
      code: 'MR_CONFIG_INVALID',
      message: /Set MILLRACE_DATA_DIR/,
    });

    const poor = await openWorkers(test, server.url, 'main', { MILLRACE_DATA_DIR: '' });
    const rich = await openWorkers(test, server.url, 'main', { MILLRACE_DATA_DIR: folder });
    const without = await poor.start('--slots', '1');
    test.match(await rich.cli('deploy', JOB), {
      code: 2,
      error: /MR_CONFIG_INVALID: Job 'device-telemetry' has failed: .* Set MILLRACE_DATA_DIR/,
    });
    test.match(await rich.jobs.desired('device-telemetry'), { desired: 'stopped' });
    without.kill('SIGTERM');
    test.equal(await without.ended, 0);

    await rich.start('--slots', '1');
    test.match(await rich.cli('restart', 'device-telemetry'), { code: 0 });
    test.match(await rich.status('device-telemetry'), {
      state: 'running',
      operators: [{ id: 'readings' }],
    });
    test.match(await rich.cli('stop', 'device-telemetry', '--savepoint'), {
      code: 0,
      out: /with savepoint \d+/,
    });
  },
);
