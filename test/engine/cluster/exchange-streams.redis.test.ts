import t from 'tap';
import { systemClock } from '../../../engine/base/clock.ts';
import { LIMITS } from '../../../engine/base/limits.ts';
import { ExchangeStreams } from '../../../engine/cluster/exchange-streams.ts';
import { exchangeKey, jobKeys } from '../../../engine/redis/keys.ts';
import { clusterHarness, contextOf, faultyLink, NAMESPACE, repeated } from './cluster-harness.ts';

const { open } = await clusterHarness(t);
const link = await open();
const streams = new ExchangeStreams(contextOf(link));
const keyOf = (job: string, generation: number, from: string, to: string) =>
  exchangeKey(NAMESPACE, job, generation, from, to);
const write = (key: string, id = '1-0') => link.call('XADD', key, 'NOMKSTREAM', id, 'd', 'x');
const keysOf = async (job: string) => ((await link.call('KEYS', `*{x:${job}:*`)) as string[]).sort();

void t.test('each host gets a stream to each other one, ready for entry 1-0 (XS1)', async (t) => {
  const shaky = new ExchangeStreams(contextOf(faultyLink(link, repeated)));
  await shaky.create({ job: 'made', generation: 3, hosts: ['a', 'b', 'c'] });
  const expected = ['a', 'b', 'c'].flatMap((to) =>
    ['a', 'b', 'c'].filter((from) => from !== to).map((from) => keyOf('made', 3, from, to)),
  );
  t.same(await keysOf('made'), expected.sort());
  for (const key of expected) {
    t.equal(await link.call('XLEN', key), 0);
    t.equal(await write(key), '1-0');
  }
  await shaky.create({ job: 'made', generation: 3, hosts: ['a', 'b', 'c'] });
  t.equal(await link.call('XLEN', expected[0] as string), 1, 'made again it keeps what is in it');
});

void t.test('XS1 XS3 who comes later drops them; a writer of a dropped generation is told', async (t) => {
  const others = new ExchangeStreams(contextOf(await open()));
  await streams.create({ job: 'left', generation: 1, hosts: ['a', 'b'] });
  await streams.create({ job: 'left', generation: 2, hosts: ['a', 'b', 'c'] });
  await streams.create({ job: 'left', generation: 10, hosts: ['a', 'b'] });
  t.equal(await others.dropBefore('left', 10), 2 + 6);
  t.same(await keysOf('left'), [keyOf('left', 10, 'a', 'b'), keyOf('left', 10, 'b', 'a')].sort());
  t.equal(await write(keyOf('left', 2, 'a', 'c')), null);
  t.equal(await others.drop('left', 2), 0, 'nothing is left to drop');
  t.equal(await others.drop('left', 10), 2);
  t.same(await link.call('HGETALL', jobKeys(NAMESPACE, 'left').exchanges), []);
});

void t.test('XS3 what was planned and not all made is dropped as well', async (t) => {
  let calls = 0;
  const cut = new ExchangeStreams(
    contextOf(
      faultyLink(link, async (send) => {
        if (++calls > 3) throw new Error('cut off');
        return send();
      }),
    ),
  );
  await t.rejects(cut.create({ job: 'cut', generation: 1, hosts: ['a', 'b', 'c'] }), /cut off/);
  t.equal(await streams.dropBefore('cut', 2), 2);
  t.same(await keysOf('cut'), []);
});

void t.test('XS2 a stream that nobody refreshes runs out, one that is refreshed stays', async (t) => {
  const brief = new ExchangeStreams(contextOf(link), { ttlMs: 600 });
  const plan = { job: 'brief', generation: 1, hosts: ['a', 'b', 'c'] };
  await brief.create(plan);
  for (let i = 0; i < 4; i++) {
    await systemClock.sleep(200);
    await brief.refresh(plan, 'a');
  }
  t.same(await keysOf('brief'), [keyOf('brief', 1, 'b', 'a'), keyOf('brief', 1, 'c', 'a')]);
  t.equal(await write(keyOf('brief', 1, 'a', 'b')), null);
});

void t.test('only usable plans are taken', async (t) => {
  const many = Array.from({ length: LIMITS.exchangeHostsMax + 1 }, (_, i) => `h${i}`);
  for (const hosts of [['a', 'a'], ['no:host'], many]) {
    await t.rejects(streams.create({ job: 'wrong', generation: 1, hosts }), { code: 'MR_CONFIG_INVALID' });
  }
  t.same(await keysOf('wrong'), []);
});
