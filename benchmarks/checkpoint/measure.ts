import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  checkpointId,
  generation,
  openMemoryCheckpointStore,
  type Operator,
  type OperatorContext,
  type OperatorDefinition,
  type OperatorState,
  type Output,
  systemClock,
} from '#engine';
import type { Batch } from '#wire';
import { RestoredState } from '../../engine/checkpoint/restored-state.ts';
import { SnapshotWriter } from '../../engine/checkpoint/snapshot-writer.ts';
import { median } from '../median.ts';
import { cpuMs } from '../t1/outcome.ts';
import type { CheckpointOutcome, SnapshotOutcome } from './outcome.ts';

const OPERATOR = 'under-test';
const JOB = 'checkpoint';
const MAX_PARALLELISM = 128;
/** Batches without a snapshot, to know what they cost. */
const QUIET_BATCHES = 1_000;

export interface Measured {
  readonly definition: OperatorDefinition<Operator>;
  readonly keyFields: readonly string[];
  readonly keys: number;
  readonly snapshots: number;
  /** Together every key once; given over and over, one per turn. */
  readonly frames: readonly Uint8Array[];
  readonly decode: (frame: Uint8Array) => Batch;
}

/** Feeds an operator without a pause while its snapshots are written; then restores the last one into a new operator. */
export async function measureSnapshots(measured: Measured): Promise<CheckpointOutcome> {
  const bytesBefore = await bytesHeld();
  const feed = new Feed(open(measured), measured);
  const store = openMemoryCheckpointStore({ reservedBytes: 8 * 1024 ** 3 });
  const ownership = await store.takeOver(JOB, 'bench');
  const writer = new SnapshotWriter({ store, ownership, clock: systemClock });
  // All keys, then once more, so that what is measured is compiled code.
  await feed.turns(2 * measured.frames.length);
  const bytesPerKey = ((await bytesHeld()) - bytesBefore) / measured.keys;
  const quiet = await feed.turns(QUIET_BATCHES);
  const turnMs = median(quiet.gaps);
  const snapshots: SnapshotOutcome[] = [];
  let restoreCpuMs = Number.NaN;
  for (let id = 1; id <= measured.snapshots; id++) {
    let written: Awaited<ReturnType<SnapshotWriter['write']>> | null = null;
    let barrierMs = 0;
    const turns = await feed.turnsUntil(
      () => written !== null,
      (operator) => {
        const started = performance.now();
        const state = operator.snapshot?.() as OperatorState;
        barrierMs = performance.now() - started;
        void writer
          .write(checkpointId(id), { operator: OPERATOR, subtask: 0, parallelism: 1, state })
          .then((it) => {
            written = it;
          });
      },
    );
    const { ref, stateBytes } = written as unknown as Awaited<ReturnType<SnapshotWriter['write']>>;
    snapshots.push({
      barrierMs,
      stallMs: Math.max(...turns.gaps) - turnMs,
      stallCpuMs: Math.max(...turns.threadGaps),
      stallCpuP99Ms: turns.threadGaps.toSorted((a, b) => a - b)[
        Math.floor(turns.threadGaps.length * 0.99)
      ] as number,
      wallMs: turns.wallMs,
      cpuMs: turns.cpuMs - (turns.gaps.length * quiet.cpuMs) / quiet.gaps.length,
      bytes: stateBytes,
      batches: turns.gaps.length,
    });
    if (id === measured.snapshots) {
      const manifest = {
        job: JOB,
        id: checkpointId(id),
        maxParallelism: MAX_PARALLELISM,
        snapshots: [ref],
        sinks: [],
      };
      restoreCpuMs = await restore(measured, store, manifest as never);
    }
    await feed.turns(100);
  }
  return {
    keys: measured.keys,
    bytesPerKey,
    turnMs,
    quietStallMs: Math.max(...quiet.gaps) - turnMs,
    quietStallCpuMs: Math.max(...quiet.threadGaps),
    snapshots,
    restoreCpuMs,
  };
}

/** Runs an operator's batches, one per turn of the event loop. */
class Feed {
  readonly #operator: Operator;
  readonly #frames: readonly Uint8Array[];
  readonly #decode: Measured['decode'];
  #next = 0;

  constructor(operator: Operator, { frames, decode }: Pick<Measured, 'frames' | 'decode'>) {
    this.#operator = operator;
    this.#frames = frames;
    this.#decode = decode;
  }

  turns(count: number): Promise<Turns> {
    let left = count;
    return this.turnsUntil(
      () => left-- === 0,
      () => {},
    );
  }

  /** @param barrier called once, between the first batch and the second */
  async turnsUntil(isDone: () => boolean, barrier: (operator: Operator) => void): Promise<Turns> {
    const gaps: number[] = [];
    const threadGaps: number[] = [];
    const startedCpu = cpuMs();
    const started = performance.now();
    let last = started;
    let lastThread = threadCpuMs();
    while (!isDone()) {
      const batch = this.#decode(this.#frames[this.#next++ % this.#frames.length] as Uint8Array);
      this.#operator.records({ kind: 'columns', batch, selection: null });
      if (gaps.length === 0) barrier(this.#operator);
      await systemClock.yieldTurn();
      const now = performance.now();
      gaps.push(now - last);
      last = now;
      const thread = threadCpuMs();
      threadGaps.push(thread - lastThread);
      lastThread = thread;
    }
    return { gaps, threadGaps, cpuMs: cpuMs() - startedCpu, wallMs: performance.now() - started };
  }
}

interface Turns {
  /** From the start of each batch to that of the next, ms. */
  readonly gaps: readonly number[];
  /** The same in CPU time of this thread, garbage collection included, which other processes do not lengthen. */
  readonly threadGaps: readonly number[];
  readonly cpuMs: number;
  readonly wallMs: number;
}

/** CPU time, ms. */
async function restore(
  measured: Measured,
  store: Parameters<typeof RestoredState.load>[0],
  manifest: Parameters<typeof RestoredState.load>[1],
): Promise<number> {
  const started = cpuMs();
  const restored = await RestoredState.load(store, manifest, {
    operators: new Set([OPERATOR]),
    maxParallelism: MAX_PARALLELISM,
    parallelism: 1,
    subtasks: [0],
  });
  const operator = open(measured);
  operator.restore?.(restored.parts(OPERATOR, 0, 1, MAX_PARALLELISM));
  const taken = cpuMs() - started;
  const keys = operator.counters?.().keys;
  if (keys !== measured.keys) throw new Error(`${measured.keys} keys were stored, ${keys} have come back.`);
  return taken;
}

function open({ definition, keyFields }: Measured): Operator {
  const keys = { kind: 'fields', fields: keyFields } as const;
  const output: Output = { records() {}, watermark() {}, idle() {} };
  const context: OperatorContext = {
    job: JOB,
    operator: OPERATOR,
    subtask: 0,
    parallelism: 1,
    maxParallelism: MAX_PARALLELISM,
    generation: generation(1),
    clock: systemClock,
    signal: new AbortController().signal,
    stages: [],
    inputStages: [],
    keys,
    inputKeys: [keys],
    output,
    side: () => output,
    onRecordError: (error) => {
      throw error;
    },
    wake: () => {},
    interpreted: false,
  };
  return definition.create(context);
}

/** What lives on the heap and in buffers, which are given back some time after they were collected. */
async function bytesHeld(): Promise<number> {
  collectGarbage();
  await systemClock.sleep(500);
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Linux brings a thread's own figure up to date when its scheduler runs, and when the process's is asked for. */
function threadCpuMs(): number {
  process.cpuUsage();
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
