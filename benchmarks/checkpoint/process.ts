import {
  checkpointId,
  generation,
  openMemoryCheckpointStore,
  type Operator,
  type OperatorState,
  systemClock,
} from '#engine';
import { defineOperator, type KeyedOperator, type, valueState } from '#operators';
import { BatchBuilder, decodeFrame, encodeFrame, eventTime, type Infer, i32, schema, string } from '#wire';
import { SnapshotWriter } from '../../engine/checkpoint/snapshot-writer.ts';
import { createKeySpace } from '../../engine/state/key-space.ts';
import { processOperator } from '../../operators/define-operator.ts';
import { cpuMs } from '../t1/outcome.ts';
import { measureSnapshots } from './measure.ts';
import type { CheckpointOutcome, CheckpointWorkload } from './outcome.ts';

const Hit = schema('hit', { ts: eventTime(1), device: string(2), n: i32(3) });
type Hit = Infer<typeof Hit>;

const BATCH_RECORDS = 1_000;
const MAX_PARALLELISM = 128;
const START_MS = 1_700_000_000_000;
const TIMER_MS = 86_400_000;
const KEYS = { kind: 'fields', fields: ['device'] } as const;
/** One in twenty. */
const DIRTY_GROUPS = Math.floor(MAX_PARALLELISM / 20);

const counting = defineOperator({
  key: type<{ device: string }>(),
  input: type<Hit>(),
  output: type<number>(),
  state: { sum: valueState<number>() },
  onRecord({ n }, { state, timers }) {
    state.sum.set((state.sum.get() ?? 0) + n);
    timers.at(START_MS + TIMER_MS);
  },
  onTimer: (_, { state }) => state.sum.clear(),
});

export const processState: CheckpointWorkload = {
  title: 'process: a number in value state and an event-time timer per key of one string',
  async run(keys, snapshots) {
    const definition = processOperator(counting as KeyedOperator<unknown, unknown, unknown, unknown>);
    const devices = Array.from({ length: keys }, (_, i) => `device-${(i * 7_919) % keys}`);
    const outcome = await measureSnapshots({
      definition,
      keyFields: KEYS.fields,
      keys: new Set(devices).size,
      snapshots,
      frames: framesOf(devices),
      decode: (frame) => decodeFrame(frame, () => Hit).batch,
    });
    return { ...outcome, incremental: await incremental(definition.create, devices) };
  },
};

/** A whole snapshot, and one after records of a few key groups. */
async function incremental(
  create: ReturnType<typeof processOperator>['create'],
  devices: readonly string[],
): Promise<NonNullable<CheckpointOutcome['incremental']>> {
  const output = { records() {}, watermark() {}, idle() {} };
  const operator = create({
    job: 'checkpoint',
    operator: 'under-test',
    subtask: 0,
    parallelism: 1,
    maxParallelism: MAX_PARALLELISM,
    generation: generation(1),
    clock: systemClock,
    signal: new AbortController().signal,
    stages: [],
    inputStages: [],
    keys: KEYS,
    inputKeys: [KEYS],
    output,
    side: () => output,
    onRecordError: (error) => {
      throw error;
    },
    wake: () => {},
    interpreted: false,
  }) as Operator;
  const feed = (some: readonly string[]) => {
    for (const frame of framesOf(some))
      operator.records({ kind: 'columns', batch: decodeFrame(frame, () => Hit).batch, selection: null });
  };
  const store = openMemoryCheckpointStore({ reservedBytes: 8 * 1024 ** 3 });
  const ownership = await store.takeOver('checkpoint', 'bench');
  const writer = new SnapshotWriter({ store, ownership, clock: systemClock });
  const write = (id: number) =>
    writer.write(checkpointId(id), {
      operator: 'under-test',
      subtask: 0,
      parallelism: 1,
      state: operator.snapshot?.() as OperatorState,
    });
  feed(devices);
  const whole = await write(1);
  const space = createKeySpace(KEYS, MAX_PARALLELISM);
  feed(devices.filter((device) => space.group(space.slotOfRow({ device })) < DIRTY_GROUPS));
  const started = cpuMs();
  const part = await write(2);
  return {
    dirtyShare: DIRTY_GROUPS / MAX_PARALLELISM,
    bytes: whole.writtenBytes,
    writtenBytes: part.writtenBytes,
    cpuMs: cpuMs() - started,
  };
}

function framesOf(devices: readonly string[]): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let from = 0; from < devices.length; from += BATCH_RECORDS) {
    const builder = new BatchBuilder(Hit);
    for (const [i, device] of devices.slice(from, from + BATCH_RECORDS).entries())
      builder.append({ ts: START_MS + (i % 1_000), device, n: i });
    const head = { producer: 'bench', epoch: 1, prev: from, first: from + 1, watermark: Number.NaN } as const;
    frames.push(encodeFrame(builder.finish(), { ...head, compression: 'none' }));
  }
  return frames;
}
