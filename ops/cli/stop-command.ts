import { MillraceError } from '#engine';
import { withCluster } from './cluster-view.ts';
import { type Command, connectionOf, readArguments } from './command.ts';
import { COMMAND_HELP, COMMAND_OPTIONS, sendCommand } from './send-command.ts';

export const stopCommand: Command = {
  summary: 'end a job after a last checkpoint, or with a savepoint',
  help: `Usage: millrace stop <job> [--savepoint] [--drain] [options]

Ends a running job after a last checkpoint, from which restart goes on.

  --savepoint          the last checkpoint is a savepoint, kept until it is removed
  --drain              ends event time first: windows and timers give what they have. For a job that will not go on. Takes a savepoint.
${COMMAND_HELP}`,
  async run(args) {
    const { values, positionals } = readArguments(args, 1, {
      ...COMMAND_OPTIONS,
      savepoint: { type: 'boolean', default: false },
      drain: { type: 'boolean', default: false },
    });
    const [job = ''] = positionals;
    const { savepoint, drain } = values;
    return withCluster(connectionOf(values), (view) =>
      sendCommand(
        view,
        savepoint || drain ? { kind: 'stop-with-savepoint', job, drain } : { kind: 'stop', job },
        values,
        (result) => {
          const { savepoint: number, state } = result;
          if ((savepoint || drain) && number === null) throw withoutSavepoint(job);
          const kept = number === undefined ? '' : ` with savepoint ${JSON.stringify(number)}`;
          return `Job '${job}' is ${String(state)}${kept}.`;
        },
      ),
    );
  },
};

function withoutSavepoint(job: string): MillraceError {
  return new MillraceError(
    'MR_CHECKPOINT_FAILED',
    `Job '${job}' was stopped, but its savepoint failed. Its newest checkpoint is there: millrace checkpoints ${job}`,
  );
}
