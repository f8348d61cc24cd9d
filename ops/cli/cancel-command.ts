import { simpleCommand } from './send-command.ts';

export const cancelCommand = simpleCommand({
  usage: 'cancel <job>',
  summary: 'end a job at once, without a last checkpoint',
  text: 'Ends a job at once. Its checkpoints stay: restart goes on from the newest one.',
  arguments: 1,
  command: ([job = '']) => ({ kind: 'cancel', job }),
  said: ({ job, state }) => `Job '${String(job)}' is ${String(state)}.`,
});
