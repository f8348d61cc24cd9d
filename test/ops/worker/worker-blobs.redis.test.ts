import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { Event } from '../../engine/host/counting-job.ts';
import { createJobBench } from '../../support/job-bench.ts';
import { startRedis } from '../../support/redis-server.ts';
import { openWorkers } from './worker-harness.ts';

t.setTimeout(60_000);
const server = await startRedis();
t.teardown(() => server.stop());
const COUNTING = fileURLToPath(new URL('../../engine/host/counting-job.ts', import.meta.url));
const KEYS = 20_000;

void t.test('large state of a job on workers lies in the folder that --blobs names', async (test) => {
  const folder = test.testdir();
  const { start, cli, read, log } = await openWorkers(test, server.url, 'blobs', { MILLRACE_BLOBS: folder });
  const { feed } = createJobBench({ log });
  const first = await start('--job', COUNTING, '--slots', '2');
  const events = Array.from({ length: KEYS }, (_, i) => ({ at: 9_500, key: `key-${i}`, n: 1 }));
  await feed('events', Event, events, { partitions: 4 });
  await read(KEYS);
  const saved = await cli('savepoint', 'counting');
  test.equal(saved.code, 0, saved.error);
  const files = (await readdir(folder, { recursive: true })).filter((name) => name.includes('@'));
  test.ok(files.length > 0, 'objects lie in the folder');

  const counted = await cli('inspect', 'counting', '--module', COUNTING, '--count');
  test.match(counted, { code: 0, out: new RegExp(`\\ntotals +window-aggregate .* ${KEYS} `) });
  const elsewhere = await cli('inspect', 'counting', '--module', COUNTING, '--count', '--blobs', tmpdir());
  test.match(elsewhere, { code: 1, error: /MR_CHECKPOINT_/ }, 'another folder does not have it');
  test.match(await cli('list', '--blobs', 'gs://bucket'), { code: 2, error: /only s3:/ });

  first.kill('SIGKILL');
  await first.ended;
  const second = await start('--job', COUNTING, '--slots', '2');
  await feed('events', Event, [{ at: 9_500, key: 'key-0', n: 1 }], { partitions: 4, producer: 'more' });
  await read(KEYS + 1);
  const restored = await cli('savepoint', 'counting');
  test.equal(restored.code, 0, restored.error);
  const again = await cli('inspect', 'counting', '--module', COUNTING, '--count');
  test.match(again.out, new RegExp(`\\ntotals +window-aggregate .* ${KEYS} `), 'restored from the folder');
  second.kill('SIGTERM');
  test.equal(await second.ended, 0);
});
