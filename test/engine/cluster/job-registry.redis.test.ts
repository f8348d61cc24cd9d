import t from 'tap';
import { LIMITS } from '../../../engine/base/limits.ts';
import { JobLeases } from '../../../engine/cluster/job-lease.ts';
import { JobRegistry } from '../../../engine/cluster/job-registry.ts';
import { jobKeys } from '../../../engine/redis/keys.ts';
import { clusterHarness, contextOf, faultyLink, lateCopies, NAMESPACE, repeated } from './cluster-harness.ts';

const { open } = await clusterHarness(t);
const link = await open();
const jobs = new JobRegistry(contextOf(link));
const leases = new JobLeases(contextOf(link));
const hash = 'ab'.repeat(32);

async function leaseOf(job: string) {
  const lease = await leases.acquire(job, 'test', 10_000);
  if (lease === null) throw new Error('the lease was not to be had');
  return lease;
}
const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString();

void t.test('a job is made and changed field by field; the revision counts changes (DJ1)', async (t) => {
  t.equal(await jobs.desired('made'), null);
  const settings = { checkpointIntervalMs: 500, names: ['ä', '"'] };
  const change = { bundle: hash, parallelism: 4, desired: 'running', settings } as const;
  t.same(await jobs.change('made', 'c1', change), { kind: 'changed', revision: 1 });
  t.same(await jobs.desired('made'), { name: 'made', ...change, revision: 1 });
  t.same(await jobs.change('made', 'c2', { parallelism: null }), { kind: 'changed', revision: 2 });
  t.same(await jobs.change('made', 'c3', { desired: 'stopped', bundle: null }), {
    kind: 'changed',
    revision: 3,
  });
  const expected = {
    name: 'made',
    bundle: null,
    parallelism: null,
    desired: 'stopped',
    settings,
    revision: 3,
  };
  t.same(await jobs.desired('made'), expected);
  await jobs.change('another', 'c1', { desired: 'running' });
  t.match(await jobs.jobs(), [{ name: 'another', settings: {} }, expected]);
});

void t.test('DJ2 a change is made once per command id, however often it is sent', async (t) => {
  const { fault, replay } = lateCopies();
  const shaky = new JobRegistry(contextOf(faultyLink(faultyLink(link, fault), repeated)));
  t.same(await shaky.change('once', 'c1', { parallelism: 2 }), { kind: 'changed', revision: 1 });
  t.same(await shaky.change('once', 'c2', { parallelism: 3 }), { kind: 'changed', revision: 2 });
  t.same(
    await shaky.change('once', 'c1', { parallelism: 9 }),
    { kind: 'changed', revision: 1 },
    'the same answer',
  );
  await replay();
  t.match(await jobs.desired('once'), { parallelism: 3, revision: 2 });
});

void t.test('a change may insist on what it has seen', async (t) => {
  t.same(await jobs.change('seen', 'c0', {}, 1), { kind: 'conflict', revision: 0 });
  t.same(await jobs.change('seen', 'c1', { parallelism: 1 }, 0), { kind: 'changed', revision: 1 });
  t.same(await jobs.change('seen', 'c2', { parallelism: 2 }, 0), { kind: 'conflict', revision: 1 });
  t.same(await jobs.change('seen', 'c2', { parallelism: 2 }, 1), { kind: 'changed', revision: 2 });
  t.same(
    await jobs.change('seen', 'c2', { parallelism: 2 }, 1),
    { kind: 'changed', revision: 2 },
    'and again',
  );
  const racing = await Promise.all(
    Array.from({ length: 8 }, (_, i) => jobs.change('seen', `r${i}`, { parallelism: i + 1 }, 2)),
  );
  t.equal(racing.filter(({ kind }) => kind === 'changed').length, 1);
});

void t.test('DJ2 DJ3 a request waits in order, and is answered once, by the newest lease', async (t) => {
  await t.rejects(jobs.request('asked', 'r1', 'savepoint'), { code: 'MR_API_NOT_FOUND' });
  await jobs.change('asked', 'c1', { desired: 'running' });
  const shaky = new JobRegistry(contextOf(faultyLink(link, repeated)));
  t.match(await shaky.request('asked', 'r2', 'savepoint', { note: 'ä' }), {
    id: 'r2',
    kind: 'savepoint',
    args: { note: 'ä' },
    answer: { state: 'pending' },
  });
  await shaky.request('asked', 'r1', 'rescale', { parallelism: 8 });
  t.match(
    await shaky.request('asked', 'r2', 'restart'),
    { kind: 'savepoint' },
    'the first under an id stays',
  );
  t.same(
    (await jobs.pending('asked')).map(({ id, kind }) => [id, kind]),
    [
      ['r2', 'savepoint'],
      ['r1', 'rescale'],
    ],
  );

  const old = await leaseOf('asked');
  await leases.release(old);
  const lease = await leaseOf('asked');
  const done = { state: 'done', result: { checkpoint: 7 } } as const;
  t.equal(await jobs.settle(old, 'r2', done), null);
  t.match(await shaky.settle(lease, 'r2', done), { id: 'r2', kind: 'savepoint', answer: done });
  const failed = { state: 'failed', result: { code: 'MR_CHECKPOINT_FAILED' } } as const;
  t.match(await shaky.settle(lease, 'r2', failed), { answer: done }, 'the first answer stays');
  t.match(await jobs.request('asked', 'r2', 'savepoint'), { answer: done });
  t.match(await shaky.settle(lease, 'r1', failed), { answer: failed });
  t.match(await jobs.requested('asked', 'r1'), { kind: 'rescale', answer: failed });
  t.equal(await jobs.requested('asked', 'r9'), null);
  t.same(await jobs.pending('asked'), []);
  await t.rejects(jobs.settle(lease, 'r9', done), { code: 'MR_API_NOT_FOUND' });
  await t.rejects(jobs.change('asked', 'r3x', { parallelism: 0 }), { code: 'MR_CONFIG_INVALID' });
});

void t.test('an id serves one command', async (t) => {
  await jobs.change('ids', 'c1', {});
  await jobs.request('ids', 'r1', 'restart');
  await t.rejects(jobs.change('ids', 'r1', { parallelism: 2 }), { code: 'MR_API_CONFLICT' });
  await jobs.settle(await leaseOf('ids'), 'r1', { state: 'done', result: {} });
  await t.rejects(jobs.change('ids', 'r1', { parallelism: 2 }), { code: 'MR_API_CONFLICT' });
  t.match(await jobs.desired('ids'), { parallelism: null, revision: 1 });
});

void t.test('commands are bounded: pending ones are refused, settled ones forgotten', async (t) => {
  await jobs.change('many', 'c', {});
  const lease = await leaseOf('many');
  for (let i = 0; i < LIMITS.commandsPendingMax; i++) await jobs.request('many', `p${i}`, 'savepoint');
  await t.rejects(jobs.request('many', 'more', 'savepoint'), { code: 'MR_API_LIMITED' });
  await jobs.settle(lease, 'p0', { state: 'done', result: {} });
  await jobs.request('many', 'more', 'savepoint');
  for (let i = 0; i < LIMITS.commandsKept + 20; i++) await jobs.change('many', `c${i}`, { parallelism: 1 });
  const { commands, settled } = jobKeys(NAMESPACE, 'many');
  t.equal(await link.call('ZCARD', settled), LIMITS.commandsKept);
  t.equal(await link.call('HLEN', commands), 2 * LIMITS.commandsKept + LIMITS.commandsPendingMax);
  t.equal((await jobs.pending('many')).length, LIMITS.commandsPendingMax, 'what waits is not forgotten');
  t.equal(await jobs.requested('many', 'p0'), null);
});

void t.test('DJ3 the newest lease publishes the status; an old coordinator cannot', async (t) => {
  const bytes = (value: string) => new TextEncoder().encode(value);
  const first = await leaseOf('told');
  t.equal(await jobs.status('told'), null);
  const { fault, replay } = lateCopies();
  const shaky = new JobRegistry(contextOf(faultyLink(faultyLink(link, fault), repeated)));
  t.equal(await shaky.publishStatus(first, 1, bytes('{"a":"ä"}')), 'published');
  t.equal(await shaky.publishStatus(first, 2, bytes('two')), 'published');
  await replay();
  const status = await jobs.status('told');
  t.equal(text(status?.document), 'two', 'a late copy of an older one replaces nothing');
  t.equal(await jobs.publishStatus(first, 1, bytes('one')), 'stale');
  t.match(status, { leaseToken: first.leaseToken, version: 2 });
  t.ok(Math.abs((status?.publishedAt ?? 0) - Date.now()) < 5_000);

  await leases.release(first);
  t.equal(await jobs.publishStatus(first, 3, bytes('finished')), 'published', 'nobody has taken over');
  const next = await leaseOf('told');
  t.equal(await jobs.publishStatus(first, 4, bytes('zombie')), 'fenced');
  t.equal(text((await jobs.status('told'))?.document), 'finished');
  const binary = Uint8Array.from({ length: 256 }, (_, i) => i);
  t.equal(await jobs.publishStatus(next, 1, binary), 'published');
  t.same((await jobs.status('told'))?.document, binary);
  await t.rejects(jobs.publishStatus(next, 2, new Uint8Array(LIMITS.jobStatusBytesMax + 1)), {
    code: 'MR_CONTROL_TOO_LARGE',
  });
});

void t.test('a job is removed when nobody coordinates it, and leaves nothing (DJ4)', async (t) => {
  await jobs.change('removed', 'c1', {});
  await jobs.request('removed', 'r1', 'savepoint');
  const lease = await leaseOf('removed');
  await jobs.publishStatus(lease, 1, new Uint8Array(3));
  await t.rejects(jobs.remove('removed'), { code: 'MR_API_CONFLICT' });
  t.ok((await jobs.jobs()).some(({ name }) => name === 'removed'));
  await leases.release(lease);
  await jobs.remove('removed');
  await jobs.remove('removed');
  t.notOk((await jobs.jobs()).some(({ name }) => name === 'removed'));
  t.same(await link.call('KEYS', '*{job:removed}*'), []);
  t.equal(await jobs.publishStatus(lease, 2, new Uint8Array(3)), 'fenced');
});

void t.test('DJ4 a removal between the two halves of a change does not hide the job', async (t) => {
  let between: (() => Promise<void>) | null = () => jobs.remove('hidden');
  const interrupted = new JobRegistry(
    contextOf(
      faultyLink(link, async (send) => {
        const answer = await send(); // the first call adds the name
        const act = between;
        between = null;
        await act?.();
        return answer;
      }),
    ),
  );
  await interrupted.change('hidden', 'c1', { parallelism: 2 });
  t.ok((await jobs.jobs()).some(({ name }) => name === 'hidden'));
});

void t.test('only usable values are taken', async (t) => {
  const wrong = [
    { bundle: 'xyz' },
    { parallelism: -1 },
    { parallelism: 1.5 },
    { desired: 'paused' as 'running' },
  ];
  for (const change of wrong) await t.rejects(jobs.change('job', 'c', change), { code: 'MR_CONFIG_INVALID' });
  await t.rejects(jobs.change('no job', 'c', {}), { code: 'MR_CONFIG_INVALID' });
  await t.rejects(jobs.change('job', 'c:answer', {}), { code: 'MR_CONFIG_INVALID' });
  const large = { text: 'x'.repeat(LIMITS.jobSettingsBytesMax) };
  await t.rejects(jobs.change('job', 'c', { settings: large }), { code: 'MR_CONTROL_TOO_LARGE' });
  await jobs.change('job', 'c', {});
  await t.rejects(jobs.request('job', 'r', 'fork', large), { code: 'MR_CONTROL_TOO_LARGE' });
});
