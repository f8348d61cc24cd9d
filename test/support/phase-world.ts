import { setImmediate } from 'node:timers/promises';
import { serialize } from 'node:v8';
import {
  type CheckpointStore,
  errorText,
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
const REST_TURNS = 36;
const TURNS_MAX = 20_000;

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
  readonly bytes: (what: 'all' | 'decisions') => Promise<Buffer>;
  /** Output that is staged and neither committed nor dropped. */
  readonly staged: () => Promise<readonly string[]>;
  /** Lets everything that is under way come to rest: for some turns of the event loop or, where there is real I/O, until `settled`. */
  readonly rest: (settled: () => boolean) => Promise<void>;
  /** Waits for `condition`. @throws when it takes too long */
  readonly until: (condition: () => boolean, what: string) => Promise<void>;
  readonly close: () => Promise<void>;
}

export function memoryStorage(): PhaseStorage {
  const logs = memoryLogStore();
  const checkpoints: MemoryCheckpointStorage = new Map();
  return {
    log: openMemoryPartitionLog({ clock: virtualClock(), store: logs }),
    store: openMemoryCheckpointStore({ storage: checkpoints }),
    bytes: async (what) => serialize([logContent(logs, what), checkpointContent(checkpoints, what)]),
    staged: async () =>
      [...logs.partitions].flatMap(([topic, all]) =>
        all.flatMap(({ sinks }) =>
          [...sinks].flatMap(([sink, { stages }]) =>
            [...stages.keys()].map((seq) => `${topic} ${sink}:${seq}`),
          ),
        ),
      ),
    async rest() {
      for (let turn = 0; turn < REST_TURNS; turn++) await setImmediate();
    },
    async until(condition, what) {
      for (let turn = 0; !condition(); turn++) {
        if (turn === TURNS_MAX) throw new Error(`not within ${TURNS_MAX} turns: ${what}`);
        await setImmediate();
      }
    },
    close: async () => {},
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
  /** It is held up, or runs, has taken every record and takes no checkpoint. */
  readonly settled: () => boolean;
}

/** How a world is told of what its coordinators do, and goes on from an earlier one on the same storage. */
export interface PhaseWorldOptions {
  /** Sets apart what is named here from what another world on this storage names. */
  readonly life?: string;
  /** Records in the log. */
  readonly fed?: number;
  readonly onId?: (id: number) => void;
  /** A coordinator passes a kill point. */
  readonly onPassing?: (place: string) => void;
}

export class PhaseWorld {
  readonly storage: PhaseStorage;
  /** Every checkpoint id that was ever given out. */
  readonly ids: number[] = [];
  readonly #bench: JobBench;
  readonly #options: PhaseWorldOptions;
  readonly #coordinators: Coordinator[] = [];
  #fed: number;
  #uuids = 0;

  constructor(storage: PhaseStorage, options: PhaseWorldOptions = {}) {
    this.storage = storage;
    this.#options = options;
    this.#fed = options.fed ?? 0;
    this.#bench = createJobBench({ log: storage.log });
  }

  get fed(): number {
    return this.#fed;
  }

  /** Takes notice of what a coordinator elsewhere has fed and was given. */
  async learn(ids: readonly number[]): Promise<void> {
    this.ids.push(...ids);
    this.#fed = (await this.storage.log.ends('in')).reduce((sum, { end }) => sum + end, 0);
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
    const { life = 'a', onId, onPassing } = this.#options;
    const taken = new Map<number, number>();
    const noting = noted(this.storage.store, (id) => {
      this.ids.push(id);
      onId?.(id);
    });
    const environment: JobEnvironment = {
      namespace: 'test',
      log: followed(this.storage.log, taken),
      store: noting,
      clock,
      random: seededRandom(7),
      uuid: () => `sink-${life}-${this.#uuids++}`,
      owner: 'test',
      openHosts: hostsOverMessages({
        hosts: 2,
        store: noting,
        random: seededRandom(this.#uuids),
        turnsMax: 1,
      }),
      killPoint(name) {
        onPassing?.(name);
        if (name !== hold?.place || --left !== 0) return;
        heldAt = name;
        return gate.promise;
      },
    };
    const handle = runJob(graph, environment);
    const coordinator: Coordinator = {
      handle,
      advance: (ms) => clock.advance(ms),
      heldAt: () => heldAt,
      release: () => gate.resolve(),
      settled: () => {
        const { state, checkpoints } = handle.status();
        const records = [...taken.values()].reduce((sum, offset) => sum + offset, 0);
        const idle = checkpoints.inProgress === null && records === this.#fed;
        return heldAt !== null || (state === 'running' && idle);
      },
    };
    this.#coordinators.push(coordinator);
    return coordinator;
  }

  /** Ends what still runs here, also what is held up. */
  async end(): Promise<void> {
    for (const { release } of this.#coordinators) release();
    await Promise.all(this.#coordinators.map(({ handle }) => handle.cancel()));
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

  /** What retained manifests name and cannot be read. */
  async missing(): Promise<readonly string[]> {
    const { store } = this.storage;
    const refs = (await store.list(JOB)).flatMap(blobsOf);
    const looks = refs.map((ref) => store.readBlob(JOB, ref).then(() => [], errorText));
    return (await Promise.all(looks)).flat();
  }
}

/** Records of one key lie in one partition. */
function partitionOf(n: number): number {
  return (n % KEYS) % 2;
}

/** Tells of every id that it gives out. */
function noted(store: CheckpointStore, onId: (id: number) => void): CheckpointStore {
  return withMethod(store, 'nextCheckpointId', (next) => async (ownership) => {
    const id = await next(ownership);
    onId(id);
    return id;
  });
}

/** Notes how far its readers have been taken from, by partition. */
function followed(log: PartitionLog, taken: Map<number, number>): PartitionLog {
  return withMethod(log, 'openReader', (open) => async (options) => {
    for (const [partition, { offset }] of options.positions) taken.set(partition, offset);
    return withMethod(await open(options), 'take', (take) => () => {
      const frame = take();
      if (frame !== null) taken.set(frame.partition, frame.next.offset);
      return frame;
    });
  });
}

/** The same, but for one method. */
function withMethod<T extends object, Name extends keyof T>(
  target: T,
  name: Name,
  around: (method: T[Name]) => T[Name],
): T {
  return new Proxy(target, {
    get(_, asked) {
      const value: unknown = Reflect.get(target, asked);
      if (typeof value !== 'function') return value;
      const method = (value as (...args: unknown[]) => unknown).bind(target) as T[Name];
      return asked === name ? around(method) : method;
    },
  });
}
