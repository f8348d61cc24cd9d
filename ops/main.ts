import { errorText, hasCode, MillraceError, systemClock, systemRandom } from '#wire';
import { HELP, readSettings } from './supervisor/settings.ts';
import { statusDisplay } from './supervisor/status-display.ts';
import { Supervisor } from './supervisor/supervisor.ts';

/** npm passes on a signal that the terminal has already sent to all of us; a person takes longer to insist. */
const SECOND_SIGNAL_MS = 300;

/** `npm start`. The supervisor itself imports `#wire` only: it is up at once and stays small. Returns the exit code. */
async function main(args: readonly string[]): Promise<number> {
  if (args.length > 0) {
    const known = args.length === 1 && (args[0] === '--help' || args[0] === '-h');
    (known ? process.stdout : process.stderr).write(
      known ? HELP : `Unknown argument '${args.join(' ')}'.\n\n${HELP}`,
    );
    return known ? 0 : 2;
  }
  const display = statusDisplay(process.stdout, systemClock);
  const settings = readSettings(process.env);
  const supervisor = new Supervisor({ settings, display, clock: systemClock, random: systemRandom });
  process.once('exit', () => supervisor.kill());
  let firstAt: number | null = null;
  const onSignal = () => {
    if (firstAt !== null && systemClock.monotonic() - firstAt > SECOND_SIGNAL_MS) process.exit(1);
    if (firstAt !== null) return;
    firstAt = systemClock.monotonic();
    display.end();
    display.line('Stopping: forwarder, engine with a last checkpoint, Redis. Once more to stop at once.');
    supervisor.stop();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
  return await supervisor.run();
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const expected = error instanceof MillraceError && !hasCode(error, 'MR_INVARIANT');
  process.stderr.write(`${expected ? errorText(error) : String((error as Error).stack)}\n`);
  process.exitCode = 1;
}
