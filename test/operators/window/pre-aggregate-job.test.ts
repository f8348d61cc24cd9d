import t from 'tap';
import { partitionLog } from '#engine';
import { count, type DataStream, defineJob, p95, sliding, sum, tumbling } from '#operators';
import { eventTime, f64, type Infer, schema, string } from '#wire';
import { input, testJob, watermark } from '../../../operators/testing/index.ts';
import { distinct } from '../../../operators/window/aggregates.ts';
import { text } from '../../support/window-reference.ts';

const Event = schema('event', { at: eventTime(1), key: string(2), value: f64(3) });
type Event = Infer<typeof Event>;
const log = partitionLog('events', Event);

void t.test(
  'E3: a job gives at parallelism 3, restored after every step, what it gives at 1',
  async (test) => {
    const events = Array.from(
      { length: 60 },
      (_, i): Event => ({
        at: i * 900 - ((i * 7) % 9) * 700 - (i % 11 === 10 ? 20_000 : 0),
        key: `k${(i * 3) % 7}`,
        value: (i * 31) % 100,
      }),
    );
    for (const windows of [tumbling('10s'), sliding('10s', '4s')]) {
      const job = defineJob('all', { guarantee: 'exactly-once' }, (build) => {
        const results = (
          build.source('events', log, { outOfOrderness: '2s' }) as DataStream<Event, 'exactly-once'>
        )
          .filter((event) => event.value !== 31)
          .windowAll(windows)
          .allowedLateness('3s')
          .aggregate('all', { n: count(), total: sum('value'), top: p95('value'), keys: distinct('key') });
        results.to('out', log as never);
        results.side.late.to('late', log);
      });
      const nodes = job.graph().nodes.flatMap((node) => (node.kind === 'operator' ? [node.id] : []));
      test.same(nodes, ['pre-aggregate~2', 'all']);
      const inputs = { events: input(Event, [...events, watermark(90_000)]) };
      const plain = await testJob(job, { inputs });
      test.ok(plain.records('late').length > 0);
      test.ok(plain.records('out').length > 5);
      for (const changes of [
        { parallelism: 3 },
        { parallelism: 3, restoreAfterEveryStep: true },
        { restoreAfterEveryStep: true, rescale: [3, 1, 2], interpreted: true },
      ]) {
        const other = await testJob(job, { inputs, ...changes });
        for (const sink of ['out', 'late'])
          test.same(other.output(sink).map(text).sort(), plain.output(sink).map(text).sort());
      }
    }
  },
);
