import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { Redis } from 'ioredis';
import t from 'tap';
import { propertyRuns } from '../support/property-runs.ts';
import { startRedis } from '../support/redis-server.ts';
import {
  answerOf,
  dumpOf,
  modelUnderTest,
  redisContract,
  type RedisUnderTest,
} from './redis-model.contract.ts';
import type { ExpectedAnswer } from './redis-model/cases/case.ts';
import { randomCommands } from './redis-model/cases/random-commands.ts';
import { SCRIPT_RUNS } from './redis-model/cases/script-file-runs.ts';
import { RedisModel } from './redis-model/redis-model.ts';
import type { Reply } from './redis-model/redis-reply.ts';

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

void t.test('every script file gives the same replies and leaves the same keys on both', async (t) => {
  for (const [title, runs] of Object.entries(SCRIPT_RUNS)) {
    await redis.flushall();
    const model = modelUnderTest(new RedisModel({ now: Date.now }));
    for (const [file, keys, args, gives] of runs) {
      const source = readFileSync(join(ROOT, file));
      const names = keys.split(' ');
      const words = ['EVAL', source, names.length, ...names, ...args];
      const [asked, answered] = [await answerOf(real, words), await answerOf(model, words)];
      t.equal(firstOf(asked), gives, `${title}: ${file} gives ${gives}`);
      t.strictSame(aboutNow(answered), aboutNow(asked), `${title}: ${file} on the model`);
    }
    t.strictSame(aboutNow(await dumpOf(model)), aboutNow(await dumpOf(real)), `${title}: keys`);
  }
});

void t.test('no script file is left out', (t) => {
  const files = ['engine', 'sinks']
    .flatMap((folder) => globSync(`${folder}/**/scripts/*.lua`, { cwd: ROOT }))
    .sort();
  const run = new Set(Object.values(SCRIPT_RUNS).flatMap((runs) => runs.map(([file]) => file)));
  t.ok(files.length > 30, `${files.length} files were found`);
  t.strictSame(
    files.filter((file) => !run.has(file)),
    [],
    'add runs of these to redis-model/cases/script-file-runs.ts',
  );
  t.end();
});

const ROOT = join(import.meta.dirname, '../..');

function firstOf(answer: ExpectedAnswer): unknown {
  if (typeof answer === 'string') return answer.split(' ', 1)[0];
  return Array.isArray(answer) ? (answer[0] ?? '') : answer;
}

/** Times of about now, and what is left until one, to 20 s: the two servers ran one after the other. */
function aboutNow(value: unknown): unknown {
  const rounded = (digits: string) => {
    const ms = Number(digits);
    return Math.abs(ms - Date.now()) < 3_600_000 ? `now+${Math.round((ms - Date.now()) / 20_000)}` : digits;
  };
  return JSON.parse(
    JSON.stringify(value)
      .replaceAll(/[0-9]{13}/g, rounded)
      .replaceAll(/"5[0-9]{4}"|"60000"/g, '"a minute"'),
  );
}

void t.test(
  'RM1 any commands get the same replies and leave the same keys as in the real server',
  async (t) => {
    await fc.assert(
      fc.asyncProperty(randomCommands, async (commands) => {
        await redis.flushall();
        const model = modelUnderTest(new RedisModel({ now: Date.now }));
        const asked = await Promise.all(commands.map((words) => answerOf(real, words)));
        for (const [i, words] of commands.entries()) {
          const answered = await answerOf(model, words);
          assert.deepEqual(codeOnly(answered), codeOnly(asked[i]), `${i}: ${words.join(' ')}`);
        }
        assert.deepEqual(await dumpOf(model), await dumpOf(real));
      }),
      { numRuns: propertyRuns(60) },
    );
    t.pass('the real server agrees');
  },
);

/** Of a refusal the code alone. */
function codeOnly(answer: ExpectedAnswer | undefined): unknown {
  if (answer !== null && typeof answer === 'object' && 'refused' in answer)
    return `refused ${answer.refused.split(' ', 1)[0]}`;
  return answer;
}
