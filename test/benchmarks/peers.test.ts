import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { build, measuredRun, outputOf } from '../../benchmarks/peers/program.ts';
import { t1Results } from '../../benchmarks/peers/t1-results.ts';
import { digestOf } from '../../benchmarks/t1/outcome.ts';
import { t1File, WINDOW_MS } from '../../benchmarks/t1/workload.ts';

const FIRST_WINDOW = 1_699_999_990_000;
const VALUES = [3, 20.123456, 19.5, 20.7, 1, 1, 1, 2, 2, 2, 0.1, 0.1, 0.1];
const row = (device: string, start: number, values = VALUES) => ({ device, start, values });

void t.test("a peer's rows of T1 count as far as the records have closed their windows", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-peers-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  // 1.1 s of event time: it closes the window before, whose records come late within the bound, and no other.
  const { path: frames } = t1File({ events: 110_000, devices: 10, seed: 1 }, folder);
  const results = (...rows: readonly ReturnType<typeof row>[]) => {
    const path = join(folder, 'rows.csv');
    writeFileSync(path, rows.map((r) => `${[r.device, r.start, ...r.values].join(',')}\n`).join(''));
    return t1Results(path, frames);
  };
  const closed = [row('device-2', FIRST_WINDOW), row('device-1', FIRST_WINDOW)];

  t.same(results(...closed, row('device-1', FIRST_WINDOW + WINDOW_MS)), {
    rows: 2,
    checksum: digestOf(closed),
  });
  t.not(results(...closed).checksum, results(row('device-2', FIRST_WINDOW)).checksum);
  const other = row('device-1', FIRST_WINDOW, VALUES.with(1, 20.123458));
  t.not(results(...closed).checksum, results(row('device-2', FIRST_WINDOW), other).checksum);
});

void t.test('a build that fails says why, and a program that is missing is no error', async (t) => {
  const failing = "console.error('first'); console.error('no such version'); process.exit(1)";
  await t.rejects(build([process.execPath, '-e', failing]), /first no such version/);
  await build([process.execPath, '-e', "process.exit(process.env.WANTED === 'yes' ? 0 : 1)"], {
    WANTED: 'yes',
  });
  t.equal(await outputOf('millrace-no-such-program', []), null);
});

void t.test("a peer's outcome is the last line that it prints", async (t) => {
  const lines =
    "console.log('starting'); console.log(JSON.stringify({ cpuMs: 5, args: process.argv.slice(1) }))";
  const outcome = await measuredRun([process.execPath, '-e', lines, '--'], 'q1', 'some.frames');
  t.match(outcome, { cpuMs: 5, args: ['q1', 'some.frames', /^\d+$/, /\.csv$/] });
});

void t.test("a peer's program ends before its time when what it reads from has gone", async (t) => {
  const gone = new AbortController();
  const waiting = 'setInterval(() => {}, 1_000)';
  const run = measuredRun([process.execPath, '-e', waiting, '--'], 't1-drain', 'some.frames', {
    signal: gone.signal,
  });
  gone.abort();
  await t.rejects(run, { name: 'AbortError' });
});
