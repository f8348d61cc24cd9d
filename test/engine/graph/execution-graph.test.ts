import t from 'tap';
import { partitionLog } from '#engine';
import { count, defineJob, type JobBuilder, tumbling } from '#operators';
import { eventTime, schema, string } from '#wire';
import { type ExecutionGraph, planExecution } from '../../../engine/graph/execution-graph.ts';

const Row = schema('row', { ts: eventTime(1), device: string(2) });
const log = partitionLog('topic', Row);
const same = <T>(row: T): T => row;

function plan(parallelism: number, build: (job: JobBuilder<'exactly-once'>) => void): ExecutionGraph {
  return planExecution(defineJob('job', { guarantee: 'exactly-once', parallelism }, build).graph());
}

/** One line per member: `role id <- input[:side] {stages}`. */
const text = (graph: ExecutionGraph) =>
  graph.vertices.map(({ id, upstream, members }) => ({
    id,
    upstream,
    members: members.map((member) => {
      const input =
        member.input === null
          ? ''
          : ` <- ${member.input.member}${member.input.side === null ? '' : `:${member.input.side}`}`;
      const steps =
        'stages' in member && member.stages.length > 0
          ? ` {${member.stages.map((s) => s.kind).join(' ')}}`
          : '';
      return `${member.role} ${member.id}${input}${steps}${member.role === 'router' ? ` -> ${member.target}` : ''}`;
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
