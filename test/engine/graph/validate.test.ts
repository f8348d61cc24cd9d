import t from 'tap';
import {
  type GraphNode,
  type JobGraph,
  type NodeInput,
  type OperatorDefinition,
  partitionLog,
  validateGraph,
} from '#engine';
import { count, type DataStream, defineJob, tumbling } from '#operators';
import { eventTime, type Infer, schema, string } from '#wire';

const Row = schema('row', { ts: eventTime(1), device: string(2) });
const log = partitionLog('topic', Row);
const operator: OperatorDefinition = {
  kind: 'nothing',
  sides: ['late'],
  create: () => ({ records() {}, watermark() {}, idle() {} }),
};
const from = (node: number, side: string | null = null): NodeInput => ({ node, side });
const source = (id: string): GraphNode => ({
  kind: 'source',
  id,
  source: log,
  options: { outOfOrdernessMs: 0, idleAfterMs: 0, maxAheadMs: 0, startFrom: 'earliest' },
});
const sink = (id: string, input: NodeInput): GraphNode => ({ kind: 'sink', id, sink: log as never, input });
const stateful = (id: string, input: NodeInput): GraphNode => ({
  kind: 'operator',
  id,
  operator,
  inputs: [{ ...input, partitioning: { kind: 'forward' } }],
});

const options = defineJob('defaults', { guarantee: 'exactly-once' }, (job) =>
  job.source('in', log).to('out', log),
).graph().options;
const graph = (nodes: readonly GraphNode[], changes: Partial<JobGraph> = {}): JobGraph => ({
  name: 'job',
  options,
  nodes,
  ...changes,
});

void t.test('every fault is in one message', async (test) => {
  const wrong = graph(
    [
      source('in'),
      stateful('in', from(0)),
      stateful('dead-letter', from(0)),
      stateful('über', from(0)),
      sink('a', from(1, 'unknown')),
      sink('b', from(0, 'late')),
      sink('c', from(4)),
      sink('d', from(99)),
      sink('e', from(8)),
    ],
    { name: ' job', options: { ...options, checkpointIntervalMs: 10, checkpointsRetained: 0 } },
  );
  const faults = [
    /job id ' job' must be/,
    /'in' is used twice/,
    /'dead-letter' is reserved/,
    /'über' must be/,
    /sink 'a' takes the side output 'unknown' of operator 'in', which has none/,
    /sink 'b' takes the side output 'late' of source 'in', which has none/,
    /sink 'c' takes its input from the sink 'a'/,
    /sink 'd' takes its input from a later or unknown node/,
    /sink 'e' takes its input from a later or unknown node/,
    /checkpoint interval 10 ms/,
    /one checkpoint must be retained/,
  ];
  test.throws(() => validateGraph(wrong), { code: 'MR_GRAPH_INVALID' });
  let message = '';
  try {
    validateGraph(wrong);
  } catch (error) {
    message = (error as Error).message;
  }
  for (const fault of faults) test.match(message, fault);
  test.equal(message.split('; ').length, faults.length + 1, 'and nothing else: one fault has two parts');
});

void t.test('a job without source or sink is refused', async (test) => {
  test.throws(() => validateGraph(graph([])), { message: /no source.*no sink/ });
  test.throws(() => validateGraph(graph([source('in')])), { message: /no sink/ });
});

void t.test('names end at their bound', async (test) => {
  const named = (id: string) => graph([source(id), sink('out', from(0))]);
  test.doesNotThrow(() => validateGraph(named('a'.repeat(128))));
  test.throws(() => validateGraph(named('a'.repeat(129))), { code: 'MR_GRAPH_INVALID' });
  test.throws(() => validateGraph(named('')), { code: 'MR_GRAPH_INVALID' });
});

void t.test('parallelism must fit the key groups', async (test) => {
  const nodes = [source('in'), sink('out', from(0))];
  test.throws(() => validateGraph(graph(nodes, { options: { ...options, parallelism: 129 } })), {
    code: 'MR_CONFIG_INVALID',
  });
});

void t.test('defineJob refuses at once what cannot run', async (test) => {
  const define = (build: (readings: DataStream<Infer<typeof Row>, 'exactly-once'>) => void) =>
    defineJob('job', { guarantee: 'exactly-once' }, (job) => build(job.source('in', log)));
  test.throws(() => define((in_) => in_.to('in', log)), { code: 'MR_GRAPH_INVALID' });
  test.throws(() => define(() => {}), { code: 'MR_GRAPH_INVALID' });
  test.throws(() => define((in_) => in_.asyncMap('x', (row) => row, { concurrency: 0 }).to('out', log)), {
    code: 'MR_CONFIG_INVALID',
  });
  test.throws(() => define((in_) => (in_.keyBy as unknown as () => void)()), { code: 'MR_GRAPH_INVALID' });
  test.throws(() => tumbling('0ms'), { code: 'MR_CONFIG_INVALID' });
  test.throws(() => tumbling('1s', { offset: '1s' }), { code: 'MR_CONFIG_INVALID' });
  test.throws(() => tumbling('5 minutes' as '5m'), { code: 'MR_CONFIG_INVALID' });
  test.throws(
    () =>
      defineJob('job', { guarantee: 'exactly-once', checkpointInterval: '1ms' }, (job) =>
        job.source('in', log).to('out', log),
      ),
    { code: 'MR_GRAPH_INVALID' },
  );
  test.doesNotThrow(() =>
    define((in_) =>
      in_.keyBy('device').window(tumbling('1s')).aggregate('n', { n: count() }).side.late.to('late', log),
    ),
  );
});
