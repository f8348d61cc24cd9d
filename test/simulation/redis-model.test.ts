import t from 'tap';
import { redisContract, type RedisUnderTest } from './redis-model.contract.ts';
import { RedisModel } from './redis-model/redis-model.ts';

const START_MS = Date.UTC(2026, 0, 1);

const underTest = (model: RedisModel): RedisUnderTest => ({
  execute: (args) => new Promise((resolve) => resolve(model.execute(args))),
  close: () => Promise.resolve(),
});

redisContract(t, () => Promise.resolve(underTest(new RedisModel({ now: () => START_MS }))));
