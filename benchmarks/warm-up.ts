import { cpuMs } from './t1/outcome.ts';

/** What an engine gets where nothing else is said: enough for the compilers of V8 and of Java. */
export const WARM_UP_CPU_MS = 10_000;

/**
 * Repeats a run that does not count until it has cost this process so much CPU time, so that what is measured is compiled code, and then
 * has garbage collected, where `--expose-gc` lets it. Engines that are compared get the same.
 */
export async function warmUp(enoughCpuMs: number, run: () => unknown): Promise<void> {
  const enough = cpuMs() + enoughCpuMs;
  while (cpuMs() < enough) await run();
  globalThis.gc?.();
}
