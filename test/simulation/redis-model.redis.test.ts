import { Redis } from 'ioredis';
import t from 'tap';
import { startRedis } from '../support/redis-server.ts';
import { redisContract, type RedisUnderTest } from './redis-model.contract.ts';
import type { Reply } from './redis-model/redis-model.ts';

const server = await startRedis();
const redis = new Redis(server.url, { protocol: 2 });
t.teardown(async () => {
  redis.disconnect();
  await server.stop();
});

const real: RedisUnderTest = {
  execute: async ([name, ...args]) => (await redis.callBuffer(String(name), args)) as Reply,
  close: () => Promise.resolve(),
};

redisContract(t, () => Promise.resolve(real));
