import { JobLeases, JobRegistry } from '#engine';
import { readStatus } from '../commands/status-document.ts';
import { withCluster } from './cluster-view.ts';
import { CONNECTION_HELP, CONNECTION_OPTIONS, type Command, connectionOf, readArguments } from './command.ts';
import { durationOf, table } from './table.ts';

export const listCommand: Command = {
  summary: 'the jobs of a namespace and how they stand',
  help: `Usage: millrace list [options]

  --json               as JSON
${CONNECTION_HELP.trimStart()}`,
  async run(args) {
    const { values } = readArguments(args, 0, {
      ...CONNECTION_OPTIONS,
      json: { type: 'boolean', default: false },
    });
    return withCluster(connectionOf(values), async ({ cluster }) => {
      const registry = new JobRegistry(cluster);
      const leases = new JobLeases(cluster);
      const rows = [];
      for (const job of await registry.jobs()) {
        const [status, holder] = await Promise.all([readStatus(registry, job.name), leases.holder(job.name)]);
        rows.push({
          ...job,
          state: status?.state ?? null,
          coordinator: holder?.owner ?? null,
          running: status?.parallelism ?? null,
          restarts: status?.restarts ?? null,
          sinceMs: status?.stateSince === undefined ? null : cluster.clock.now() - status.stateSince,
        });
      }
      process.stdout.write(values.json ? `${JSON.stringify(rows)}\n` : jobTable(rows));
      return 0;
    });
  },
};

interface JobRow {
  readonly name: string;
  readonly desired: string;
  readonly bundle: string | null;
  readonly state: string | null;
  readonly coordinator: string | null;
  readonly running: number | null;
  readonly restarts: number | null;
  readonly sinceMs: number | null;
}

function jobTable(rows: readonly JobRow[]): string {
  return table(
    ['JOB', 'DESIRED', 'STATE', 'SINCE', 'PARALLELISM', 'RESTARTS', 'COORDINATOR', 'BUNDLE'],
    rows.map((row) => [
      row.name,
      row.desired,
      row.state,
      row.sinceMs === null ? null : durationOf(row.sinceMs),
      row.running,
      row.restarts,
      row.coordinator,
      row.bundle?.slice(0, 12) ?? 'local',
    ]),
  );
}
