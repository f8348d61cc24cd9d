import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { lmdbState, type OpenStateBackend, type Operator, type Records, systemClock } from '#engine';
import { defineOperator, type, valueState } from '#operators';
import { BatchBuilder, eventTime, f64, i32, type Infer, schema, seededRandom, string } from '#wire';
import { generation } from '../../engine/base/brand.ts';
import { encodeSnapshot } from '../../test/support/stored-snapshot.ts';
import { processOperator } from '../../operators/define-operator.ts';
import { heapState } from '../../operators/state/keyed-state.ts';

const HELP = `Usage: node --expose-gc benchmarks/micro/lmdb-state.ts [options]

A process operator counts records per key, in one value state. First every key comes once, in no order (fill); then 80 % of the
records go to 5 % of the keys (update). Counts CPU time of the operator alone, with garbage collection, and anonymous memory: what
a process has beside the pages of its files.

  --keys <n>          default 10000000
  --updates <n>       default 10000000
  --hot <n>           keys in memory, default 1000000
  --key i32|string    default string
  --state disk|memory default disk
  --snapshot          takes a snapshot at the end, encoded as for a checkpoint
  --help
`;

const Row = schema('row', { ts: eventTime(1), id: i32(2), device: string(3), value: f64(4) });
type Row = Infer<typeof Row>;
const BATCH = 1024;
const BATCHES_PER_SAMPLE = 256;
const HOT_RECORDS = 0.8;
const HOT_KEYS = 0.05;

const { values: options } = parseArgs({
  options: {
    keys: { type: 'string', default: '10000000' },
    updates: { type: 'string', default: '10000000' },
    hot: { type: 'string', default: '1000000' },
    key: { type: 'string', default: 'string' },
    state: { type: 'string', default: 'disk' },
    snapshot: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (options.help) process.stdout.write(HELP);
else {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
  try {
    await measure(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(folder: string): Promise<void> {
  const [keys, updates, hot] = [options.keys, options.updates, options.hot].map(Number) as [
    number,
    number,
    number,
  ];
  const backend = options.state === 'disk' ? await lmdbState({ folder, hotKeysMax: hot }) : heapState;
  const operator = counter(backend);
  const random = seededRandom(42);
  const stride = strideThrough(keys);
  report('start', anonymousBytes());
  const fill = run(operator, keys, (i) => (i * stride) % keys);
  report('fill', fill);
  const anyKey = () => {
    const isHot = random() < HOT_RECORDS;
    return isHot
      ? Math.floor(random() * keys * HOT_KEYS) * Math.round(1 / HOT_KEYS)
      : Math.floor(random() * keys);
  };
  report('update', run(operator, updates, anyKey));
  globalThis.gc?.();
  report('end', anonymousBytes());
  report('files', filesBytes(folder));
  if (options.snapshot) report('snapshot', snapshot(operator));
  await operator.close?.();
}

function counter(backend: OpenStateBackend): Operator {
  const definition = defineOperator({
    key: type<unknown>(),
    input: type<Row>(),
    output: type<never>(),
    state: { count: valueState<number>() },
    onRecord(_, { state: { count } }) {
      count.set((count.get() ?? 0) + 1);
    },
  });
  const keys = { kind: 'fields', fields: [options.key === 'i32' ? 'id' : 'device'] } as const;
  const nowhere = { records() {}, watermark() {}, idle() {} };
  return processOperator(definition as never, backend).create({
    job: 'bench',
    operator: 'count',
    subtask: 0,
    parallelism: 1,
    maxParallelism: 128,
    generation: generation(1),
    clock: systemClock,
    signal: new AbortController().signal,
    stages: [],
    inputStages: [],
    keys,
    inputKeys: [keys],
    output: nowhere,
    side: () => nowhere,
    onRecordError(error) {
      throw error;
    },
    wake() {},
    interpreted: false,
  });
}

function run(operator: Operator, count: number, keyAt: (i: number) => number) {
  const builder = new BatchBuilder(Row);
  let microseconds = 0;
  let longestMs = 0;
  let peakBytes = 0;
  for (let at = 0; at < count; ) {
    for (const end = Math.min(count, at + BATCH); at < end; at++) {
      const id = keyAt(at);
      builder.append({ ts: at, id, device: `device-${String(id).padStart(8, '0')}`, value: at });
    }
    const records: Records = { kind: 'columns', batch: builder.finish(), selection: null };
    const before = process.cpuUsage();
    operator.records(records);
    const used = process.cpuUsage(before);
    microseconds += used.user + used.system;
    longestMs = Math.max(longestMs, (used.user + used.system) / 1000);
    if ((at / BATCH) % BATCHES_PER_SAMPLE === 0) peakBytes = Math.max(peakBytes, anonymousBytes());
  }
  return { count, perCpuSecond: Math.round((count * 1e6) / microseconds), longestMs, peakBytes };
}

function snapshot(operator: Operator) {
  const before = process.cpuUsage();
  const state = operator.snapshot?.();
  const takenBytes = anonymousBytes();
  const stored = state === undefined ? 0 : encodeSnapshot(state).length;
  const { user, system } = process.cpuUsage(before);
  return {
    storedBytes: stored,
    cpuSeconds: (user + system) / 1e6,
    takenBytes,
    encodedBytes: anonymousBytes(),
  };
}

/** A step that meets every key once, far from its neighbours. */
function strideThrough(keys: number): number {
  const common = (a: number, b: number): number => (b === 0 ? a : common(b, a % b));
  let stride = Math.max(1, Math.floor(keys * 0.618));
  while (common(stride, keys) !== 1) stride++;
  return stride;
}

/** Memory of this process without the pages of mapped files. */
function anonymousBytes(): number {
  const text = readFileSync('/proc/self/smaps_rollup', 'utf8');
  return Number(/^Anonymous:\s+(\d+) kB/m.exec(text)?.[1]) * 1024;
}

function filesBytes(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).reduce(
    (sum, name) => sum + statSync(join(folder, name)).size,
    0,
  );
}

function report(what: string, figures: unknown): void {
  process.stdout.write(`${what.padEnd(8)} ${JSON.stringify(figures)}\n`);
}
