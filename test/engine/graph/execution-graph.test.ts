import t from 'tap';
import { partitionLog } from '#engine';
import { count, type DataStream, defineJob, type JobBuilder, tumbling } from '#operators';
import { eventTime, type Infer, schema, string } from '#wire';
import { type ExecutionGraph, planExecution } from '../../../engine/graph/execution-graph.ts';

const Row = schema('row', { ts: eventTime(1), device: string(2) });
const log = partitionLog('topic', Row);
const same = <T>(row: T): T => row;

function plan(parallelism: number, build: (job: JobBuilder<'exactly-once'>) => void): ExecutionGraph {
  return planExecution(defineJob('job', { guarantee: 'exactly-once', parallelism }, build).graph());
}

/** One line per member: `role id <- input[:side] {stages}`, its inputs with `and` between them. */
const text = (graph: ExecutionGraph) =>
  graph.vertices.map(({ id, upstream, members }) => ({
    id,
    upstream,
    members: members.map((member) => {
      const inputs = member.inputs.map(({ member: from, side, stages }) => {
        const steps = stages.length > 0 ? ` {${stages.map((s) => s.kind).join(' ')}}` : '';
        return `${from}${side === null ? '' : `:${side}`}${steps}`;
      });
      const input = inputs.length > 0 ? ` <- ${inputs.join(' and ')}` : '';
      return `${member.role} ${member.id}${input}${member.role === 'router' ? ` -> ${member.target}` : ''}`;
    }),
  }));

const windowed = (job: JobBuilder<'exactly-once'>) => {
  const windows = job
    .source('in', log)
    .filter(() => true)
    .map(same)
    .keyBy('device')
    .window(tumbling('1s'))
    .aggregate('count', { n: count() });
  windows.map(({ window, key }) => ({ ts: window.start, device: key.device })).to('out', log);
  windows.side.late.to('late', log);
};

void t.test('at parallelism 1 a job is one vertex; steps run inside whoever takes them', async (test) => {
  test.same(text(plan(1, windowed)), [
    {
      id: 'in',
      upstream: [],
      members: [
        'source in',
        'operator count <- 0 {filter map}',
        'collect out~input <- 1 {map}',
        'sink out <- 2',
        'sink late <- 1:late',
      ],
    },
  ]);
});

void t.test(
  'at parallelism 3 a keyed operator is cut off by a router, which runs the steps before the exchange',
  async (test) => {
    test.same(text(plan(3, windowed)), [
      { id: 'in', upstream: [], members: ['source in', 'router count~router <- 0 {filter map} -> 1'] },
      {
        id: 'count',
        upstream: [0],
        members: ['operator count', 'collect out~input <- 0 {map}', 'sink out <- 1', 'sink late <- 0:late'],
      },
    ]);
  },
);

void t.test('a stream taken twice runs its steps once', async (test) => {
  const graph = plan(1, (job) => {
    const stream = job
      .source('in', log)
      .map(same)
      .filter(() => true);
    stream.to('a', log);
    stream.map(same).to('b', log);
  });
  test.same(text(graph)[0]?.members, [
    'source in',
    'collect step~2 <- 0 {map filter}',
    'sink a <- 1',
    'collect b~input <- 1 {map}',
    'sink b <- 3',
  ]);
});

void t.test(
  'an asynchronous operator stays in the vertex of its input; two keyed ones in a row make three vertices',
  async (test) => {
    const graph = plan(2, (job) => {
      job
        .source('in', log)
        .asyncMap('lookup', same)
        .keyBy('device')
        .window(tumbling('1s'))
        .aggregate('first', { n: count() })
        .map(({ window, key }) => ({ ts: window.start, device: key.device }))
        .keyBy((row) => row.device)
        .window(tumbling('1m'))
        .aggregate('second', { n: count() })
        .map(({ window, key }) => ({ ts: window.start, device: key }))
        .to('out', log);
    });
    test.same(
      text(graph).map(({ id, upstream, members }) => [id, upstream, members.length]),
      [
        ['in', [], 3],
        ['first', [0], 2],
        ['second', [1], 3],
      ],
    );
  },
);

const LIMITS = { lower: '-1s', upper: '1s' } as const;

void t.test('inputs from one vertex meet in it at parallelism 1, each with its steps', async (test) => {
  const build = (job: JobBuilder<'exactly-once'>) => {
    const rows = job.source('in', log);
    const left = rows
      .filter(() => true)
      .map(same)
      .keyBy('device');
    const join = (row: Infer<typeof Row>) => row;
    left.intervalJoin('join', rows.keyBy('device'), { ...LIMITS, join }).to('out', log);
  };
  test.same(text(plan(1, build)), [
    {
      id: 'in',
      upstream: [],
      members: ['source in', 'operator join <- 0 {filter map} and 0', 'sink out <- 1'],
    },
  ]);
  test.same(text(plan(2, build)), [
    {
      id: 'in',
      upstream: [],
      members: ['source in', 'router join~router-0 <- 0 {filter map} -> 1', 'router join~router-1 <- 0 -> 1'],
    },
    { id: 'join', upstream: [0, 0], members: ['operator join', 'sink out <- 0'] },
  ]);
});

void t.test('inputs from two vertices meet in a vertex of their own', async (test) => {
  const graph = plan(1, (job) => {
    const right = job.source('right', log).keyBy('device');
    const left = job.source('left', log).keyBy('device');
    left.intervalJoin('join', right, { ...LIMITS, join: (row) => row }).to('out', log);
  });
  test.same(text(graph)[2], { id: 'join', upstream: [1, 0], members: ['operator join', 'sink out <- 0'] });
});

const byDevice = partitionLog('topic', Row, { partitions: 6, partitionBy: 'device' });
const counted = (of: (job: JobBuilder<'exactly-once'>) => DataStream<Infer<typeof Row>, 'exactly-once'>) => {
  return (job: JobBuilder<'exactly-once'>) =>
    of(job)
      .keyBy('device')
      .window(tumbling('1s'))
      .aggregate('count', { n: count() })
      .map(({ window, key }) => ({ ts: window.start, device: key.device }))
      .to('out', log);
};
const isExchanged = (graph: ExecutionGraph) =>
  graph.vertices.some(({ members }) =>
    members.some((member) => member.role === 'router' && member.partitioning.kind !== 'forward'),
  );

void t.test(
  'keyed as the source is partitioned, an operator stays in the source’s vertex (EG1)',
  async (test) => {
    const steps = counted((job) =>
      job
        .source('in', byDevice)
        .filter(() => true)
        .derive({ ts: ({ ts }) => ts + 1 }),
    );
    for (const parallelism of [2, 3, 6]) {
      test.same(text(plan(parallelism, steps)), [
        {
          id: 'in',
          upstream: [],
          members: [
            'source in',
            'operator count <- 0 {filter derive}',
            'collect out~input <- 1 {map}',
            'sink out <- 2',
          ],
        },
      ]);
    }
  },
);

void t.test(
  'an operator is fed by an exchange where its source does not place its keys (EG1)',
  async (test) => {
    const key = 'device';
    const refused: Readonly<Record<string, (job: JobBuilder<'exactly-once'>) => void>> = {
      'no partitioner': counted((job) => job.source('in', log)),
      'another field': counted((job) =>
        job.source('in', partitionLog('topic', Row, { partitions: 6, partitionBy: 'ts' })),
      ),
      'more fields': counted((job) =>
        job.source('in', partitionLog('topic', Row, { partitions: 6, partitionBy: ['device', 'ts'] })),
      ),
      'other key groups': counted((job) =>
        job.source('in', partitionLog('topic', Row, { partitions: 6, partitionBy: key, keyGroups: 256 })),
      ),
      'a map': counted((job) => job.source('in', byDevice).map(same)),
      'a new key': counted((job) =>
        job.source('in', byDevice).derive({ device: ({ device }) => `${device}!` }),
      ),
      'a function': (job) =>
        job
          .source('in', byDevice)
          .keyBy(({ device }) => device)
          .reduce('last', (_, row) => row)
          .to('out', log),
    };
    for (const [why, build] of Object.entries(refused)) test.ok(isExchanged(plan(3, build)), why);
    const fits = counted((job) => job.source('in', byDevice));
    test.notOk(isExchanged(plan(3, fits)));
    for (const parallelism of [4, 5, 12])
      test.ok(isExchanged(plan(parallelism, fits)), `${parallelism} subtasks`);
  },
);

void t.test('two partitioned sources are joined through forward edges (EG1)', async (test) => {
  const graph = plan(3, (job) => {
    const left = job.source('left', byDevice).keyBy('device');
    const right = job.source('right', byDevice).keyBy('device');
    left.intervalJoin('join', right, { lower: '-1s', upper: '1s', join: (a) => a }).to('out', log);
  });
  test.notOk(isExchanged(graph));
  test.same(
    graph.vertices.map(({ id, upstream }) => [id, upstream]),
    [
      ['left', []],
      ['right', []],
      ['join', [0, 1]],
    ],
  );
  const join = graph.vertices[2]?.members[0];
  test.ok(join?.role === 'operator' && join.checksKeys, 'and it sees for itself (EG2)');
});
