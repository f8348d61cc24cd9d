import { simpleCommand } from './send-command.ts';

export const savepointCommand = simpleCommand({
  usage: 'savepoint <job>',
  summary: 'take a checkpoint that is kept until it is removed',
  text: 'Takes a savepoint of a running job, and prints its number.',
  arguments: 1,
  command: ([job = '']) => ({ kind: 'savepoint', job }),
  said: ({ savepoint }) => `Savepoint ${String(savepoint)}.`,
});
