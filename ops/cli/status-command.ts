import { type DesiredJob, JobRegistry, MillraceError } from '#engine';
import { readStatus, type StatusDocument } from '../commands/status-document.ts';
import { withCluster } from './cluster-view.ts';
import { CONNECTION_HELP, CONNECTION_OPTIONS, type Command, connectionOf, readArguments } from './command.ts';
import { bytesOf, durationOf, table } from './table.ts';

export const statusCommand: Command = {
  summary: 'what a job does: operators, sources, checkpoints, failures',
  help: `Usage: millrace status <job> [options]

  --json               all of it, as JSON
${CONNECTION_HELP.trimStart()}`,
  async run(args) {
    const { values, positionals } = readArguments(args, 1, {
      ...CONNECTION_OPTIONS,
      json: { type: 'boolean', default: false },
    });
    const [job = ''] = positionals;
    return withCluster(connectionOf(values), async ({ cluster }) => {
      const registry = new JobRegistry(cluster);
      const [desired, status] = await Promise.all([registry.desired(job), readStatus(registry, job)]);
      if (desired === null)
        throw new MillraceError('MR_API_NOT_FOUND', `There is no job '${job}'. See millrace list.`);
      const text = values.json
        ? `${JSON.stringify({ desired, status })}\n`
        : statusText(desired, status, cluster.clock.now());
      process.stdout.write(text);
      return 0;
    });
  },
};

function statusText(desired: DesiredJob, status: StatusDocument | null, now: number): string {
  if (status === null)
    return `Job '${desired.name}' is to be ${desired.desired}; no worker has coordinated it yet.\n`;
  const { state, message, stateSince, parallelism, generation, restarts } = status;
  const since = stateSince === undefined ? '' : ` for ${durationOf(now - stateSince)}`;
  const head = `Job '${desired.name}' is ${state}${since}, to be ${desired.desired}`;
  if (message !== undefined) return `${head}.\n${status.code ?? ''}: ${message}\n`;
  const facts = `parallelism ${parallelism ?? '–'}, generation ${generation ?? '–'}, ${restarts ?? 0} restarts`;
  const parts = [
    `${head}; ${facts}.\n`,
    operatorTable(status),
    sourceTable(status),
    checkpointText(status, now),
  ];
  const failures = (status.failures ?? []).map(({ at, code, message: text }) => {
    return `${durationOf(Math.max(0, now - at))} ago  ${code}: ${text}\n`;
  });
  return [...parts, failures.join('')].filter((part) => part !== '').join('\n');
}

function operatorTable({ operators = [] }: StatusDocument): string {
  return table(
    ['OPERATOR', 'KIND', 'IN', 'OUT', 'LATE', 'DEAD', 'KEYS', 'TIMERS'],
    operators.map((o) => [
      o.id,
      o.kind,
      o.recordsIn,
      o.recordsOut,
      o.lateRecords,
      o.deadLetters,
      o.stateKeys,
      o.timers,
    ]),
  );
}

function sourceTable({ sources = [] }: StatusDocument): string {
  return table(
    ['SOURCE', 'TOPIC', 'PARTITION', 'OFFSET', 'LAG', 'IDLE'],
    sources.map((s) => [s.operator, s.topic, s.partition, s.offset, s.lagRecords, s.idle ? 'idle' : '']),
  );
}

function checkpointText({ checkpoints }: StatusDocument, now: number): string {
  if (checkpoints === undefined) return '';
  const newest = checkpoints.history.find(({ outcome }) => outcome === 'completed');
  const last =
    newest === undefined
      ? 'none yet'
      : `${newest.id}, ${durationOf(Math.max(0, now - newest.triggeredAt))} ago, ${bytesOf(newest.stateBytes)} in ${durationOf(newest.durationMs)}`;
  return `Checkpoints: ${checkpoints.completed} completed, ${checkpoints.failed} failed; newest ${last}.\n`;
}
