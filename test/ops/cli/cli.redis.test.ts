import { fileURLToPath } from 'node:url';
import t from 'tap';
import { Event, Total } from '../../engine/host/counting-job.ts';
import { createJobBench } from '../../support/job-bench.ts';
import { startRedis } from '../../support/redis-server.ts';
import { openWorkers } from '../worker/worker-harness.ts';

t.setTimeout(120_000);
const server = await startRedis();
t.teardown(() => server.stop());
const COUNTING = fileURLToPath(new URL('../../engine/host/counting-job.ts', import.meta.url));
const FORKED = fileURLToPath(new URL('./forked-job.ts', import.meta.url));

void t.test(
  'O2, E10: a job is bundled, deployed to two workers, rescaled, forked and drained from the shell; every record counts once',
  async (test) => {
    const { cli, feed, read, counted, start, log } = await openWorkers(test, server.url, 'shell');
    await feed(0, 5_000);
    await Promise.all([start('--slots', '2'), start('--slots', '2')]);
    const json = async (...args: string[]) => {
      const { code, out, error } = await cli(...args, '--json');
      test.equal(code, 0, `${args.join(' ')}: ${error}`);
      return JSON.parse(out) as never;
    };
    const deployed = await cli('deploy', COUNTING, '--id', 'd-1');
    test.match(deployed, {
      code: 0,
      out: "Job 'counting' is running.\n",
      error: /Bundled job 'counting' as [0-9a-f]{64}/,
    });
    test.match(
      await json('deploy', COUNTING, '--id', 'd-1'),
      { revision: 1 },
      'the same command: nothing new',
    );
    await read(5_000);
    test.match(await json('workers'), [
      { slots: 2, used: 1 },
      { slots: 2, used: 1 },
    ]);
    test.match(await json('list'), [{ name: 'counting', desired: 'running', state: 'running', running: 2 }]);

    const [one, two] = await Promise.all([
      json('savepoint', 'counting', '--id', 's-1'),
      json('savepoint', 'counting', '--id', 's-1'),
    ]);
    test.same(one, two, 'twice the same command is one');
    const savepoint = (one as { readonly savepoint: number }).savepoint;
    const from = ['--checkpoint', `${savepoint}`, '--bundle', FORKED];
    test.same(await json('fork', 'counting', 'copy', ...from), {
      job: 'copy',
      checkpoint: savepoint,
      state: 'running',
    });
    await feed(10, 5_000);
    await read(10_000);
    await read(10_000, 'copy');
    test.match(await json('stop', 'copy', '--drain'), { state: 'stopped' });
    test.match(await json('rescale', 'counting', '3'), { from: 2, to: 3, outcome: 'completed' });
    const kept = (await json('checkpoints', 'counting')) as {
      kind: string;
      parallelism: number;
      id: number;
    }[];
    test.match(
      kept.filter(({ kind }) => kind === 'savepoint'),
      [{ parallelism: 2, id: savepoint }],
    );
    test.match((await cli('status', 'counting')).out, /Job 'counting' is running for .*parallelism 3/);
    const stopped = await cli('stop', 'counting', '--drain');
    test.match(stopped, { code: 0, out: /^Job 'counting' is stopped with savepoint \d+\.\n$/ });
    test.equal(await counted(), 10_000);

    const { read: rows } = createJobBench({ log });
    const copies = await rows('copied-totals', Total);
    test.equal(new Set(copies.map(({ key, at }) => `${key}@${at}`)).size, copies.length);
    const late = (await rows('copied-late', Event)).filter(({ at }) => at >= 10_000);
    const after = copies.filter(({ at }) => at >= 10_000).reduce((sum, row) => sum + row.count, late.length);
    test.equal(after, 5_000, 'the fork has counted by itself what came after the savepoint');
  },
);

void t.test(
  'O2: what is wrong is told with code and next step, on stderr; the exit code tells whose fault it is',
  async (test) => {
    const { cli } = await openWorkers(test, server.url, 'wrong');
    const cases = [
      [['list', '--nope'], 2, /^MR_CONFIG_INVALID: Unknown option '--nope'.* See --help\.\n$/],
      [['status'], 2, /^MR_CONFIG_INVALID: The command takes 1 arguments/],
      [['status', 'nobody'], 1, /^MR_API_NOT_FOUND: There is no job 'nobody'\. See millrace list\.\n$/],
      [
        ['rescale', 'counting', 'many'],
        2,
        /^MR_CONFIG_INVALID: The parallelism must be a whole number from 1/,
      ],
      [['explode'], 2, /^There is no command 'explode'\./],
      [
        ['deploy', '/nowhere/job.ts'],
        2,
        /^MR_CONFIG_INVALID: The job module \/nowhere\/job\.ts cannot be bundled/,
      ],
      [
        ['savepoint', 'x', '--timeout', '1'],
        1,
        /Waiting for a worker\.\nMR_CONTROL_FAILED: .*is one running in this namespace\?/,
      ],
      [['savepoint', '--help'], 0, /^$/],
    ] as const;
    const results = await Promise.all(cases.map(([args]) => cli(...args)));
    for (const [i, [args, code, error]] of cases.entries())
      test.match(results[i], { code, error }, args.join(' '));
    test.match(results.at(-1)?.out, /^Usage: millrace savepoint <job>[^]*--redis <url>/);
  },
);
