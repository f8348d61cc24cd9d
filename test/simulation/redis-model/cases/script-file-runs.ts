import type { RedisWord } from './case.ts';
import { CLUSTER_SCRIPT_RUNS, REMOVED_JOB_RUNS } from './cluster-script-runs.ts';

/** One run of a script file; `gives` is its reply, or the first item of it, as text. */
export type ScriptRun = readonly [
  file: string,
  keys: string,
  args: readonly RedisWord[],
  gives: string | number,
];

const NOW = 1_767_225_600_000;
const FRAME = Buffer.from([0, 1, 254, 255, 13, 10, ...Buffer.from('a frame')]);
const LONG_FRAME = Buffer.alloc(3_000, FRAME);
const LOG = 's m p o';
const STAGE = 'm g g:sink:1';

const log = (name: string) => `engine/log/scripts/${name}.lua`;
const append = (prev: number, records: number, producer = 'p1', epoch = 1): readonly RedisWord[] => [
  producer,
  epoch,
  prev,
  prev + 1,
  prev + records,
  records,
  'deadbeef',
  NOW + prev,
  2,
  FRAME,
];

const LOG_RUNS: readonly ScriptRun[] = [
  [log('append-4'), LOG, append(0, 4), 'NOTOPIC'],
  [log('fence-sink-1'), 'm', ['sink', 1], 'NOTOPIC'],
  [log('register-1'), 'm', ['job', 1, 0], 'NOTOPIC'],
  [log('init-partition-1'), 'm', [9_000_000_000, '', ''], 1],
  [log('init-partition-1'), 'm', [1, '', ''], 0],
  [log('trim-2'), 's m', [NOW, 10], 0],
  [log('append-4'), LOG, append(0, 4), 'OK'],
  [log('append-4'), LOG, append(0, 4), 'DUP'],
  [log('append-4'), LOG, append(9, 1), 'GAP'],
  [log('append-4'), LOG, append(4, 3), 'OK'],
  [log('append-4'), LOG, append(0, 2, 'p1', 2), 'OK'],
  [log('append-4'), LOG, append(2, 2), 'FENCED'],
  [log('append-4'), LOG, append(0, 1, 'p2'), 'OK'],
  [log('append-4'), LOG, append(0, 1, 'p3'), 'OK'],
  [log('append-4'), LOG, append(2, 1, 'p1', 2), 'GAP'],
  [log('fence-sink-1'), 'm', ['sink', 3], 'OK'],
  [log('fence-sink-1'), 'm', ['sink', 2], 'FENCED'],
  [log('stage-3'), STAGE, ['sink', 1, 'sink:1', 2, 0, 1e6, 4, 'cafebabe', FRAME], 'FENCED'],
  [
    log('stage-3'),
    STAGE,
    ['sink', 1, 'sink:1', 3, 0, 1e6, 4, 'cafebabe', FRAME, 2, 'cafed00d', LONG_FRAME],
    'OK',
  ],
  [log('stage-3'), STAGE, ['sink', 1, 'sink:1', 3, 2, 1e6, 4, 'cafebabe', FRAME], 'GAP'],
  [log('stage-3'), STAGE, ['sink', 1, 'sink:1', 3, 1, 1e6, 4, 'cafebabe', FRAME], 'OK'],
  [log('stage-3'), STAGE, ['sink', 1, 'sink:1', 3, 2, 100, 4, 'cafebabe', FRAME], 'OVERSTAGE'],
  [log('stage-3'), 'm g g:sink:2', ['sink', 2, 'sink:2', 3, 0, 1e6, 1, 'cafebabe', FRAME], 'OK'],
  [log('drop-stage-3'), 'm g g:sink:2', ['sink', 'sink:2', 2], 'FENCED'],
  [log('drop-stage-3'), 'm g g:sink:2', ['sink', 'sink:2', 3], 'OK'],
  [log('commit-stage-4'), 's m g g:sink:1', ['sink', 1, 'sink:1', NOW + 9, 2_000, '', 0], 'MORE'],
  [log('commit-stage-4'), 's m g g:sink:1', ['sink', 1, 'sink:1', NOW + 9, 2_000, '', 0], 'DONE'],
  [log('commit-stage-4'), 's m g g:sink:1', ['sink', 1, 'sink:1', NOW + 9, 2_000, '', 0], 'ALREADY'],
  [log('commit-stage-4'), 's m g g:sink:2', ['sink', 2, 'sink:2', NOW + 9, 2_000, 'sink', 2], 'BEHIND'],
  [log('commit-stage-4'), 's m g g:sink:2', ['sink', 2, 'sink:2', NOW + 9, 2_000, '', 0], 'MISSING'],
  [log('stage-3'), STAGE, ['sink', 1, 'sink:1', 3, 0, 1e6, 4, 'cafebabe', FRAME], 'COMMITTED'],
  [log('register-1'), 'm', ['job', 2, 7], 'OK'],
  [log('register-1'), 'm', ['job', 1, 0], 'FENCED'],
  [log('trim-2'), 's m', [NOW, 10], 7],
  [log('init-partition-1'), 'm2', [40, 10, 1_000], 1],
  [log('append-4'), 's2 m2 p2 o2', append(0, 4), 'OK'],
  [log('append-4'), 's2 m2 p2 o2', append(4, 4), 'OK'],
  [log('append-4'), 's2 m2 p2 o2', append(8, 4), 'OK'],
  [log('append-4'), 's2 m2 p2 o2', append(12, 4), 'FULL'],
  [log('trim-2'), 's2 m2', [NOW + 1_004, 1], 4],
  [log('trim-2'), 's2 m2', [NOW + 5_000, 100], 8],
];

const store = (name: string) => `engine/checkpoint/scripts/${name}.lua`;
const blob = (bytes: string, token = '1:a', generation = 2): readonly RedisWord[] => [
  token,
  generation,
  'b1',
  20,
  bytes,
];

const CHECKPOINT_RUNS: readonly ScriptRun[] = [
  [store('take-over-1'), 'ctl', ['a', 'first'], '1:a'],
  [store('next-generation-1'), 'ctl', ['1:x'], 'fenced'],
  [store('next-generation-1'), 'ctl', ['1:a'], 'ok'],
  [store('next-checkpoint-id-1'), 'ctl', ['1:a', 1], 'fenced'],
  [store('next-checkpoint-id-1'), 'ctl', ['1:a', 2], 'ok'],
  [store('write-blob-3'), 'ctl blobs b:1', blob('state', '1:x'), 'fenced'],
  [store('write-blob-3'), 'ctl blobs b:1', blob('state'), 'write'],
  [store('write-blob-3'), 'ctl blobs b:1', blob('state'), 'already'],
  [store('write-blob-3'), 'ctl blobs b:1', blob('other'), 'taken'],
  [store('write-blob-3'), 'ctl blobs b:2', ['1:a', 2, 'b2', 20, LONG_FRAME], 'no-space'],
  [
    store('publish-4'),
    'ctl kept manifests blobs',
    ['1:a', 2, 1, 'checkpoint', 1, 'm1', 'b1', 'b2'],
    'incomplete',
  ],
  [store('publish-4'), 'ctl kept manifests blobs', ['1:a', 2, 1, 'checkpoint', 1, 'm1', 'b1'], 'publish'],
  [store('publish-4'), 'ctl kept manifests blobs', ['1:a', 2, 1, 'checkpoint', 1, 'm1', 'b1'], 'already'],
  [store('publish-4'), 'ctl kept manifests blobs', ['1:a', 2, 10, 'savepoint', 1, 'm10'], 'publish'],
  [store('publish-4'), 'ctl kept manifests blobs', ['1:a', 2, 12, 'checkpoint', 1, 'm12'], 'publish'],
  [store('publish-4'), 'ctl kept manifests blobs', ['1:a', 2, 11, 'checkpoint', 1, 'm11'], 'stale'],
  [store('remove-2'), 'kept manifests', [10], 1],
  [store('remove-2'), 'kept manifests', [10], 0],
  [store('delete-blob-3'), 'ctl blobs b:1', ['b1', '1:x', 12], 0],
  [store('delete-blob-3'), 'ctl blobs b:1', ['b1', '1:a', 13], 0],
  [store('delete-blob-3'), 'ctl blobs b:1', ['b1', '1:a', 12], 5],
  [store('delete-blob-3'), 'ctl blobs b:1', ['b1', '1:a', 12], 0],
  ['engine/redis/scripts/mark-write-1.lua', 'durable', [], 'OK'],
];

const series = (name: string) => `sinks/timeseries/scripts/${name}.lua`;
const HOUR = 490_896; // NOW in hours
const open = (generation: number, undoFrom: number): ScriptRun => [
  series('open-series-4'),
  'fence noted hours undo',
  ['job op', generation, undoFrom, 60_000, 'page:'],
  generation,
];
const write = (
  [generation, seq]: readonly [number, number],
  notes: readonly RedisWord[],
  pages: readonly (readonly RedisWord[])[],
  keysMax = 10,
): ScriptRun => [
  series('write-points-6'),
  `fence noted hours undo undo:${seq - 1} undo:${seq} ${pages.map((_, i) => `page:${HOUR}:${i}`).join(' ')}`,
  [
    'job op',
    generation,
    NOW + seq,
    60_000,
    keysMax,
    seq,
    seq - 2,
    notes.length / 2,
    ...notes,
    ...pages.flatMap((fields) => [fields.length / 2, ...fields]),
  ],
  'ok',
];
const record = (key: string, point: string | Buffer) =>
  Buffer.concat([Buffer.from(`${key.length} ${point.length} ${key}`), Buffer.from(point)]);
const records = (...pairs: readonly (readonly [string, string | Buffer])[]) =>
  Buffer.concat(pairs.map(([key, point]) => record(key, point)));

const SERIES_RUNS: readonly ScriptRun[] = [
  open(1, 0),
  write([1, 1], ['a', HOUR, 'b', HOUR], [[`${NOW} 1.0`, records(['a', 'p1'], ['b', 'p2'])]]),
  write(
    [1, 2],
    ['b', HOUR - 1],
    [
      [`${NOW} 1.0`, record('a', 'p1 again'), `${NOW + 10} 1.0`, record('b', FRAME)],
      [`${NOW} 1.0`, record('c', 'p3')],
    ],
  ),
  write([1, 2], [], [[`${NOW + 10} 1.0`, records(['b', LONG_FRAME], ['a', 'p4'])]]),
  write([1, 3], [], [[`${NOW} 1.0`, records(['b', ''], ['a', FRAME])]]),
  open(2, 2),
  write([2, 2], ['c', HOUR], [[`${NOW} 2.0`, record('c', 'p5')]]),
  write([2, 3], ['a', HOUR + 1], [[`${NOW} 2.0`, record('a', 'p6')]], 1),
  open(3, 3),
  open(4, 0),
];

/** Runs by what they belong to; each begins with an empty server. Every script file of the engine and the sinks is among them. */
export const SCRIPT_RUNS: Readonly<Record<string, readonly ScriptRun[]>> = {
  'partition log': LOG_RUNS,
  'checkpoint store': CHECKPOINT_RUNS,
  'time series': SERIES_RUNS,
  cluster: CLUSTER_SCRIPT_RUNS,
  'removed job': REMOVED_JOB_RUNS,
};
