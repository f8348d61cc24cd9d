import { simpleCommand } from './send-command.ts';

export const restartCommand = simpleCommand({
  usage: 'restart <job>',
  summary: 'start a job anew from a checkpoint, also one that was stopped',
  text: 'Takes a checkpoint of a running job and starts all of it anew from there. A job that was stopped or cancelled runs again.',
  arguments: 1,
  command: ([job = '']) => ({ kind: 'restart', job }),
  said: () => 'It runs again.',
});
