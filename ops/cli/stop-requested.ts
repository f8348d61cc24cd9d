import { systemClock } from '#wire';

/** A terminal sends its signal to npm as well, which passes it on; a person takes longer to insist. */
const SECOND_SIGNAL_MS = 300;

/** The first signal, or the end of the channel to whoever started us; a later signal ends the process. */
export function stopRequested(signals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM']): Promise<void> {
  return new Promise((resolve) => {
    let firstAtMs: number | null = null;
    const onSignal = () => {
      const nowMs = systemClock.monotonic();
      if (firstAtMs !== null && nowMs - firstAtMs > SECOND_SIGNAL_MS) process.exit(1);
      firstAtMs ??= nowMs;
      resolve();
    };
    for (const signal of signals) process.on(signal, onSignal);
    process.once('disconnect', () => resolve());
  });
}
