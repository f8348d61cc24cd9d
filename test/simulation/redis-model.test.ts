import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import t from 'tap';
import { propertyRuns } from '../support/property-runs.ts';
import { modelUnderTest, redisContract } from './redis-model.contract.ts';
import type { RedisModelArgument } from './redis-model/bytes.ts';
import { randomCommands } from './redis-model/cases/random-commands.ts';
import { RedisModel, type RedisWrite } from './redis-model/redis-model.ts';
import { RedisReplyError } from './redis-model/redis-reply-error.ts';

const START_MS = Date.UTC(2026, 0, 1);

redisContract(t, () => Promise.resolve(modelUnderTest(new RedisModel({ now: () => START_MS }))));

void t.test('RM2, RK2 a fork keeps its keys, and has those of its origin once it gets its writes', (t) => {
  fc.assert(
    fc.property(
      randomCommands,
      fc.array(fc.nat(200), { minLength: 1 }),
      fc.nat(59),
      (commands, steps, at) => {
        let [nowMs, forkMs] = [START_MS, START_MS];
        const model = new RedisModel({ now: () => nowMs });
        const writes: RedisWrite[] = [];
        model.onWrite((write) => writes.push(write));
        let fork = model.fork({ now: () => forkMs });
        let before = fork.dump();
        for (const [i, command] of commands.entries()) {
          if (i === at) {
            forkMs = nowMs;
            fork = model.fork({ now: () => forkMs });
            before = fork.dump();
            writes.length = 0;
          }
          nowMs += steps[i % steps.length] as number;
          attempt(model, command);
          attempt(model, ['PEXPIRE', 'b', 150]);
          attempt(model, ['XADD', 'times', '*', 'f', 'v']);
        }
        assert.deepEqual(fork.dump(), before);
        for (const write of writes) fork.apply(write);
        forkMs = nowMs;
        assert.deepEqual(fork.dump(), model.dump());
        assert.equal(fork.usedBytes, model.usedBytes, 'RK3');
      },
    ),
    { numRuns: propertyRuns(100) },
  );
  t.pass('the fork agrees');
  t.end();
});

void t.test('RK1 a key lives through its last millisecond and is gone after it', (t) => {
  let nowMs = START_MS;
  const model = new RedisModel({ now: () => nowMs });
  const empty = model.usedBytes;
  model.execute(['SET', 'k', 'v', 'PX', 100]);
  model.execute(['XADD', 's', '*', 'f', 'v']);
  nowMs += 100;
  t.equal(model.execute(['PTTL', 'k']), 0);
  nowMs += 1;
  t.equal(model.execute(['GET', 'k']), null);
  t.equal(String(model.execute(['XADD', 's', '*', 'f', 'v'])), `${nowMs}-0`);
  t.equal(String(model.execute(['XADD', 's', '*', 'f', 'v'])), `${nowMs}-1`);
  t.same(String(model.execute(['TIME'])), [Math.floor(nowMs / 1_000), (nowMs % 1_000) * 1_000].join());
  model.execute(['DEL', 's']);
  t.equal(model.usedBytes, empty, 'RK3 and what it was charged with is free');
  t.end();
});

void t.test('RK4 what is emptied is no key, but a stream is', (t) => {
  const model = new RedisModel({ now: () => START_MS });
  for (const command of ['HSET h f v', 'RPUSH l v', 'SADD s v', 'ZADD z 1 v', 'XADD x 1-1 f v'])
    model.execute(command.split(' '));
  for (const command of ['HDEL h f', 'LPOP l', 'SREM s v', 'ZREM z v', 'XDEL x 1-1'])
    model.execute(command.split(' '));
  t.strictSame(
    model.dump().map(({ key }) => key),
    ['x'],
  );
  t.end();
});

void t.test('over its limit the model refuses to grow until something is freed', (t) => {
  const model = new RedisModel({ now: () => START_MS, maxmemory: 2 << 20 });
  let stored = 0;
  t.throws(
    () => {
      for (; ; stored++) model.execute(['SET', `k${stored}`, Buffer.alloc(10_000)]);
    },
    { name: 'ReplyError', message: /^OOM / },
  );
  t.ok(stored > 90 && stored < 110, `${stored} values of 10 kB fit into the MiB that it leaves`);
  model.execute(['DEL', 'k0', 'k1']);
  t.equal(String(model.execute(['SET', 'k0', 'v'])), 'OK');
  t.end();
});

void t.test('RM2 a fork of a model that is full takes what was taken before', (t) => {
  const model = new RedisModel({ now: () => START_MS });
  const writes: RedisWrite[] = [];
  model.onWrite((write) => writes.push(write));
  model.execute(['CONFIG', 'SET', 'maxmemory', '1']);
  const fork = model.fork();
  model.execute(['CONFIG', 'SET', 'maxmemory', '0']);
  model.execute(['SET', 'k', 'v']);
  for (const write of writes) fork.apply(write);
  t.strictSame(fork.dump(), model.dump());
  t.throws(() => fork.execute(['SET', 'k', 'w']), { message: /^OOM / });
  t.end();
});

void t.test('a blocking read tells that it would wait, and a write tells which keys it changed', (t) => {
  const model = new RedisModel({ now: () => START_MS });
  const read = ['XREAD', 'BLOCK', 0, 'STREAMS', 's', '0'];
  const writes: RedisWrite[] = [];
  const end = model.onWrite((write) => writes.push(write));
  t.equal(model.wouldServe(read), false);
  t.equal(model.execute(read), null, 'it does not wait');
  t.equal(model.wouldServe(['GET', 's']), true);
  const add = "return redis.call('XADD', KEYS[1], '1-1', 'f', 'v')";
  const sha = model.execute(['SCRIPT', 'LOAD', add]) as Buffer;
  model.execute(['EVALSHA', sha, 1, 's']);
  t.equal(model.wouldServe(read), true);
  t.strictSame(
    writes.map(({ words, keys }) => [words, [...keys]]),
    [[['EVAL', add, '1', 's'], ['s']]],
    'a script is told by its text',
  );
  end();
  model.execute(['DEL', 's']);
  t.equal(writes.length, 1);
  model.execute(['SET', 's', 'not a stream']);
  t.equal(model.wouldServe(read), true, 'an error is served at once');
  t.end();
});

void t.test('a fork is another server: its history has another id, and it knows no scripts', (t) => {
  const model = new RedisModel({ now: () => START_MS });
  const sha = model.execute(['SCRIPT', 'LOAD', 'return 1']) as Buffer;
  const forks = [model.fork(), model.fork()];
  const ids = [model, ...forks].map((one) => /master_replid:(\S+)/.exec(String(one.execute(['INFO']))));
  t.equal(new Set(ids.map((found) => found?.[1])).size, 3);
  t.match(model.historyId, /^[0-9a-f]{40}$/);
  t.equal(model.execute(['EVALSHA', sha, 0]), 1);
  for (const fork of forks) t.throws(() => fork.execute(['EVALSHA', sha, 0]), { message: /^NOSCRIPT / });
  t.end();
});

void t.test('RM3 what is left out fails loudly, also inside a script', (t) => {
  const model = new RedisModel({ now: () => START_MS });
  const gap = { name: 'RedisModelGap' };
  t.throws(() => model.execute(['XTRIM', 's', 'MAXLEN', '~', 5]), gap);
  t.throws(() => model.execute(['EVAL', "return redis.pcall('XTRIM', 's', 'MAXLEN', '~', 5)", 0]), gap);
  t.throws(() => model.execute(['CONFIG', 'SET', 'save', '']), gap);
  t.equal(model.execute(['EVAL', 'return 1', 0]), 1, 'and the next script runs');
  t.end();
});

function attempt(model: RedisModel, command: readonly RedisModelArgument[]): void {
  try {
    model.execute(command);
  } catch (error) {
    if (!(error instanceof RedisReplyError)) throw error;
  }
}
