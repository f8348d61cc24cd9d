import { parseArgs } from 'node:util';
import { type OperatorState, systemClock } from '#engine';
import { checkpointId } from '../../engine/base/brand.ts';
import type { CheckpointStore } from '../../engine/checkpoint/checkpoint-store.ts';
import type { Manifest, SnapshotRef } from '../../engine/checkpoint/manifest.ts';
import { openRedisCheckpointStore } from '../../engine/checkpoint/redis-checkpoint-store.ts';
import { RestoredState } from '../../engine/checkpoint/restored-state.ts';
import { SnapshotWriter } from '../../engine/checkpoint/snapshot-writer.ts';
import { LazyGroups } from '../../engine/state/lazy-groups.ts';
import { startRedis } from '../../test/support/redis-server.ts';

const HELP = `Usage: node benchmarks/micro/snapshots.ts [options]

Writes, restores and writes again the keyed state of one subtask, on a Redis of its own: keys of 38 characters with six
numbers each, a column per number, as aggregates store them. CPU time of this process, all threads.

  --keys <n>       default 1000000
  --groups <n>     key groups, default 128
  --dirty <n>      groups of the incremental snapshot, default 6
  --help
`;

const { values: options } = parseArgs({
  options: {
    keys: { type: 'string', default: '1000000' },
    groups: { type: 'string', default: '128' },
    dirty: { type: 'string', default: '6' },
    help: { type: 'boolean', default: false },
  },
});
const [KEYS, GROUPS, DIRTY] = [options.keys, options.groups, options.dirty].map(Number) as [
  number,
  number,
  number,
];

const KEY_BYTES = 38;

if (options.help) process.stdout.write(HELP);
else await measure();

async function measure(): Promise<void> {
  const server = await startRedis();
  const store = await openRedisCheckpointStore({
    url: server.url,
    namespace: 'bench',
    durability: 'process',
    clock: systemClock,
    reservedBytes: 4 * 1024 ** 3,
  });
  try {
    await run(store);
  } finally {
    await store.close();
    await server.stop();
  }
}

async function run(store: CheckpointStore): Promise<void> {
  const groups = Array.from({ length: GROUPS }, (_, group) => groupOf(group, Math.floor(KEYS / GROUPS)));
  const ownership = await store.takeOver('bench', 'bench');
  const writer = new SnapshotWriter({ store, ownership, clock: systemClock });
  const write = async (what: string, state: OperatorState) => {
    const id = await store.nextCheckpointId(ownership);
    const snapshot = { operator: 'agg', subtask: 0, parallelism: 1, state };
    const written = await timed(what, () => writer.write(id, snapshot));
    console.log(
      `  ${(written.writtenBytes / 1e6).toFixed(1)} MB of ${(written.stateBytes / 1e6).toFixed(1)} MB`,
    );
    const manifest = manifestOf(written.ref, id);
    await timed('  publish', () =>
      store.publish(ownership, { ...manifest, generation: ownership.generation }, 3),
    );
    return manifest;
  };
  const clean = {
    watermark: 0,
    idle: false,
    items: [],
    groups: new LazyGroups(groups.keys(), (i) => groups[i]?.()),
  };
  await write('full snapshot', clean);
  const dirty = new Set(Array.from({ length: DIRTY }, (_, i) => Math.floor((i * GROUPS) / DIRTY)));
  const manifest = await write(`snapshot, ${DIRTY} of ${GROUPS} groups dirty`, {
    ...clean,
    watermark: 1,
    dirty,
  });
  const restored = await timed('read', () =>
    RestoredState.load(store, manifest, {
      operators: new Set(['agg']),
      maxParallelism: GROUPS,
      parallelism: 1,
      subtasks: [0],
    }),
  );
  await timed('decode', async () => {
    for (const part of restored.parts('agg', 0, 1, GROUPS))
      for (const group of part.groups.values()) void group;
  });
}

interface Group {
  readonly keys: readonly Uint8Array[];
  readonly columns: readonly Float64Array[];
}

/** Keeps the group's keys as one text and cuts it when asked, as operators do. Values vary like readings: neither constant nor noise. */
function groupOf(group: number, keys: number): () => Group {
  const column = (n: number) =>
    Float64Array.from({ length: keys }, (_, i) => Math.round((20 + 5 * Math.sin(i * n + group)) * 1e4) / 1e4);
  const columns = [1, 2, 3, 4, 5, 6].map(column);
  const key = (i: number) =>
    `tenant-${group % 20}/device-${String(group * keys + i).padStart(21, '0')}`.padEnd(KEY_BYTES, '#');
  const text = Buffer.from(Array.from({ length: keys }, (_, i) => key(i)).join(''));
  return () => ({
    keys: Array.from({ length: keys }, (_, i) => text.subarray(i * KEY_BYTES, (i + 1) * KEY_BYTES)),
    columns,
  });
}

async function timed<T>(what: string, act: () => Promise<T>): Promise<T> {
  const [cpu, start] = [process.cpuUsage(), performance.now()];
  const result = await act();
  const { user, system } = process.cpuUsage(cpu);
  console.log(
    `${what}: ${(performance.now() - start).toFixed(0)} ms, CPU ${((user + system) / 1000).toFixed(0)} ms`,
  );
  return result;
}

function manifestOf(snapshot: SnapshotRef, id: number): Manifest {
  return {
    format: 2,
    job: 'bench',
    jobVersion: '',
    id: checkpointId(id),
    generation: 1 as Manifest['generation'],
    kind: 'checkpoint',
    triggeredAt: 0,
    completedAt: 0,
    parallelism: 1,
    maxParallelism: GROUPS,
    operators: [],
    snapshots: [snapshot],
    positions: [],
    sinks: [],
  };
}
