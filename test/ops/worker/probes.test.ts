import t from 'tap';
import { systemClock } from '#engine';
import { openProbes } from '../../../ops/worker/probes.ts';

void t.test('probes tell whether a worker lives and is registered, and its figures', async (test) => {
  const worker: { id: string | null; used: number } = { id: null, used: 0 };
  const options = { worker, supervisor: { jobs: ['a', 'b'] }, slots: 4, port: 0, address: '127.0.0.1' };
  const probes = await openProbes({ ...options, clock: systemClock });
  test.teardown(() => probes.close());
  const get = async (path: string, method = 'GET') => {
    const response = await fetch(`http://127.0.0.1:${probes.port}${path}`, { method });
    return { status: response.status, text: await response.text() };
  };
  test.match(await get('/livez'), { status: 200 });
  test.match(await get('/readyz'), { status: 503, text: 'not registered\n' });
  worker.id = 'w1';
  worker.used = 3;
  test.match(await get('/readyz?verbose'), { status: 200, text: 'ready as w1\n' });
  const { text } = await get('/metrics');
  test.match(text, '\nmillrace_worker_slots 4\n');
  test.match(text, '\nmillrace_worker_slots_used 3\n');
  test.match(text, '\nmillrace_worker_jobs_coordinated 2\n');
  for (const line of text.trim().split('\n'))
    test.match(line, /^(# (HELP|TYPE) millrace_\w+ .+|millrace_\w+ [\d.]+)$/);
  test.match(await get('/'), { status: 404 });
  test.match(await get('/livez', 'POST'), { status: 405 });
  await test.rejects(openProbes({ ...options, port: probes.port, clock: systemClock }), {
    code: 'MR_OPS_START',
  });
});
