import type { Job } from 'bullmq';
import { type Clock, type ErrorCode, errorOf, type JsonObject, MillraceError, validName } from '#engine';
import type { CommandProgress } from './carry-out.ts';
import { type CommandClient, commandClient } from './command-connection.ts';
import { type CommandState, openQueue, type QueuedCommands } from './command-queue.ts';
import { checkedCommand, type CommandAnswer, type JobCommand } from './job-command.ts';

export interface JobCommandsOptions {
  readonly redisUrl: string;
  readonly namespace: string;
  readonly clock: Clock;
  readonly uuid: () => string;
}

export interface RunOptions {
  /** Default: a new one. The same id again is the same command: it is not carried out twice. */
  readonly id?: string;
  /** How long to wait for the answer. Default 10 min. */
  readonly waitMs?: number;
  readonly onProgress?: (state: CommandState) => void;
}

/**
 * Sends commands to whichever worker takes them.
 * Owns its connection. Suspends at every call.
 *
 * JM1 an id stands for one command: given again with the same content it changes nothing, with another it is refused.
 */
export class JobCommands {
  readonly #options: JobCommandsOptions;
  readonly #client: CommandClient;
  readonly #queue: QueuedCommands;

  constructor(options: JobCommandsOptions) {
    const { redisUrl, namespace } = options;
    this.#options = options;
    this.#client = commandClient(redisUrl, `millrace:${namespace}:commands`);
    this.#client.on('error', () => {}); // it connects again by itself
    this.#queue = openQueue(this.#client, namespace);
  }

  /** Sends a command and gives its id. @throws MR_API_INVALID, MR_API_CONFLICT when the id was another command */
  async add(command: JobCommand, id = this.#options.uuid()): Promise<string> {
    const checked = checkedCommand(command);
    await this.#queue.add(checked.kind, checked, { jobId: commandId(id) });
    const kept = await this.#queue.getJob(id);
    if (kept === undefined || JSON.stringify(kept.data) === JSON.stringify(checked)) return id;
    throw new MillraceError(
      'MR_API_CONFLICT',
      `Command '${id}' was '${kept.data.kind}' of job '${kept.data.job}' before. Give each command its own id.`,
    );
  }

  /** How a command stands; null when it is not known (any more). */
  async poll(id: string): Promise<CommandState | null> {
    const job = await this.#queue.getJob(id);
    return job === undefined ? null : stateOf(job, await job.getState());
  }

  /**
   * Sends a command and waits for its result.
   * @throws what {@link carryOut} does; MR_CONTROL_FAILED when it is not answered in time: it stays sent
   */
  async run(command: JobCommand, { id, waitMs = WAIT_MS, onProgress }: RunOptions = {}): Promise<JsonObject> {
    const { clock } = this.#options;
    const sent = await this.add(command, id);
    const untilMs = clock.monotonic() + waitMs;
    let told = '';
    for (;;) {
      const state = await this.poll(sent);
      if (state?.kind === 'done') return state.result;
      if (state?.kind === 'failed') throw errorOf({ ...state, stack: '', details: {} });
      if (clock.monotonic() > untilMs) throw notAnswered(sent, command, waitMs, state);
      const text = JSON.stringify(state);
      if (state !== null && text !== told) onProgress?.(state);
      told = text;
      await clock.sleep(POLL_MS);
    }
  }

  async close(): Promise<void> {
    await this.#queue.close();
    this.#client.disconnect();
  }
}

const WAIT_MS = 600_000;
const POLL_MS = 50;

function stateOf(job: Job<JobCommand, CommandAnswer, string>, state: string): CommandState {
  switch (state) {
    case 'completed':
      return job.returnvalue;
    case 'failed':
      return { kind: 'failed', code: 'MR_CONTROL_FAILED' satisfies ErrorCode, message: job.failedReason };
    case 'active':
      return { kind: 'active', progress: progressOf(job.progress) };
    default:
      return { kind: 'waiting' };
  }
}

function progressOf(progress: unknown): CommandProgress | null {
  return typeof progress === 'object' && progress !== null ? (progress as CommandProgress) : null;
}

/** BullMQ counts by whole numbers itself, and puts ids into keys. */
function commandId(id: string): string {
  if (!/^\d+$/.test(validName(id, 'command id'))) return id;
  throw new MillraceError('MR_API_INVALID', `The command id '${id}' must not be a number.`);
}

function notAnswered(
  id: string,
  { kind, job }: JobCommand,
  waitMs: number,
  state: CommandState | null,
): MillraceError {
  const who =
    state?.kind === 'active'
      ? 'It is being carried out.'
      : 'No worker has taken it: is one running in this namespace?';
  return new MillraceError(
    'MR_CONTROL_FAILED',
    `Command ${id} (${kind} of job '${job}') was not answered within ${waitMs / 1_000} s. ${who} It stays sent.`,
  );
}
