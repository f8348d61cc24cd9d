import { simpleCommand } from './send-command.ts';

export const removeCommand = simpleCommand({
  usage: 'remove <job>',
  summary: 'forget a job that does not run',
  text: 'Forgets a job that was stopped or cancelled. Its checkpoints stay: deployed again under its name, it goes on from them.',
  arguments: 1,
  command: ([job = '']) => ({ kind: 'remove', job }),
  said: ({ job }) => `Job '${String(job)}' is removed.`,
});
