import { Queue } from 'bullmq';
import { commandsPrefix } from '#engine';
import type { CommandProgress } from './carry-out.ts';
import type { CommandClient } from './command-connection.ts';
import type { CommandAnswer, JobCommand } from './job-command.ts';

/** All commands of a namespace go through one queue; its keys lie in one slot. */
export const COMMAND_QUEUE = 'jobs';

/** A command in the queue; its id is the command's. */
export type QueuedCommands = Queue<JobCommand, CommandAnswer, string>;

export function openQueue(client: CommandClient, namespace: string): QueuedCommands {
  const queue: QueuedCommands = new Queue(COMMAND_QUEUE, {
    connection: client,
    prefix: commandsPrefix(namespace),
    streams: { events: { maxLen: 1_000 } },
    defaultJobOptions: {
      attempts: 10,
      backoff: { type: 'exponential', delay: 500, jitter: 0.5 },
      removeOnComplete: { age: KEPT_SECONDS, count: KEPT_COUNT },
      removeOnFail: { age: KEPT_SECONDS, count: KEPT_COUNT },
      sizeLimit: 16 * 1024,
      stackTraceLimit: 1,
    },
  });
  queue.on('error', () => {}); // the client connects again by itself
  return queue;
}

const KEPT_SECONDS = 24 * 3_600;
const KEPT_COUNT = 10_000;

/** How a command in the queue stands. */
export type CommandState =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'active'; readonly progress: CommandProgress | null }
  | CommandAnswer;
