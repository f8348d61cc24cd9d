import t from 'tap';
import { memoryLogStore, openMemoryPartitionLog } from '../../../engine/log/memory-partition-log.ts';
import type { MemoryPartition } from '../../../engine/log/memory-partition.ts';
import { skewedClock } from './log-harness.ts';
import { partitionLogContract } from './partition-log.contract.ts';

const store = memoryLogStore();
const clock = skewedClock();
const log = openMemoryPartitionLog({ clock, store });
t.teardown(() => log.close());

partitionLogContract(t, {
  log,
  clock,
  async capture(topic, partition) {
    const partitions = store.partitions.get(topic) as MemoryPartition[];
    const copy = structuredClone(partitions[partition] as MemoryPartition);
    return async () => {
      partitions[partition] = copy;
    };
  },
});
