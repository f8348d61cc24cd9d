import { Session } from 'node:inspector/promises';
import { getHeapStatistics } from 'node:v8';
import type { Clock } from '../base/clock.ts';
import { LIMITS } from '../base/limits.ts';

/**
 * Gives back, once and some time from now, what a thread has taken to load its modules: that makes its young generation grow to tens of
 * megabytes, which an idle heap keeps for ever. It holds up the thread for some 30 ms; a heap that is large by then is left alone, because it
 * would take long and is in use.
 * @returns how to leave it
 */
export function trimHeapLater(clock: Clock): () => void {
  return clock.after(LIMITS.heapTrimAfterMs, () => {
    if (getHeapStatistics().used_heap_size <= LIMITS.heapTrimBytesMax) void trimHeap();
  });
}

/** The one way to have memory given back that needs no flag of the process. */
async function trimHeap(): Promise<void> {
  const session = new Session();
  session.connect();
  await session.post('HeapProfiler.collectGarbage');
  session.disconnect();
}
