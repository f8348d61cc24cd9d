import type { HeldForwarder } from '../../../ops/held-forwarders.ts';

/** What one gateway tells while partition 1 of a topic is full. */
export const heldForwarder = (topic: string): HeldForwarder => ({
  topic,
  producer: 'gw-1',
  at: 1_760_000_009_000,
  since: 1_760_000_000_000,
  partitions: [1],
  pendingRecords: 40_000,
  pendingBytes: 900_000,
  oldestMs: 9_400,
  inputHeld: false,
});
