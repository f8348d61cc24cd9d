import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import type { HostSettings } from '#engine';
import { MillraceError, systemClock } from '#wire';
import { DevSession } from '../dev/dev-session.ts';
import { throwAwayRedis } from '../dev/throw-away-redis.ts';
import { type StatusDisplay, statusDisplay } from '../supervisor/status-display.ts';
import { CONNECTION_HELP, CONNECTION_OPTIONS, type Command, connectionOf, readArguments } from './command.ts';
import { stopRequested } from './stop-requested.ts';

export const devCommand: Command = {
  summary: 'run a job while you write it: shows its records, starts anew when a file changes',
  help: `Usage: millrace dev <file> [options]

Runs the job of a module here, and shows the records that reach its sinks, dead letters and failures (20 records a second at most). When the module
or a file that it imports changes, the new version goes on from a checkpoint of the old one. A version that cannot be loaded is told, while the old
one goes on; one that cannot go on from the state that there is, is not started. Ctrl-C stops the job with a last checkpoint.

Without --redis and REDIS_URL it starts a Redis of its own, whose data is gone at the end.

  --drop <operator>    state of an operator that the code does not have any more is dropped; may be repeated
  --fresh              start without any state, and read what topics still hold: the job's checkpoints and savepoints are forgotten
${CONNECTION_HELP}
While it runs, two words may be typed: fresh, and drop, for what a plan has refused.
`,
  async run(args) {
    const { values, positionals } = readArguments(args, 1, {
      ...CONNECTION_OPTIONS,
      drop: { type: 'string', multiple: true, default: [] },
      fresh: { type: 'boolean', default: false },
    });
    const path = resolve(positionals[0] as string);
    if (!existsSync(path)) throw new MillraceError('MR_CONFIG_INVALID', `There is no job module ${path}.`);
    // A terminal that is closed leaves no Redis behind.
    const stop = stopRequested(['SIGINT', 'SIGTERM', 'SIGHUP']);
    const display = statusDisplay(process.stdout, systemClock);
    const redis = redisOf(values.redis ?? process.env['REDIS_URL'] ?? '', display);
    const session = new DevSession({
      url: pathToFileURL(path).href,
      settings: redis.then(
        ({ url }): HostSettings => ({
          ...connectionOf({ ...values, redis: url }),
          durability: 'process',
        }),
      ),
      state: { fresh: values.fresh, drop: values.drop },
      display,
    });
    createInterface({ input: process.stdin }).on('line', (line) => session.typed(line));
    void stop.then(() => session.stop());
    try {
      await session.run();
    } finally {
      await redis.then(
        (server) => server.stop(),
        () => {},
      );
    }
    return 0;
  },
};

/** The one that is named, which stays as it is; or one that lasts as long as we do. */
async function redisOf(
  named: string,
  display: StatusDisplay,
): Promise<{ readonly url: string; readonly stop: () => Promise<void> }> {
  if (named !== '') return { url: named, stop: async () => {} };
  const server = await throwAwayRedis();
  display.line(
    `${server.name} at ${server.url}, until this ends. To send records: npm run forwarder -- --help`,
  );
  return server;
}
