import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { decode } from 'msgpackr';
import t from 'tap';
import { seededRandom } from '#engine';
import { removeOrphans, tableState } from '#sinks';
import { duckdb, icebird, temporaryFolder } from './sink-harness.ts';

const CHILD = new URL('./kill-child.ts', import.meta.url);
const KILL_POINTS = [
  'iceberg:data-written',
  'iceberg:manifest-written',
  'iceberg:before-swap',
  'iceberg:after-swap',
];
const RANDOM_KILLS = 10;
const FOREVER = 1_000_000;

await t.test(
  'a process killed with SIGKILL at any moment leaves every row in the table exactly once',
  async (t) => {
    const folder = await temporaryFolder(t);
    const seed = Date.now() % 1_000_000;
    t.comment(`seed ${seed}`);
    const random = seededRandom(seed);
    let kills = 0;
    for (const point of KILL_POINTS) {
      for (const passes of [0, 2]) {
        const child = fork(CHILD, [folder, String(FOREVER), point, String(passes)]);
        kills += await killed(child);
      }
    }
    for (let i = 0; i < RANDOM_KILLS; i++) {
      const child = fork(CHILD, [folder, String(FOREVER)]);
      await Promise.race([once(child, 'message'), once(child, 'exit')]);
      await sleep(random() * 250);
      child.kill('SIGKILL');
      kills += await killed(child);
    }
    t.equal(kills, 2 * KILL_POINTS.length + RANDOM_KILLS, 'every child was killed, none fell over');

    const { offset } = decode(readFileSync(`${folder}/checkpoint`)) as { offset: number };
    const total = offset + 120;
    const last = fork(CHILD, [folder, String(total)]);
    const [code] = (await once(last, 'exit')) as [number];
    t.equal(code, 0);
    const rows = Math.ceil(total / 40) * 40;
    const [truth] = await duckdb(
      `${folder}/warehouse`,
      'numbers',
      'SELECT count(*) n, count(DISTINCT n) distinct_n, sum(n) s FROM lake',
    );
    const expected = { n: BigInt(rows), distinct_n: BigInt(rows), s: (BigInt(rows) * BigInt(rows - 1)) / 2n };
    t.strictSame(truth, expected);
    t.equal((await icebird(`${folder}/warehouse`, 'numbers')).length, rows);
    t.equal((await tableState(`${folder}/warehouse`, 'numbers'))?.rows, rows, 'the running totals agree');

    const orphans = await removeOrphans(`${folder}/warehouse`, 'numbers', 0);
    t.comment(`${kills} kills, ${rows} rows, ${orphans.length} orphans removed`);
    t.ok(orphans.length > 0, 'killed attempts left files');
    t.strictSame(
      (
        await duckdb(
          `${folder}/warehouse`,
          'numbers',
          'SELECT count(*) n, count(DISTINCT n) distinct_n, sum(n) s FROM lake',
        )
      )[0],
      expected,
    );
  },
);

/** 1 when the process died of SIGKILL. */
async function killed(child: ChildProcess): Promise<number> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return child.signalCode === 'SIGKILL' ? 1 : 0;
}
