import t from 'tap';
import {
  durabilityKey,
  partitionKeys,
  schemasKey,
  stageField,
  stageKey,
  topicsKey,
  validName,
} from '../../../engine/redis/keys.ts';

/** The part of a key that a cluster hashes. */
const tag = (key: string) => /\{([^}]+)\}/.exec(key)?.[1];

void t.test('PL1 all keys of a partition lie in one slot, those of another in its own', async (t) => {
  const keys = [
    ...(Object.values(partitionKeys('ns', 'topic', 3)) as string[]),
    stageKey('ns', 'topic', 3, 'sink', 9),
  ];
  t.same([...new Set(keys.map(tag))], ['topic:3']);
  t.equal(new Set(keys).size, keys.length, 'no two are the same');
  t.equal(tag(partitionKeys('ns', 'topic', 4).stream), 'topic:4');
  t.ok(keys.every((key) => key.startsWith('mr:ns:')));
});

void t.test('namespaces and topics do not meet', async (t) => {
  const all = ['a', 'b'].flatMap((ns) => [
    topicsKey(ns),
    schemasKey(ns),
    durabilityKey(ns),
    ...['t', 'u'].flatMap((topic) => Object.values(partitionKeys(ns, topic, 0)) as string[]),
  ]);
  t.equal(new Set(all).size, all.length);
});

void t.test('only plain names make keys', async (t) => {
  for (const name of ['a', 'A-b_c.9', 'x'.repeat(128)]) t.equal(validName(name, 'name'), name);
  for (const name of ['', 'x'.repeat(129), 'a:b', 'a{b', 'a}b', 'a b', 'ä', 'a\n']) {
    t.throws(() => validName(name, 'name'), { code: 'MR_CONFIG_INVALID' }, JSON.stringify(name.slice(0, 5)));
  }
  t.throws(
    () => stageField('a:1', 2),
    { code: 'MR_CONFIG_INVALID' },
    'or one sink could name the stage of another',
  );
});
