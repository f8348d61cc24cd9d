import { start } from '../../jobs/device-telemetry/run.ts';
import { createAdminServer } from '../../ops/server/admin-server.ts';
import { listenOnLoopback } from '../../ops/server/listen.ts';
import { answerLooks, placeOf } from './look.ts';

/** The device telemetry job, running without input, and its admin API without a bound on requests. */
const { url, dir } = placeOf(process.argv);
const job = await start({ redisUrl: url, dataDir: dir, variables: {} });
while (job.handle.status().state !== 'running') await new Promise((resolve) => setTimeout(resolve, 20));
const { server } = await createAdminServer({
  jobs: () => [job.handle],
  series: () => job.series,
  limits: { requestsPerMinute: Number.MAX_SAFE_INTEGER },
});
const port = await listenOnLoopback(server, 0, false);
await answerLooks(port, async () => ({ accepted: 0, rejected: 0 }));
await server.close();
await job.handle.stop();
await job.close();
