import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { partitionLog } from '#engine';
import {
  defineBroadcastOperator,
  defineCoOperator,
  defineJob,
  defineOperator,
  type JobSettings,
  listState,
  mapState,
  type StateOptions,
  type,
  valueState,
} from '#operators';
import { eventTime, i32, type Infer, schema, string } from '#wire';
import { barrier, crash, input, testJob, type JobTestOptions } from '../../../operators/testing/index.ts';
import { allKinds, Command, obey, ring, VERBS } from '../../operators/state/command-operator.ts';
import { propertyRuns } from '../../support/property-runs.ts';

const Said = schema('said', { ts: eventTime(1), text: string(2) });
type Placement = NonNullable<JobSettings<'exactly-once'>['state']>;

const folder = mkdtempSync(join(tmpdir(), 'millrace-lmdb-job-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const onDisk = (hotKeysMax: number): Placement => ({ kind: 'disk', folder, hotKeysMax });

/** State of all kinds, and timers, as the commands say. */
const obeying = (state: Placement, life: StateOptions = {}) =>
  defineJob('obeying', { guarantee: 'exactly-once', state }, (job) => {
    const operator = defineOperator({
      key: type<{ key: string }>(),
      input: type<Command>(),
      output: type<unknown>(),
      state: allKinds(life),
      onRecord: obey as never,
      // The end of input fires whatever is set: a timer that sets itself anew for a later time would never come to an end.
      onTimer: (firedAt, context) => {
        if (context.state.value.get() === 2) context.emit({ key: context.key, firedAt });
        else ring(firedAt, context as never);
      },
    });
    job
      .source('commands', partitionLog('commands', Command))
      .keyBy('key')
      .process('obey', operator)
      .map((said) => ({ ts: 0, text: JSON.stringify(said) }))
      .to('out', partitionLog('said', Said));
  });

async function said(job: ReturnType<typeof obeying>, options: JobTestOptions): Promise<string[]> {
  const result = await testJob(job, options);
  const texts = result.records<Infer<typeof Said>>('out').map(({ text }) => text);
  // Keys have no order among them; what one key says has.
  const keyOf = (text: string) => JSON.stringify((JSON.parse(text) as { key: unknown }).key);
  return texts.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : keyOf(a) > keyOf(b) ? 1 : 0));
}

const command: fc.Arbitrary<Command> = fc.record(
  {
    ts: fc.integer({ min: 0, max: 120 }),
    key: fc.constantFrom('a', 'b', 'c', 'd'),
    zone: fc.constant(1),
    verb: fc.constantFrom(...VERBS.filter((verb) => !/ProcessingTime/.test(verb))),
    a: fc.integer({ min: 0, max: 4 }),
    b: fc.integer({ min: 0, max: 3 }),
  },
  { noNullPrototype: true },
);
const marker = fc.constantFrom(barrier(), crash());

void t.test('E5: state on disk gives what state in memory gives, restored and rescaled', async (test) => {
  const lives = fc.constantFrom<StateOptions>({}, { ttl: '1h' });
  const script = fc.array(fc.oneof({ weight: 9, arbitrary: command }, { weight: 1, arbitrary: marker }), {
    minLength: 1,
    maxLength: 40,
  });
  await fc.assert(
    fc.asyncProperty(
      script,
      lives,
      fc.integer({ min: 1, max: 3 }),
      fc.boolean(),
      async (it, life, hot, restores) => {
        const options: JobTestOptions = {
          inputs: { commands: input(Command, it) },
          ...(restores ? { restoreAfterEveryStep: true, rescale: [2, 3, 1] } : {}),
        };
        const memory = await said(obeying('memory', life), options);
        const disk = await said(obeying(onDisk(hot), life), options);
        return memory.join('\n') === disk.join('\n');
      },
    ),
    { numRuns: Math.min(propertyRuns(12), 500) },
  );
  test.same(
    generations('obeying').flatMap((name) => readdirSync(join(folder, 'obeying', name))),
    [],
  );
});

void t.test('E5: a checkpoint in memory restores on disk, and the other way round', async (test) => {
  // Which one is chosen by the restores so far: the placement is an option of the attempt, the snapshot does not know of it.
  const counting = (states: readonly Placement[]) => {
    const jobs = states.map((state) => obeying(state));
    const graphs = jobs.map((job) => job.graph());
    let attempt = 0;
    const [first] = jobs as [ReturnType<typeof obeying>];
    return {
      name: first.name,
      graph: (changes = {}) => {
        const graph = first.graph(changes);
        return {
          ...graph,
          options: {
            ...graph.options,
            get state() {
              return (graphs[attempt++ % graphs.length] as (typeof graphs)[number]).options.state;
            },
          },
        };
      },
    };
  };
  const rows = Array.from({ length: 12 }, (_, i): Command => {
    const verb = i < 6 ? 'reducing.add' : 'reducing.get';
    return { ts: i, key: `key-${i % 6}`, zone: 1, verb, a: i, b: 0 };
  });
  const options: JobTestOptions = {
    inputs: { commands: input(Command, rows) },
    restoreAfterEveryStep: true,
  };
  const both = await said(counting(['memory', onDisk(1)]), options);
  test.same(both, await said(obeying('memory'), options));
  test.equal(both.length, 6);
});

const Change = schema('change', { ts: eventTime(1), key: string(2), n: i32(3) });
type Change = Infer<typeof Change>;
const changes = partitionLog('changes', Change);
const change = (ts: number, key: string, n: number): Change => ({ ts, key, n });

void t.test('E5: both inputs of a co-process operator reach one state on disk', async (test) => {
  const job = (state: Placement) =>
    defineJob('pairs', { guarantee: 'exactly-once', state }, (it) => {
      const pairs = defineCoOperator({
        key: type<{ key: string }>(),
        left: type<Change>(),
        right: type<Change>(),
        output: type<Change>(),
        state: { seen: listState<number>() },
        onLeft: ({ n }, { state: { seen } }) => seen.add(n),
        onRight: ({ ts, key }, { state: { seen }, emit }) => {
          for (const n of seen.get()) emit({ ts, key, n });
        },
      });
      const left = it.source('left', changes).keyBy('key');
      left.connect(it.source('right', changes).keyBy('key')).process('pair', pairs).to('out', changes);
    });
  const keys = ['a', 'b', 'c', 'd', 'a', 'b', 'c', 'd'];
  const options: JobTestOptions = {
    inputs: {
      left: input(
        Change,
        keys.map((key, i) => change(i, key, i)),
      ),
      right: input(
        Change,
        keys.map((key, i) => change(i, key, 0)),
      ),
    },
  };
  const memory = (await testJob(job('memory'), options)).records('out');
  test.equal(memory.length, 12);
  test.same((await testJob(job(onDisk(1)), options)).records('out'), memory);
});

void t.test('E5: a broadcast record sees the state of every key, in memory or not', async (test) => {
  const job = defineJob('totals', { guarantee: 'exactly-once', state: onDisk(2) }, (it) => {
    const totals = defineBroadcastOperator({
      key: type<{ key: string }>(),
      input: type<Change>(),
      broadcast: type<Change>(),
      output: type<Change>(),
      state: { total: valueState<number>(), by: mapState<string, number>() },
      broadcastState: { unused: valueState<number>() },
      onRecord({ n, key }, { state: { total, by } }) {
        total.set((total.get() ?? 0) + n);
        by.set(key, n);
      },
      onBroadcast({ ts }, { forEachKey, emit }) {
        forEachKey((key, { total, by }) => emit({ ts, key: key.key, n: (total.get() ?? 0) * by.size }));
      },
    });
    it.source('in', changes)
      .keyBy('key')
      .connect(it.source('rules', changes).broadcast())
      .process('total', totals)
      .to('out', changes);
  });
  const rows = Array.from({ length: 20 }, (_, i) => change(i, `key-${i % 10}`, 1));
  const { records } = await testJob(job, {
    inputs: { in: input(Change, rows), rules: input(Change, [...rows.slice(1), change(30, '', 0)]) },
  });
  const last = records<Change>('out').filter(({ ts }) => ts === 30);
  test.same(
    last.map(({ key, n }) => `${key}=${n}`).sort(),
    Array.from({ length: 10 }, (_, i) => `key-${i}=2`),
  );
});

void t.test('a restart deletes what an attempt that died has left', async (test) => {
  const left = join(folder, 'obeying', '1', 'obey.0-dead');
  mkdirSync(left, { recursive: true });
  writeFileSync(join(left, 'data.mdb'), 'left');
  const rows = ['a', 'b', 'c'].map((key, i) => ({ ts: i, key, zone: 1, verb: 'value.set', a: 1, b: 0 }));
  await testJob(obeying(onDisk(1)), { inputs: { commands: input(Command, [...rows, crash(), ...rows]) } });
  test.notOk(existsSync(left));
});

void t.test('a job whose folder cannot be written to fails, and says so', async (test) => {
  const file = join(folder, 'file');
  writeFileSync(file, '');
  const job = obeying({ kind: 'disk', folder: file });
  await test.rejects(testJob(job, { inputs: { commands: input(Command, []) } }), {
    code: 'MR_CONFIG_INVALID',
    message: /'.*file.*'/,
  });
  test.throws(() => obeying({ kind: 'disk', folder: '' }), { code: 'MR_GRAPH_INVALID', message: /folder/ });
  test.throws(() => obeying({ kind: 'disk', hotKeysMax: 0.5 }), {
    code: 'MR_GRAPH_INVALID',
    message: /hotKeysMax/,
  });
});

function generations(job: string): string[] {
  return existsSync(join(folder, job)) ? readdirSync(join(folder, job)) : [];
}
