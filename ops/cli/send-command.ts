import type { ParseArgsConfig } from 'node:util';
import type { JsonObject } from '#engine';
import type { CommandState } from '../commands/command-queue.ts';
import type { JobCommand } from '../commands/job-command.ts';
import { type ClusterView, withCluster } from './cluster-view.ts';
import { CONNECTION_HELP, CONNECTION_OPTIONS, type Command, connectionOf, readArguments } from './command.ts';
import { wholeNumber } from './whole-number.ts';

export const COMMAND_OPTIONS = {
  ...CONNECTION_OPTIONS,
  json: { type: 'boolean', default: false },
  id: { type: 'string' },
  timeout: { type: 'string', default: '120' },
} as const satisfies ParseArgsConfig['options'];

export const COMMAND_HELP = `
  --id <id>            id of the command: given again, it is not carried out again; default: a new one
  --timeout <s>        how long to wait for the answer; default 120. The command stays sent.
  --json               the answer as JSON
${CONNECTION_HELP.trimStart()}`;

export interface CommandValues {
  readonly json: boolean;
  readonly id?: string | undefined;
  readonly timeout: string;
}

/** Sends a command, tells on stderr how it stands, and prints its answer. */
export async function sendCommand(
  view: ClusterView,
  command: JobCommand,
  values: CommandValues,
  said: (result: JsonObject) => string,
): Promise<number> {
  const waitMs = wholeNumber(values.timeout, '--timeout', 1, 86_400) * 1_000;
  const onProgress = values.json ? undefined : progressLines(command.job);
  const result = await view.commands().run(command, {
    waitMs,
    ...(values.id === undefined ? {} : { id: values.id }),
    ...(onProgress === undefined ? {} : { onProgress }),
  });
  process.stdout.write(values.json ? `${JSON.stringify(result)}\n` : `${said(result)}\n`);
  return 0;
}

function progressLines(job: string): (state: CommandState) => void {
  let last = '';
  return (state) => {
    const text = state.kind === 'waiting' ? 'Waiting for a worker.' : progressText(job, state);
    if (text !== null && text !== last) process.stderr.write(`${text}\n`);
    last = text ?? last;
  };
}

function progressText(job: string, state: CommandState): string | null {
  const progress = state.kind === 'active' ? state.progress : null;
  if (progress === null) return null;
  const failure = progress.failure === null ? '' : ` Newest failure: ${progress.failure}`;
  return `Job '${job}' is ${progress.state ?? 'without a coordinator'}.${failure}`;
}

export interface SimpleCommand {
  readonly usage: string;
  readonly summary: string;
  readonly text: string;
  /** Names of the arguments after the command. */
  readonly arguments: number;
  readonly command: (args: readonly string[]) => JobCommand;
  readonly said: (result: JsonObject) => string;
}

/** A command of the program that is one command for a job, without options of its own. */
export function simpleCommand({
  usage,
  summary,
  text,
  arguments: count,
  command,
  said,
}: SimpleCommand): Command {
  return {
    summary,
    help: `Usage: millrace ${usage} [options]\n\n${text}\n${COMMAND_HELP}`,
    async run(args) {
      const { values, positionals } = readArguments(args, count, COMMAND_OPTIONS);
      const wanted = command(positionals);
      return withCluster(connectionOf(values), (view) => sendCommand(view, wanted, values, said));
    },
  };
}
