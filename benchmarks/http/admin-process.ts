import { start } from '../../jobs/device-telemetry/run.ts';
import { createAdminServer } from '../../ops/server/admin-server.ts';
import { listenOnLoopback } from '../../ops/server/listen.ts';

/**
 * The device telemetry job, running without input, and its admin API without a bound on requests: `node admin-process.ts <redis> <folder>`,
 * forked. Sends its port, then its CPU time (ms, all threads) whenever it gets a message, and ends with its parent.
 */
const [redisUrl, dataDir] = process.argv.slice(2) as [string, string];
const job = await start({ redisUrl, dataDir, variables: {} });
while (job.handle.status().state !== 'running') await new Promise((resolve) => setTimeout(resolve, 20));
const { server } = await createAdminServer({
  jobs: () => [job.handle],
  series: () => job.series,
  limits: { requestsPerMinute: Number.MAX_SAFE_INTEGER },
});
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send?.((user + system) / 1_000);
});
const ended = new Promise((resolve) => process.once('disconnect', resolve));
process.send?.(await listenOnLoopback(server, 0, false));
await ended;
await server.close();
await job.handle.stop();
await job.close();
