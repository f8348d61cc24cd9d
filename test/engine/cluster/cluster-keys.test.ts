import t from 'tap';
import {
  bundleKey,
  checkpointKeys,
  coordinatorInbox,
  exchangeKey,
  jobKeys,
  jobNamesKey,
  workerInbox,
  workerKeys,
} from '../../../engine/redis/keys.ts';

/** The part of a key that a cluster hashes. */
const tag = (key: string) => /\{([^}]+)\}/.exec(key)?.[1];
const keysOf = (keys: object) => Object.values(keys).filter((key) => typeof key === 'string');

void t.test('keys that meet in a script lie in one slot (DJ1)', async (t) => {
  const groups = [
    [...keysOf(jobKeys('ns', 'job')), ...keysOf(checkpointKeys('ns', 'job'))],
    keysOf(workerKeys('ns')),
    keysOf(workerInbox('ns', 'w1')),
    keysOf(coordinatorInbox('ns', 'job', 3)),
    [exchangeKey('ns', 'job', 3, 'a', 'c'), exchangeKey('ns', 'job', 3, 'b', 'c')],
  ];
  const tags = groups.map((keys) => [...new Set(keys.map(tag))]);
  t.same(tags, [['job:job'], ['workers'], ['in:w:w1'], ['in:c:job:3'], ['x:job:3:c']]);
  const all = [
    ...groups.flat(),
    jobNamesKey('ns'),
    bundleKey('ns', 'ab'),
    exchangeKey('ns', 'job', 3, 'c', 'a'),
    exchangeKey('ns', 'job', 4, 'a', 'c'),
    ...keysOf(workerInbox('ns', 'w2')),
    ...keysOf(coordinatorInbox('ns', 'job', 4)),
  ];
  t.equal(new Set(all).size, all.length, 'no two are the same');
  t.ok(all.every((key) => key.startsWith('mr:ns:')));
});

void t.test('only plain names make keys', async (t) => {
  for (const make of [
    () => jobKeys('ns', 'a:b'),
    () => workerInbox('ns', 'w}x'),
    () => coordinatorInbox('n s', 'job', 1),
    () => exchangeKey('ns', 'job', 1, 'a:b', 'c'),
    () => bundleKey('ns', ''),
  ]) {
    t.throws(make, { code: 'MR_CONFIG_INVALID' });
  }
  t.throws(() => coordinatorInbox('ns', 'job', -1), RangeError);
});
