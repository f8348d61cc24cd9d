import { Session } from 'node:inspector/promises';
import { getHeapSpaceStatistics } from 'node:v8';
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
    if (oldBytes() <= LIMITS.heapTrimBytesMax) void trimHeap();
  });
}

/** Of what has survived: in the young generation is mostly garbage by then. */
function oldBytes(): number {
  const old = getHeapSpaceStatistics().filter(({ space_name: name }) => !name.startsWith('new_'));
  return old.reduce((sum, space) => sum + space.space_used_size, 0);
}

/** The one way to have memory given back that needs no flag of the process. */
async function trimHeap(): Promise<void> {
  const session = new Session();
  session.connect();
  await session.post('HeapProfiler.collectGarbage');
  session.disconnect();
}
