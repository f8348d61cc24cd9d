import { setImmediate } from 'node:timers/promises';
import { serialize } from 'node:v8';
import {
  type CheckpointStore,
  type JobEnvironment,
  type JobHandle,
  memoryLogStore,
  openMemoryCheckpointStore,
  openMemoryPartitionLog,
  type PartitionLog,
  runJob,
  seededRandom,
} from '#engine';
import { defineJob, defineOperator, partitionLog, type, valueState } from '#operators';
import { eventTime, f64, type Infer, schema, string } from '#wire';
import { blobsOf } from '../../engine/checkpoint/manifest-codec.ts';
import type { MemoryLogStore } from '../../engine/log/memory-partition-log.ts';
import type { MemoryCheckpointStorage } from '../../engine/checkpoint/memory-checkpoint-store.ts';
import { virtualClock } from '../../operators/testing/index.ts';
import { createJobBench, type JobBench } from './job-bench.ts';
import { hostsOverMessages } from './local-exchange.ts';

const Row = schema('phase-row', { at: eventTime(1), key: string(2), n: f64(3) });
type Row = Infer<typeof Row>;
const Seen = schema('phase-seen', { at: eventTime(1), n: f64(2), seen: f64(3) });
type Seen = Infer<typeof Seen>;

export const JOB = 'phases';
export const INTERVAL_MS = 1_000;
const CHUNK = 8;
const KEYS = 3;

const counting = defineOperator({
  key: type<{ readonly key: string }>(),
  input: type<Row>(),
  output: type<Seen>(),
  state: { seen: valueState<number>() },
  onRecord({ at, n }, { state, emit }) {
    const seen = (state.seen.get() ?? 0) + 1;
    state.seen.set(seen);
    emit({ at, n, seen });
  },
});

/** Two exactly-once sinks behind state, at parallelism 2: what is lost, doubled or counted from the wrong state shows in either. */
const graph = defineJob(
  JOB,
  {
    guarantee: 'exactly-once',
    parallelism: 2,
    // Each attempt would generate its loops anew.
    interpreted: true,
    maxParallelism: 8,
    checkpointInterval: INTERVAL_MS,
    checkpointTimeout: '1h',
    checkpointsRetained: 1,
    restart: { first: '10ms', max: '10ms' },
  },
  (job) => {
    const rows = job.source('in', partitionLog('in', Row)).keyBy('key').process('count', counting);
    rows.to('a', partitionLog('out-a', Seen, { partitions: 2 }));
    rows.to('b', partitionLog('out-b', Seen, { partitions: 1 }));
  },
).graph();

/** Where logs and checkpoints lie, shared by all coordinators of one story. */
export interface PhaseStorage {
  readonly log: PartitionLog;
  readonly store: CheckpointStore;
  /** All of it, to see that nothing has changed; or all but records and blobs, which may be let go of. */
  readonly bytes: (what: 'all' | 'decisions') => Buffer;
}

export function memoryStorage(): PhaseStorage {
  const logs = memoryLogStore();
  const checkpoints: MemoryCheckpointStorage = new Map();
  return {
    log: openMemoryPartitionLog({ clock: virtualClock(), store: logs }),
    store: openMemoryCheckpointStore({ storage: checkpoints }),
    bytes: (what) => serialize([logContent(logs, what), checkpointContent(checkpoints, what)]),
  };
}

/** Without the fences of sinks that nobody knows: an attempt that dies before its first checkpoint is published leaves some. */
function logContent({ partitions }: MemoryLogStore, what: 'all' | 'decisions'): unknown {
  return [...partitions].map(([topic, all]) => [
    topic,
    all.map((partition) => {
      const { jobs, end, chain } = partition;
      const known = [...partition.sinks].filter(
        ([, { committed, stages }]) => committed >= 0 || stages.size > 0,
      );
      return what === 'all' ? { ...partition, sinks: known } : { jobs, end, chain, sinks: known };
    }),
  ]);
}

function checkpointContent(storage: MemoryCheckpointStorage, what: 'all' | 'decisions'): unknown {
  if (what === 'all') return storage;
  return [...storage].map(([job, { control, takeovers, nextId, manifests }]) => [
    job,
    control,
    takeovers,
    nextId,
    manifests,
  ]);
}

/** One coordinator with two hosts and a clock of its own. */
export interface Coordinator {
  readonly handle: JobHandle;
  /** Lets `ms` of its time pass. */
  readonly advance: (ms: number) => void;
  /** Where it is held up; null when it has not come there. */
  readonly heldAt: () => string | null;
  /** It goes on from where it is held up. */
  readonly release: () => void;
}

export class PhaseWorld {
  readonly storage: PhaseStorage;
  /** Every checkpoint id that was ever given out. */
  readonly ids: number[] = [];
  readonly #bench: JobBench;
  #fed = 0;
  #uuids = 0;

  constructor(storage: PhaseStorage) {
    this.storage = storage;
    this.#bench = createJobBench({ log: storage.log });
  }

  get fed(): number {
    return this.#fed;
  }

  /** Appends one more chunk of records. */
  async feed(): Promise<void> {
    const rows = Array.from({ length: CHUNK }, (_, i): Row => {
      const n = this.#fed + i;
      return { at: n, key: `k${n % KEYS}`, n };
    });
    const producer = `feeder-${this.#fed}`;
    await this.#bench.feed('in', Row, rows, { partitionOf: ({ n }) => partitionOf(n), producer });
    this.#fed += CHUNK;
  }

  /** @param hold at the nth passing of this kill point; it stays there until it is released */
  start(hold: { readonly place: string; readonly nth: number } | null = null): Coordinator {
    const clock = virtualClock(1_000_000);
    const gate = Promise.withResolvers<void>();
    let left = hold?.nth ?? Number.POSITIVE_INFINITY;
    let heldAt: string | null = null;
    const { log, store } = this.storage;
    const noting = noted(store, this.ids);
    const environment: JobEnvironment = {
      namespace: 'test',
      log,
      store: noting,
      clock,
      random: seededRandom(7),
      uuid: () => `sink-${this.#uuids++}`,
      owner: 'test',
      openHosts: hostsOverMessages({
        hosts: 2,
        store: noting,
        random: seededRandom(this.#uuids),
        turnsMax: 1,
      }),
      killPoint(name) {
        if (name !== hold?.place || --left !== 0) return;
        heldAt = name;
        return gate.promise;
      },
    };
    const handle = runJob(graph, environment);
    return {
      handle,
      advance: (ms) => clock.advance(ms),
      heldAt: () => heldAt,
      release: () => gate.resolve(),
    };
  }
  /** What each of the two sinks shows, as `n:seen`. */
  async visible(): Promise<readonly string[][]> {
    const { log } = this.storage;
    const rowsOf = async (topic: string) =>
      (await log.topic(topic)) === null ? [] : this.#bench.read(topic, Seen);
    const all = await Promise.all(['out-a', 'out-b'].map(rowsOf));
    return all.map((rows) => rows.sort((a, b) => a.n - b.n).map(({ n, seen }) => `${n}:${seen}`));
  }

  /** What records come to whose offsets are below `ends` in their partition, each once; default: all that were fed. */
  expected(ends: readonly number[] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]): string[] {
    const offsets = [0, 0];
    return Array.from({ length: this.#fed }, (_, n) => n).flatMap((n) => {
      const partition = partitionOf(n);
      const offset = offsets[partition] as number;
      offsets[partition] = offset + 1;
      return offset < (ends[partition] as number) ? [`${n}:${Math.floor(n / KEYS) + 1}`] : [];
    });
  }

  /** The same for what the newest checkpoint has got past. */
  async expectedOfLatest(): Promise<string[]> {
    const ends = [0, 0];
    for (const { partition, offset } of (await this.storage.store.latest(JOB))?.positions ?? [])
      ends[partition] = offset;
    return this.expected(ends);
  }

  async latest(): Promise<number> {
    return (await this.storage.store.latest(JOB))?.id ?? 0;
  }

  /** Stored blobs that no retained manifest names. */
  async garbage(): Promise<readonly string[]> {
    const { store } = this.storage;
    const named = new Set(
      (await store.list(JOB)).flatMap((manifest) => blobsOf(manifest).map(({ key }) => key)),
    );
    return (await store.blobs(JOB)).filter((key) => !named.has(key));
  }
}

/** Records of one key lie in one partition. */
function partitionOf(n: number): number {
  return (n % KEYS) % 2;
}

function noted(store: CheckpointStore, ids: number[]): CheckpointStore {
  return new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      const method = (value as (...args: unknown[]) => unknown).bind(target);
      if (name !== 'nextCheckpointId') return method;
      return async (...args: unknown[]) => {
        const id = (await method(...args)) as number;
        ids.push(id);
        return id;
      };
    },
  });
}

/** Lets turns of the event loop pass until `condition` holds. */
export async function turnsUntil(condition: () => boolean, what: string, turnsMax = 20_000): Promise<void> {
  for (let turn = 0; !condition(); turn++) {
    if (turn === turnsMax) throw new Error(`not within ${turnsMax} turns: ${what}`);
    await setImmediate();
  }
}

/** Lets everything that is under way come to rest. */
export async function rest(turns = 36): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await setImmediate();
}
