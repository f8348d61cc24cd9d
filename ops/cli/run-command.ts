import { errorCode, errorText, hasCode } from '#wire';
import { EXIT_NO_RESTART } from '../supervisor/restart-decision.ts';
import type { Command } from './command.ts';

/** Loaded when asked for: a command needs a part of the engine only. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  dev: async () => (await import('./dev-command.ts')).devCommand,
  worker: async () => (await import('./worker-command.ts')).workerCommand,
  deploy: async () => (await import('./deploy-command.ts')).deployCommand,
  list: async () => (await import('./list-command.ts')).listCommand,
  status: async () => (await import('./status-command.ts')).statusCommand,
  savepoint: async () => (await import('./savepoint-command.ts')).savepointCommand,
  stop: async () => (await import('./stop-command.ts')).stopCommand,
  cancel: async () => (await import('./cancel-command.ts')).cancelCommand,
  rescale: async () => (await import('./rescale-command.ts')).rescaleCommand,
  restart: async () => (await import('./restart-command.ts')).restartCommand,
  checkpoints: async () => (await import('./checkpoints-command.ts')).checkpointsCommand,
  fork: async () => (await import('./fork-command.ts')).forkCommand,
  remove: async () => (await import('./remove-command.ts')).removeCommand,
  inspect: async () => (await import('./inspect-command.ts')).inspectCommand,
  diff: async () => (await import('./diff-command.ts')).diffCommand,
  plan: async () => (await import('./plan-command.ts')).planCommand,
  workers: async () => (await import('./workers-command.ts')).workersCommand,
};

/** `millrace <command> …`. Gives the exit code. */
async function main([name, ...args]: readonly string[]): Promise<number> {
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(await overview());
    return name === undefined ? EXIT_NO_RESTART : 0;
  }
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (load === undefined) {
    process.stderr.write(`There is no command '${name}'.\n\n${await overview()}`);
    return EXIT_NO_RESTART;
  }
  const command = await load();
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(command.help);
    return 0;
  }
  return command.run(args);
}

async function overview(): Promise<string> {
  const lines = await Promise.all(
    Object.entries(COMMANDS).map(async ([name, load]) => `  ${name.padEnd(13)}${(await load()).summary}\n`),
  );
  return `Usage: millrace <command> [options]      (millrace <command> --help says more)\n\n${lines.join('')}`;
}

try {
  process.exit(await main(process.argv.slice(2)));
} catch (error) {
  const code = errorCode(error);
  const known = code !== null && !hasCode(error, 'MR_INVARIANT');
  process.stderr.write(known ? `${code}: ${errorText(error)}\n` : `${String((error as Error).stack)}\n`);
  const wrong = hasCode(error, 'MR_OPS_START', 'MR_CONFIG_INVALID', 'MR_REDIS_UNSUPPORTED');
  process.exit(wrong ? EXIT_NO_RESTART : 1);
}
