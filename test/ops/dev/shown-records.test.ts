import t from 'tap';
import type { GraphNode, Sink } from '#engine';
import { collection, defineJob } from '#operators';
import { ShownRecords } from '../../../ops/dev/shown-records.ts';
import { createJobBench } from '../../support/job-bench.ts';
import { manualClock } from '../support/manual-clock.ts';

interface Row {
  readonly at: number;
}

function writingTo(written: unknown[]): Sink<Row, 'exactly-once'> {
  return {
    kind: 'list',
    guarantee: 'exactly-once',
    target: 'a list',
    openWriter: async () => ({
      write(input) {
        if (input.kind === 'rows') written.push(...input.rows);
      },
      prepareCommit: async () => null,
      close: async () => {},
    }),
  };
}

await t.test(
  '20 records a second are shown as lines, the others counted; the sink gets them all',
  async (t) => {
    const clock = manualClock();
    const lines: string[] = [];
    const written: unknown[] = [];
    const rows = Array.from({ length: 1_234 }, (_, at) => ({ at }));
    const job = defineJob('many', { guarantee: 'exactly-once' }, (job) => {
      job.source('rows', collection(rows, { time: (row) => row.at })).to('out', writingTo(written));
    });
    const shown = new ShownRecords(clock, (line) => lines.push(line));
    const graph = shown.showing(job.graph());
    t.same(
      graph.nodes.map(({ kind }: GraphNode) => kind),
      ['source', 'sink'],
    );
    t.equal(await createJobBench().run(graph).done, 'finished');
    t.equal(written.length, 1_234);
    t.equal(lines.length, 20);
    t.same([lines[0], lines[19]], ['out { at: 0 }', 'out { at: 19 }']);
    clock.advance(1_000);
    t.same(lines.slice(20), ['out … and 1,214 more']);
    shown.record('out', {
      text: 'x'.repeat(1_000),
      list: Array.from({ length: 1_000 }, () => 'long enough'),
    });
    t.equal(lines.length, 22, 'a new second');
    t.ok((lines.at(-1) as string).length <= 301);
  },
);
