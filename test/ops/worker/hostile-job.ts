import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { count, defineJob, partitionLog, sum, tumbling } from '#operators';
import type { JobModuleContext } from '../../../engine/host/host-settings.ts';
import { Event, Total } from '../../engine/host/counting-job.ts';

/** What one record of each ten seconds does to its process, once: a file in the folder MARKERS says that it has. */
export const ATTACKS: readonly (() => void)[] = [
  () => process.exit(3),
  () => void Promise.reject(new Error('nobody looks at this')),
  () =>
    queueMicrotask(() => {
      throw new Error('nobody catches this');
    }),
  () => {
    const kept: unknown[] = [];
    for (;;) kept.push(Array.from({ length: 10_000 }, (_, i) => ({ i })));
  },
];

/** Counts as the counting job does. */
export default function job({ variables }: JobModuleContext) {
  const markers = variables['MARKERS'] ?? '';
  const attack = ({ at, key }: Event) => {
    const number = Math.floor(at / 10_000);
    const marker = join(markers, String(number));
    if (key !== 'key-7' || existsSync(marker)) return;
    writeFileSync(marker, '');
    ATTACKS[number]?.();
  };
  return defineJob(
    'counting',
    {
      guarantee: 'exactly-once',
      parallelism: 2,
      checkpointInterval: '200ms',
      restart: { first: '50ms', max: '500ms' },
    },
    (builder) => {
      const windows = builder
        .source('events', partitionLog('events', Event), { outOfOrderness: '1s', idleAfter: '200ms' })
        .filter((event) => {
          attack(event);
          return true;
        })
        .keyBy('key')
        .window(tumbling('1s'))
        .aggregate('totals', { count: count(), sum: sum('n') });
      windows
        .map(({ key, window, value }) => ({
          at: window.start,
          key: key.key,
          count: value.count,
          sum: value.sum ?? 0,
        }))
        .to('out', partitionLog('totals', Total));
      windows.side.late.to('late', partitionLog('late', Event));
    },
  );
}
