import t from 'tap';
import type { VersusOutcome, VersusReport } from '../../benchmarks/versus/outcome.ts';
import { describeComparison, describeVersus } from '../../benchmarks/versus/report.ts';

const run = (workload: string, engine: string, ns: number, more: Partial<VersusOutcome> = {}) => ({
  workload,
  engine,
  events: 1_000_000,
  cpuMs: ns,
  wallMs: ns,
  rows: 1,
  checksum: 'c',
  ...more,
});

function report(outcomes: readonly VersusOutcome[]): VersusReport {
  const engines = { flink: 'with its exchange', 'flink-best': 'an upper bound' };
  return { date: '', machine: '', versions: {}, inputs: {}, outcomes, engines, skipped: {} };
}

void t.test(
  'each series of a peer has its own ratios and its own mean, by its better setting',
  async (test) => {
    const text = describeVersus(
      report([
        run('t1', 'millrace', 100),
        run('t1', 'flink', 500),
        run('t1', 'flink 2', 400),
        run('t1', 'flink-best', 200),
        run('q0', 'millrace', 100),
        run('q0', 'flink', 100),
        run('q0', 'flink-best', 50),
      ]),
    );
    test.match(text, '- flink-best: an upper bound\n');
    test.match(text, '- t1: flink takes 4.00 times the CPU of Millrace\n');
    test.match(text, '- t1: flink-best takes 2.00 times the CPU of Millrace\n');
    test.match(text, '- geometric mean over 2: flink 2.00\n');
    test.match(text, '- geometric mean over 2: flink-best 1.00');
  },
);

void t.test('the CPU of Redis stands beside that of the engine', async (test) => {
  const text = describeVersus(
    report([run('t1-json', 'millrace', 100, { serverCpuMs: 30 }), run('t1', 'loop', 7)]),
  );
  test.match(text, '| t1-json | millrace | 100 (100–100) | 30 | 100 | 1 | c |');
  test.match(text, '| t1 | loop | 7 (7–7) |  | 7 | 1 | c |');
});

void t.test('two reports are compared where both have a workload on an engine', async (test) => {
  const base = report([run('t1', 'millrace', 100), run('q0', 'millrace', 10)]);
  const now = report([run('t1', 'millrace', 80), run('q1', 'millrace', 10)]);
  test.same(describeComparison(base, now).split('\n').slice(2), ['| t1 | millrace | 100 | 80 | 0.80 |']);
});
