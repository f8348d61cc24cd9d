import { withCluster } from './cluster-view.ts';
import { CONNECTION_HELP, CONNECTION_OPTIONS, type Command, connectionOf, readArguments } from './command.ts';
import { durationOf, table } from './table.ts';

export const checkpointsCommand: Command = {
  summary: 'the checkpoints and savepoints that a job has',
  help: `Usage: millrace checkpoints <job> [options]

  --json               as JSON
${CONNECTION_HELP.trimStart()}`,
  async run(args) {
    const { values, positionals } = readArguments(args, 1, {
      ...CONNECTION_OPTIONS,
      json: { type: 'boolean', default: false },
    });
    return withCluster(connectionOf(values), async ({ store, cluster }) => {
      const rows = (await (await store()).list(positionals[0] as string)).map((manifest) => ({
        id: manifest.id,
        kind: manifest.kind,
        completedAt: manifest.completedAt,
        tookMs: manifest.completedAt - manifest.triggeredAt,
        parallelism: manifest.parallelism,
        generation: manifest.generation,
        bundle: manifest.jobVersion,
      }));
      const text = table(
        ['CHECKPOINT', 'KIND', 'AGE', 'TOOK', 'PARALLELISM', 'GENERATION', 'BUNDLE'],
        rows.map((row) => [
          row.id,
          row.kind,
          durationOf(Math.max(0, cluster.clock.now() - row.completedAt)),
          durationOf(row.tookMs),
          row.parallelism,
          row.generation,
          row.bundle === '' ? 'local' : row.bundle.slice(0, 12),
        ]),
      );
      process.stdout.write(values.json ? `${JSON.stringify(rows)}\n` : text);
      return 0;
    });
  },
};
