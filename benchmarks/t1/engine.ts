import { randomUUID } from 'node:crypto';
import {
  type CheckpointStore,
  openMemoryCheckpointStore,
  openMemoryPartitionLog,
  type PartitionLog,
  runJob,
  type Sink,
  type SinkInput,
  type Source,
  systemClock,
  systemRandom,
} from '#engine';
import {
  avg,
  count,
  defineJob,
  type JobDefinition,
  max,
  min,
  partitionLog,
  tumbling,
  type WindowResult,
} from '#operators';
import { cpuMs, digestOf, type Outcome, type ResultRow, ResultRows } from './outcome.ts';
import { perDevice } from './per-device.ts';
import { Measure } from './workload.ts';

export type Form = 'built-in' | 'plain-functions' | 'process' | 'interpreted';

type Values = Readonly<
  Record<
    'n' | 'ta' | 'tl' | 'th' | 'ha' | 'hl' | 'hh' | 'pa' | 'pl' | 'ph' | 'ba' | 'bl' | 'bh',
    number | null
  >
>;
type Row = WindowResult<unknown, Values>;

/** Collects results in memory: the benchmark's sink. */
class ResultSink<Given> implements Sink<Given, 'exactly-once'> {
  readonly kind = 'collect';
  readonly guarantee = 'exactly-once';
  readonly target = 'memory';
  readonly #add: (given: Given) => void;

  constructor(add: (given: Given) => void) {
    this.#add = add;
  }

  async openWriter() {
    return {
      write: (input: SinkInput<Given>) => {
        if (input.kind !== 'rows') throw new Error('window results are rows');
        for (const given of input.rows) this.#add(given);
      },
      prepareCommit: async () => null,
      close: async () => {},
    };
  }
}

function addWindow(rows: ResultRows, { key, window, value: v }: Row): void {
  const device = typeof key === 'string' ? key : (key as { device: string }).device;
  const numbers = [v.n, v.ta, v.tl, v.th, v.ha, v.hl, v.hh, v.pa, v.pl, v.ph, v.ba, v.bl, v.bh];
  rows.add(device, window.start, numbers as number[]);
}

const AGGREGATES = {
  n: count(),
  ta: avg('temperature'),
  tl: min('temperature'),
  th: max('temperature'),
  ha: avg('humidity'),
  hl: min('humidity'),
  hh: max('humidity'),
  pa: avg('pressure'),
  pl: min('pressure'),
  ph: max('pressure'),
  ba: avg('battery'),
  bl: min('battery'),
  bh: max('battery'),
} as const;

/** T1 as a job author writes it. `plain-functions` adds a filter, a map and a key function in plain TypeScript; `process` is an
 * operator of its own, with map state and timers. */
function t1Job(form: Form, source: Source<Measure>, rows: ResultRows): JobDefinition {
  return defineJob(
    't1',
    {
      guarantee: 'exactly-once',
      checkpointInterval: '1s',
      interpreted: form === 'interpreted',
    },
    (job) => {
      const measures = job.source('measures', source, {
        outOfOrderness: '1s',
        idleAfter: '1h',
        maxAhead: '1d',
      });
      if (form === 'process') {
        const sink = new ResultSink<ResultRow>((row) => rows.add(row.device, row.start, row.values));
        measures.keyBy('device').process('per-device', perDevice).to('out', sink);
        return;
      }
      const sink = new ResultSink<Row>((row) => addWindow(rows, row));
      if (form !== 'plain-functions') {
        measures.keyBy('device').window(tumbling('10s')).aggregate('per-device', AGGREGATES).to('out', sink);
        return;
      }
      measures
        .filter((m) => m.battery > -1e9)
        .map((m) => ({
          device: m.device,
          ts: m.ts,
          temperature: m.temperature,
          humidity: m.humidity,
          pressure: m.pressure,
          battery: m.battery,
          power: m.battery * 0.5,
        }))
        .keyBy((m) => m.device)
        .window(tumbling('10s'))
        .aggregate('per-device', AGGREGATES)
        .to('out', sink);
    },
  );
}

/** What a run reads from, and where it keeps its checkpoints. */
interface Place {
  /** Default the topic `t1` of the log. */
  readonly source?: Source<Measure>;
  readonly log: PartitionLog;
  readonly store: CheckpointStore;
}

/** Runs T1 on a source that has all records already, from the first to the last. */
export async function runEngine(
  variant: string,
  form: Form,
  { source = partitionLog('t1', Measure), log, store }: Place,
  events: number,
): Promise<Outcome> {
  const rows = new ResultRows();
  const startedCpu = cpuMs();
  const startedWall = performance.now();
  const handle = runJob(t1Job(form, source, rows).graph(), {
    namespace: 't1',
    log,
    store,
    clock: systemClock,
    random: systemRandom,
    uuid: () => randomUUID(),
    owner: 'bench',
  });
  for (;;) {
    await systemClock.sleep(5);
    const status = handle.status();
    if (status.failures[0] !== undefined) throw new Error(status.failures[0].message);
    if (status.sources.reduce((n, s) => n + s.recordsRead, 0) >= events) break;
  }
  const cpu = cpuMs() - startedCpu;
  const wallMs = performance.now() - startedWall;
  await handle.cancel();
  return { variant, events, cpuMs: cpu, wallMs, rows: rows.length, digest: digestOf(rows.rows()) };
}

/** The same with everything in memory: no Redis, bytes in, results out. */
export async function runEngineOnly(
  form: Form,
  frames: readonly Uint8Array[],
  events: number,
): Promise<Outcome> {
  const log = openMemoryPartitionLog({ clock: systemClock });
  await log.createTopic('t1', { partitions: 1, schema: Measure, quotaBytes: 8 * 1024 ** 3 });
  for (const frame of frames) await log.append('t1', 0, frame);
  return runEngine(`engine-only, ${form}`, form, { log, store: openMemoryCheckpointStore() }, events);
}
