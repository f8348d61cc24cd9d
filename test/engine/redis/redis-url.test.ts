import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { hasCode } from '../../../engine/base/errors.ts';
import { parseRedisUrl, type RedisTarget, targetText } from '../../../engine/redis/redis-url.ts';
import { propertyRuns } from '../../support/property-runs.ts';

const plain = { username: null, password: null, tls: false };
const sentinel = { ...plain, kind: 'sentinel', db: 0, sentinelPassword: null };

void t.test('one server by its socket or its address, several by their list', async (t) => {
  const cases: readonly (readonly [url: string, target: unknown])[] = [
    ['/run/redis.sock', { kind: 'socket', path: '/run/redis.sock' }],
    ['redis://h', { kind: 'server', url: 'redis://h', host: 'redis://h' }],
    ['rediss://u:p@h:7/2', { kind: 'server', url: 'rediss://u:p@h:7/2', host: 'rediss://h:7' }],
    ['redis+cluster://h', { ...plain, kind: 'cluster', nodes: [{ host: 'h', port: 6379 }] }],
    [
      'rediss+cluster://u:p%40%2F@h1:7000,[::1]:7001/0',
      {
        kind: 'cluster',
        nodes: [
          { host: 'h1', port: 7000 },
          { host: '::1', port: 7001 },
        ],
        username: 'u',
        password: 'p@/',
        tls: true,
      },
    ],
    [
      'redis+sentinel://h1,10.0.0.2:5/main',
      {
        ...sentinel,
        master: 'main',
        nodes: [
          { host: 'h1', port: 26379 },
          { host: '10.0.0.2', port: 5 },
        ],
      },
    ],
    [
      'redis+sentinel://:a/b@c@h1:1/ma%20in/3?sentinelPassword=x%26y',
      {
        ...sentinel,
        master: 'ma in',
        nodes: [{ host: 'h1', port: 1 }],
        password: 'a/b@c',
        db: 3,
        sentinelPassword: 'x&y',
      },
    ],
  ];
  for (const [url, target] of cases) t.same(parseRedisUrl(url), target, url);
});

void t.test('what cannot be used is named', async (t) => {
  const cases: readonly (readonly [url: string, why: RegExp])[] = [
    ['', /must begin with/],
    ['localhost:6379', /must begin with/],
    ['http://h', /must begin with/],
    ['redis+ring://h', /'ring' is no layout/],
    ['redis://', /names no host|not a URL/],
    ['redis://h:99999', /not a URL/],
    ['redis://h/zero', /'\/zero' is no number/],
    ['redis+cluster://', /'' is not host:port/],
    ['redis+cluster://h1,,h2', /'' is not host:port/],
    ['redis+cluster://h:0', /'h:0' is not/],
    ['redis+cluster://h:65536', /'h:65536' is not/],
    ['redis+cluster://h/1', /database 0 only/],
    ['redis+cluster://h?family=4', /no option 'family'/],
    ['redis+cluster://secret@h', /user:password/],
    ['redis+cluster://:%zz@h', /two hex digits/],
    ['redis+sentinel://h', /names no master/],
    ['redis+sentinel://h/', /names no master/],
    ['redis+sentinel://h/m/x', /only the number/],
    ['redis+sentinel://h/m/0/0', /only the number/],
  ];
  for (const [url, message] of cases)
    t.throws(() => parseRedisUrl(url), { code: 'MR_CONFIG_INVALID', message }, url);
});

const host = fc.stringMatching(/^[a-z][a-z0-9.-]{0,10}$/);
const address = fc.tuple(host, fc.integer({ min: 1, max: 65_535 })).map(([of, port]) => ({ host: of, port }));
const secret = fc.string({ minLength: 1, unit: 'grapheme' });
const target: fc.Arbitrary<Extract<RedisTarget, { kind: 'sentinel' | 'cluster' }>> = fc
  .record({
    nodes: fc.array(address, { minLength: 1, maxLength: 4 }),
    username: fc.option(secret),
    password: secret,
    tls: fc.boolean(),
    master: fc.option(secret),
    db: fc.nat({ max: 15 }),
    sentinelPassword: fc.option(secret),
  })
  .map(({ master, db, sentinelPassword, ...nodes }) =>
    master === null
      ? { kind: 'cluster', ...nodes }
      : { kind: 'sentinel', ...nodes, master, db, sentinelPassword },
  );

function urlOf(of: Extract<RedisTarget, { kind: 'sentinel' | 'cluster' }>): string {
  const encode = encodeURIComponent;
  const nodes = of.nodes.map((node) => `${node.host}:${node.port}`).join(',');
  const access = `${encode(of.username ?? '')}:${encode(of.password ?? '')}@`;
  const start = `${of.tls ? 'rediss' : 'redis'}+${of.kind}://${access}${nodes}`;
  if (of.kind === 'cluster') return start;
  const query = of.sentinelPassword === null ? '' : `?sentinelPassword=${encode(of.sentinelPassword)}`;
  return `${start}/${encode(of.master)}/${of.db}${query}`;
}

void t.test('whatever a target is, its URL is read back as it', async () => {
  fc.assert(
    fc.property(target, (given) => {
      assert.deepStrictEqual(parseRedisUrl(urlOf(given)), given);
    }),
    { numRuns: propertyRuns(200) },
  );
});

void t.test('any text is a target or MR_CONFIG_INVALID, and no message gives a password away', async (t) => {
  const text = fc.oneof(
    fc.string(),
    fc
      .tuple(
        fc.constantFrom('redis://', 'rediss://', 'redis+sentinel://', 'redis+cluster://', 'redis+'),
        fc.string({ unit: fc.constantFrom(...'ab:@/,?%[]01#&='.split('')) }),
      )
      .map((parts) => parts.join('')),
  );
  const isReadOrRefused = (url: string) => {
    try {
      targetText(parseRedisUrl(url));
      return true;
    } catch (error) {
      return hasCode(error, 'MR_CONFIG_INVALID');
    }
  };
  fc.assert(fc.property(text, isReadOrRefused), { numRuns: propertyRuns(1_000) });
  for (const url of [
    'redis://u:secret@h:1',
    'redis+cluster://u:secret@h:1',
    'redis+sentinel://:secret@h:1/m',
  ])
    t.notMatch(targetText(parseRedisUrl(url)), /secret/);
});
