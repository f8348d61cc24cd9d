import { deepStrictEqual } from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import t from 'tap';
import { type Element, MAX_WATERMARK, MillraceError, seededRandom, type Source } from '#engine';
import { count, defineJob, defineOperator, partitionLog, tumbling, type, valueState } from '#operators';
import { eventTime, f64, type Infer, schema, string } from '#wire';
import type { OpenHosts } from '../../../engine/coordinator/open-hosts.ts';
import type { HostHandle } from '../../../engine/host/host-protocol.ts';
import { virtualClock } from '../../../operators/testing/index.ts';
import { createJobBench } from '../../support/job-bench.ts';
import { hostsOverMessages, otherwise } from '../../support/local-exchange.ts';
import { rowRecords } from '../../support/operator-bench.ts';
import { propertyRuns } from '../../support/property-runs.ts';

const Row = schema('hosts-row', { at: eventTime(1), key: string(2), n: f64(3) });
type Row = Infer<typeof Row>;
t.setTimeout(600_000);
const SIZE = 100;

interface Setting {
  readonly parallelism: number;
  readonly hosts: number;
  readonly seed: number;
  readonly rows: number;
  readonly isAsync: boolean;
  readonly isUnion: boolean;
  readonly isWindowed: 'keyed' | 'all';
  /** Checkpoints that a host declines, at once or once it is done; hosts that are lost in one. */
  readonly declines: number;
  readonly losses: number;
}

/** A bounded source: batches, watermarks and idleness as drawn; restored to where its subtask was. */
function scripted(seed: number, rows: number): Source<Row> {
  return {
    kind: 'script',
    target: 'script',
    async open({ subtask, parallelism, restored }) {
      const elements = scriptOf(seeded(seed, subtask), rows, subtask, parallelism);
      const stored = restored as readonly { readonly subtask: number; readonly at: number }[];
      // Its end is said again after a restore behind it.
      let at = Math.min(stored.find((item) => item.subtask === subtask)?.at ?? 0, elements.length - 1);
      return {
        poll: () => elements[at++] ?? (at--, null),
        snapshot: () => ({ items: [{ subtask, at }], positions: [] }),
        status: () => [],
        close: async () => {},
      };
    },
  };
}

const seeded = (seed: number, stream: number) => seededRandom(seed * 31 + stream);

function scriptOf(random: () => number, total: number, subtask: number, parallelism: number): Element[] {
  const elements: Element[] = [];
  let time = 1_000;
  for (let n = subtask; n < total; ) {
    const batch: Row[] = [];
    for (let left = 1 + Math.floor(random() * 6); left > 0 && n < total; left--, n += parallelism) {
      time += Math.floor(random() * 30);
      batch.push({ at: time, key: `k${n % 7}`, n });
    }
    elements.push({
      kind: 'records',
      records: rowRecords(
        batch,
        batch.map((row) => row.at),
      ),
    });
    if (random() < 0.5) elements.push({ kind: 'watermark', time: time - 1 });
  }
  if (random() < 0.5) elements.push({ kind: 'idle' });
  return [...elements, { kind: 'watermark', time: MAX_WATERMARK }, { kind: 'end' }];
}

const counting = defineOperator({
  key: type<{ readonly key: string }>(),
  input: type<Row>(),
  output: type<Row>(),
  state: { seen: valueState<number>() },
  onRecord(row, { state, timers, emit }) {
    const seen = (state.seen.get() ?? 0) + 1;
    state.seen.set(seen);
    if (seen === 1) timers.at(1e9);
    emit({ ...row, n: seen });
  },
  onTimer(_, { key, state, emit }) {
    emit({ at: 1e9, key: key.key, n: -(state.seen.get() ?? 0) });
  },
});

function jobOf({ parallelism, seed, rows, isAsync, isUnion, isWindowed }: Setting) {
  const settings = {
    guarantee: 'exactly-once',
    parallelism,
    maxParallelism: 16,
    interpreted: true,
    checkpointInterval: '100ms',
    checkpointTimeout: '20s',
    checkpointFailuresTolerable: 1_000,
    restart: { first: '10ms', max: '50ms' },
  } as const;
  return defineJob('hosts', settings, (job) => {
    const left = job.source('left', scripted(seed, rows));
    const joined = isUnion ? left.union(job.source('right', scripted(seed + 1, rows))) : left;
    const all = isAsync
      ? joined.asyncMap('wait', async (row) => (await setImmediate(), row), { concurrency: 5 })
      : joined;
    all.to('ids', partitionLog('ids', Row, { partitions: 2 }));
    all
      .keyBy('key')
      .process('count', counting)
      .to('counts', partitionLog('counts', Row, { partitions: 1 }));
    const windows = tumbling(SIZE);
    if (isWindowed === 'keyed') {
      all
        .keyBy('key')
        .window(windows)
        .aggregate('windows', { n: count() })
        .map(({ key, window, value }): Row => ({ at: window.start, key: key.key, n: value.n }))
        .to('out', partitionLog('out', Row, { partitions: 1 }));
    } else {
      all
        .windowAll(windows)
        .aggregate('windows', { n: count() })
        .map(({ window, value }): Row => ({ at: window.start, key: 'all', n: value.n }))
        .to('out', partitionLog('out', Row, { partitions: 1 }));
    }
  }).graph();
}

/** Has hosts decline, and be lost, as often as the setting says. */
function unreliable(
  open: OpenHosts,
  random: () => number,
  left: { declines: number; losses: number },
): OpenHosts {
  const declined = (id: number) => new MillraceError('MR_CHECKPOINT_FAILED', `checkpoint ${id} was declined`);
  const wrap = (host: HostHandle): HostHandle => {
    const lost = Promise.withResolvers<never>();
    lost.promise.catch(() => {});
    return otherwise(host, {
      run: () => Promise.race([host.run(), lost.promise]),
      async checkpoint(id) {
        const drawn = random();
        if (drawn < 0.2 && left.declines > 0) {
          left.declines--;
          throw declined(id);
        }
        const acknowledgement = await host.checkpoint(id);
        if (drawn > 0.8 && left.declines > 0) {
          left.declines--;
          throw declined(id);
        }
        if (drawn > 0.4 && drawn < 0.6 && left.losses > 0) {
          left.losses--;
          lost.reject(new MillraceError('MR_HOST_LOST', 'a host is gone'));
        }
        return acknowledgement;
      },
    });
  };
  return async (plan, environment) => (await open(plan, environment)).map(wrap);
}

/** Runs the job to its end; what each of its topics holds, sorted. */
async function outcome(setting: Setting, isReference: boolean): Promise<readonly string[][]> {
  const clock = virtualClock(1_000_000);
  const bench = createJobBench({ clock });
  const random = seeded(setting.seed, 99);
  const open = hostsOverMessages({ hosts: setting.hosts, store: bench.environment.store, random });
  const faults = { declines: setting.declines, losses: setting.losses };
  const handle = bench.run(
    jobOf(setting),
    isReference ? {} : { openHosts: unreliable(open, random, faults) },
  );
  let isDone = false;
  void handle.done.then(() => (isDone = true));
  for (let round = 0; !isDone; round++) {
    if (round > 5_000)
      throw new Error(`no end: ${JSON.stringify(handle.status().failures.map((f) => f.message))}`);
    for (let turns = Math.floor(random() * 20); turns >= 0; turns--) await setImmediate();
    clock.advance(Math.floor(random() * 80));
  }
  deepStrictEqual([handle.status().state], ['finished']);
  const read = async (topic: string) =>
    (await bench.read(topic, Row))
      .map(({ key, n, at }) => `${key}:${n}${topic === 'out' ? `@${at}` : ''}`)
      .sort();
  return Promise.all(['ids', 'counts', 'out'].map(read));
}

const settings: fc.Arbitrary<Setting> = fc.record({
  parallelism: fc.integer({ min: 2, max: 4 }),
  hosts: fc.integer({ min: 2, max: 3 }),
  seed: fc.nat(1e6),
  rows: fc.integer({ min: 0, max: 120 }),
  isAsync: fc.boolean(),
  isUnion: fc.boolean(),
  isWindowed: fc.constantFrom('keyed' as const, 'all' as const),
  declines: fc.nat(4),
  losses: fc.nat(1),
});

void t.test(
  'E7 E9 E10 TH1 TH2 RH1 IG4: on several hosts, with declined checkpoints and a lost host, a job gives what it gives on one',
  async () => {
    await fc.assert(
      fc.asyncProperty(settings, async (setting) => {
        deepStrictEqual(await outcome(setting, false), await outcome(setting, true));
      }),
      { numRuns: propertyRuns(25), endOnFailure: true },
    );
  },
);
