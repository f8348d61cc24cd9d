import { simpleCommand } from './send-command.ts';
import { wholeNumber } from './whole-number.ts';

export const rescaleCommand = simpleCommand({
  usage: 'rescale <job> <parallelism>',
  summary: 'run a job on more or fewer slots',
  text: 'Takes a checkpoint of a running job and goes on from it with so many subtasks per operator. One that does not come up goes back.',
  arguments: 2,
  command: ([job = '', count = '']) => ({
    kind: 'rescale',
    job,
    parallelism: wholeNumber(count, 'The parallelism', 1, 32_768),
  }),
  said: ({ from, to, downtimeMs }) =>
    `Rescaled from ${String(from)} to ${String(to)}; no record was processed for ${Math.round(Number(downtimeMs))} ms.`,
});
