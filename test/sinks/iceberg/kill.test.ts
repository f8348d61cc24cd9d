import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { decode } from 'msgpackr';
import t, { type TAP } from 'tap';
import { type Random, seededRandom } from '#engine';
import { removeOrphans, tableState } from '#sinks';
import { temporaryFolder } from './sink-harness.ts';
import { duckdb, icebird } from './table-oracles.ts';

const CHILD = new URL('./kill-child.ts', import.meta.url);
const CACHE = mkdtempSync(join(tmpdir(), 'millrace-compile-cache-'));
t.teardown(() => rmSync(CACHE, { recursive: true, force: true }));
const ROWS_PER_CHECKPOINT = 40;
const FOREVER = 1_000_000;
/** How each child of a job dies: at the third pass of a kill point, or some time after one of its first checkpoints. */
const DEATHS: readonly (readonly (string | null)[])[] = [
  ['iceberg:data-written', 'iceberg:before-swap', null, null, null, null, null, null],
  ['iceberg:after-swap', 'iceberg:manifest-written', null, null, null, null, null, null],
];
const CHECKPOINTS_MAX = 4;
const RUN_MS_MAX = 40;

await t.test(
  'a process killed with SIGKILL at any moment leaves every row in the table exactly once',
  async (t) => {
    t.setTimeout(100_000);
    const seed = Date.now() % 1_000_000;
    t.comment(`seed ${seed}`);
    const random = seededRandom(seed);
    const tables = await Promise.all(
      DEATHS.map(async (deaths) => {
        const folder = await temporaryFolder(t);
        for (const death of deaths) {
          t.ok(await diesBy(death, folder, random), `killed ${death ?? 'at random'}`);
        }
        const { offset } = decode(readFileSync(`${folder}/checkpoint`)) as { offset: number };
        const total = offset + 3 * ROWS_PER_CHECKPOINT;
        const [code] = (await once(start([folder, String(total)]), 'exit')) as [number];
        t.equal(code, 0, 'the last one finishes');
        return { warehouse: `${folder}/warehouse`, total };
      }),
    );
    for (const { warehouse, total } of tables) await checkRows(t, warehouse, total);
  },
);

async function checkRows(
  t: Pick<TAP, 'equal' | 'ok' | 'strictSame'>,
  warehouse: string,
  total: number,
): Promise<void> {
  const select = 'SELECT count(*) n, count(DISTINCT n) different, sum(n) s FROM lake';
  const expected = [{ n: BigInt(total), different: BigInt(total), s: BigInt((total * (total - 1)) / 2) }];
  t.strictSame(await duckdb(warehouse, 'numbers', select), expected);
  t.equal((await icebird(warehouse, 'numbers')).length, total);
  t.equal((await tableState(warehouse, 'numbers'))?.rows, total, 'the running totals agree');
  const orphans = await removeOrphans(warehouse, 'numbers', 0);
  t.ok(orphans.length > 0, `killed attempts left ${orphans.length} files in a table of ${total} rows`);
  t.strictSame(await duckdb(warehouse, 'numbers', select), expected, 'and nothing needed them');
}

/** Starts a child and waits for its end; true when that was SIGKILL. */
async function diesBy(death: string | null, folder: string, random: Random): Promise<boolean> {
  const child: ChildProcess = start([folder, String(FOREVER), death ?? '', '2']);
  const ended = once(child, 'exit');
  if (death === null) {
    const checkpoints = Math.ceil(random() * CHECKPOINTS_MAX);
    for (let i = 0; i < checkpoints; i++) await Promise.race([once(child, 'message'), ended]);
    await sleep(random() * RUN_MS_MAX);
    child.kill('SIGKILL');
  }
  await ended;
  return child.signalCode === 'SIGKILL';
}

/** Most of a child's short life would be compiling; the cache leaves it time to write. */
function start(args: readonly string[]): ChildProcess {
  return fork(CHILD, args, { env: { ...process.env, NODE_COMPILE_CACHE: CACHE } });
}
