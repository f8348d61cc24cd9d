import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { findRedisServer, isSupported } from '../../../ops/setup/find-redis.mjs';

const script = (says: string) => `#!/bin/sh\necho '${says}'\n`;

await t.test('takes the first program that runs and is new enough', async (t) => {
  const dir = t.testdir({
    broken: { 'valkey-server': '#!/bin/sh\nexit 127\n' },
    old: { 'valkey-server': script('Valkey server v=7.2.5 sha=0') },
    good: { 'valkey-server': script('Valkey server v=8.1.1 sha=0') },
  });
  for (const name of ['broken', 'old', 'good']) chmodSync(join(dir, name, 'valkey-server'), 0o755);
  const PATH = ['broken', 'old', 'good'].map((name) => join(dir, name)).join(':');
  t.strictSame(findRedisServer({ PATH }), {
    program: join(dir, 'good', 'valkey-server'),
    product: 'Valkey',
    version: '8.1.1',
  });
});

await t.test('finds the server of this machine', async (t) => {
  const found = findRedisServer();
  t.ok(found !== null && isSupported(found));
});

await t.test('supports Redis from 7.0 and Valkey from 8.0', async (t) => {
  t.ok(isSupported({ product: 'Redis', version: '7.0.0' }));
  t.notOk(isSupported({ product: 'Redis', version: '6.2.14' }));
  t.ok(isSupported({ product: 'Redis', version: '10.1.0' }));
  t.notOk(isSupported({ product: 'Valkey', version: '7.2.5' }));
});
