import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t from 'tap';
import { createTapSummary, mayNotSkip, summaryLine } from '../../../ops/setup/tap-summary.mjs';

const summarise = (tap: string) => {
  const summary = createTapSummary();
  const files = tap.split('\n').flatMap((line) => summary.push(line) ?? []);
  return { line: summaryLine(summary.totals), files };
};

await t.test('counts the tests of a file, neither their assertions nor the file', async (t) => {
  const { line, files } = summarise(
    [
      '# Subtest: test/a.test.ts',
      '    # Subtest: one',
      '        ok 1 - x',
      '        not ok 2 - y',
      '    not ok 1 - one # time=4ms',
      '    ok 2 - two # SKIP no reason',
      '    ok 3 - three # time=0.5ms',
      'not ok 1 - test/a.test.ts # time=6ms',
    ].join('\n'),
  );
  t.equal(line, '1 passed, 1 failed, 1 skipped');
  t.match(files, [{ name: 'test/a.test.ts', skippedTitles: ['two'] }]);
});

await t.test('takes nothing inside a YAML block for a result', async (t) => {
  const block = [
    '    ok 1 - one',
    '      ---',
    '      diff: |',
    '    not ok 7 - fake',
    '      ...',
    'ok 1 - a.test.ts',
  ];
  t.equal(summarise(block.join('\n')).line, '1 passed, 0 failed');
});

await t.test('counts a crash, a time-out and an empty file as one failure each', async (t) => {
  t.equal(summarise('    ok 1 - one\nnot ok 1 - crashed.test.ts').line, '1 passed, 1 failed');
  t.equal(summarise('not ok 1 - timeout.test.ts # time=120000ms').line, '0 passed, 1 failed');
  t.equal(summarise('ok 1 - empty.test.ts # SKIP no tests found').line, '0 passed, 1 failed');
});

await t.test('knows the files whose servers must be there', async (t) => {
  t.ok(mayNotSkip('test/engine/redis/log.redis.test.ts'));
  t.ok(mayNotSkip('test/sinks/postgres/writer.postgres.test.ts'));
  t.notOk(mayNotSkip('test/engine/base/clock.test.ts'));
});

await t.test('npm test itself passes, fails and ends with the line that CI reads', async (t) => {
  const dir = t.testdir({
    'package.json': '{"type":"module"}',
    '.taprc': 'type-strip-only: true\ndisable-coverage: true\nallow-incomplete-coverage: true\n',
    test: {
      'good.test.ts': "import t from 'tap';\nt.test('fine', async (t) => t.ok(true));\n",
      'slow.long.test.ts': "throw new Error('only with --long');\n",
    },
  });
  mkdirSync(join(dir, 'node_modules'));
  writeFileSync(join(dir, 'node_modules', '.keep'), '');
  spawnSync('ln', ['-s', resolve('node_modules/tap'), join(dir, 'node_modules', 'tap')]);
  const run = () => {
    const PATH = `${resolve('node_modules/.bin')}:${process.env['PATH']}`;
    const env = { PATH, HOME: process.env['HOME'] };
    const child = spawnSync(process.execPath, [resolve('ops/setup/run-tests.mjs')], {
      cwd: dir,
      encoding: 'utf8',
      env,
    });
    return { code: child.status, last: child.stdout.trimEnd().split('\n').at(-1) };
  };
  t.strictSame(run(), { code: 0, last: '1 passed, 0 failed' });
  writeFileSync(
    join(dir, 'test', 'x.redis.test.ts'),
    "import t from 'tap';\nt.test('s', { skip: 'no server' }, async () => {});\n",
  );
  t.strictSame(run(), { code: 1, last: '1 passed, 0 failed, 1 skipped' });
  writeFileSync(join(dir, 'test', 'bad.test.ts'), "throw new Error('does not start');\n");
  t.strictSame(run(), { code: 1, last: '1 passed, 1 failed, 1 skipped' });
});
