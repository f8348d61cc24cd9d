import { WorkerRegistry } from '#engine';
import { withCluster } from './cluster-view.ts';
import { CONNECTION_HELP, CONNECTION_OPTIONS, type Command, connectionOf, readArguments } from './command.ts';
import { durationOf, table } from './table.ts';

export const workersCommand: Command = {
  summary: 'the workers of a namespace and their slots',
  help: `Usage: millrace workers [options]

  --json               as JSON
${CONNECTION_HELP.trimStart()}`,
  async run(args) {
    const { values } = readArguments(args, 0, {
      ...CONNECTION_OPTIONS,
      json: { type: 'boolean', default: false },
    });
    return withCluster(connectionOf(values), async ({ cluster }) => {
      const workers = await new WorkerRegistry(cluster).list();
      const text = table(
        ['WORKER', 'HOST', 'PID', 'SLOTS', 'USED', 'UP', 'VERSION', 'STATE'],
        workers.map(({ id, host, pid, slots, used, startedAt, version, draining }) => {
          const up = durationOf(cluster.clock.now() - startedAt);
          return [id, host, pid, slots, used, up, version, draining ? 'draining' : 'ready'];
        }),
      );
      process.stdout.write(values.json ? `${JSON.stringify(workers)}\n` : text);
      return 0;
    });
  },
};
