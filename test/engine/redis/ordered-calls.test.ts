import { ReplyError } from 'ioredis';
import fc from 'fast-check';
import t from 'tap';
import { type Clock, systemClock } from '../../../engine/base/clock.ts';
import { MillraceError } from '../../../engine/base/errors.ts';
import { seededRandom } from '../../../engine/base/random.ts';
import { OrderedCalls, type OrderedCallsOptions } from '../../../engine/redis/ordered-calls.ts';
import { propertyRuns } from '../../support/property-runs.ts';

/** The system's clock without pauses. */
const hasty: Clock = { ...systemClock, sleep: () => systemClock.yieldTurn() };

const callsWith = (options: Partial<OrderedCallsOptions>) =>
  new OrderedCalls({
    clock: hasty,
    random: seededRandom(1),
    unavailableMs: 5_000,
    ready: () => null,
    again: (failure) => failure !== 'refused',
    unavailable: (doing) => new MillraceError('MR_REDIS_UNAVAILABLE', `${doing} took too long`),
    ...options,
  });

const turns = async (count: number) => {
  for (let i = 0; i < count; i++) await systemClock.yieldTurn();
};

/** What happens to one try of a call, and how many turns of the event loop it takes. */
const outcome = fc.record({
  words: fc.constantFrom('OK', 'OK', 'OK', 'READONLY', 'MOVED 1 h:1', 'NOSCRIPT', 'lost', 'WRONGTYPE'),
  turns: fc.nat({ max: 3 }),
});

void t.test(
  'OC1 OC2 whatever tries are refused, no call is sent while an earlier one is to be sent again',
  async () => {
    const script = fc.record({
      /** Turns before each call is made. */
      gaps: fc.array(fc.nat({ max: 2 }), { minLength: 1, maxLength: 12 }),
      outcomes: fc.array(outcome, { maxLength: 30 }),
      /** Turns that the server is away for, before tries. */
      absences: fc.array(fc.nat({ max: 3 }), { maxLength: 10 }),
    });
    await fc.assert(
      fc.asyncProperty(script, async ({ gaps, outcomes, absences }) => {
        const state: ('new' | 'under way' | 'refused' | 'done')[] = gaps.map(() => 'new');
        let away = 0;
        const ready = () => {
          if (away === 0) away = absences.shift() ?? 0;
          if (away === 0) return null;
          return turns(away).then(() => {
            away = 0;
          });
        };
        const calls = callsWith({ ready });
        let batch = 0;
        const sentIn: number[] = [];
        const attempt = async (n: number) => {
          if (state.slice(0, n).some((of) => of === 'refused' || of === 'new'))
            throw new MillraceError('MR_INVARIANT', `${n} overtakes: ${state.join()}`);
          if (
            state[n] === 'refused' &&
            state.slice(0, n).some((of, m) => of === 'under way' && sentIn[m] !== batch)
          )
            throw new MillraceError('MR_INVARIANT', `${n} is not waited with: ${state.join()}`);
          state[n] = 'under way';
          sentIn[n] = batch;
          queueMicrotask(() => batch++); // what is sent together is sent in one go
          const { words, turns: count } = outcomes.shift() ?? { words: 'OK', turns: 0 };
          await turns(count);
          if (words === 'lost') throw new Error('Connection is closed.');
          if (words !== 'OK') throw new ReplyError(words);
          return n;
        };
        const send = (n: number) => {
          const tried = attempt(n);
          const note = (of: 'refused' | 'done') => () => {
            state[n] = of;
          };
          tried.then(note('done'), (error: Error) =>
            note(error.message === 'WRONGTYPE' ? 'done' : 'refused')(),
          );
          return tried;
        };
        const answers: Promise<unknown>[] = [];
        for (const [n, gap] of gaps.entries()) {
          await turns(gap);
          answers.push(calls.run(`call ${n}`, () => send(n)).catch((error: unknown) => error));
        }
        for (const [n, answer] of (await Promise.all(answers)).entries()) {
          const isRefused = answer instanceof MillraceError && answer.message.includes('WRONGTYPE');
          if (answer !== n && !isRefused) throw answer;
        }
      }),
      { numRuns: propertyRuns(300) },
    );
  },
);

void t.test('OC1 a call whose time is up fails, and is not sent again', async (t) => {
  let tries = 0;
  const calls = callsWith({ unavailableMs: 50 });
  const refuse = () => {
    tries++;
    return Promise.reject(new ReplyError('LOADING Redis is loading the dataset in memory'));
  };
  await t.rejects(calls.run('waiting', refuse), { code: 'MR_REDIS_UNAVAILABLE', message: /waiting took/ });
  const triesThen = tries;
  t.ok(triesThen > 1, `${triesThen} tries`);
  await turns(20);
  t.equal(tries, triesThen);
  t.equal(await calls.run('later', () => Promise.resolve('answer')), 'answer');
});

void t.test('a server that is gone for good fails all that wait', async (t) => {
  const gone = new MillraceError('MR_REDIS_UNAVAILABLE', 'closed by us');
  let isGone = false;
  const calls = callsWith({
    ready: () => {
      if (isGone) throw gone;
      return systemClock.yieldTurn();
    },
  });
  const waiting = [1, 2].map((n) => calls.run(`call ${n}`, () => Promise.resolve(n)));
  isGone = true;
  for (const call of waiting)
    await t.rejects(call, { code: 'MR_REDIS_UNAVAILABLE', message: /closed by us/ });
  await t.rejects(
    calls.run('late', () => Promise.resolve(3)),
    { message: /closed by us/ },
  );
});

void t.test('a failure of ours is final', async (t) => {
  const calls = callsWith({ again: () => true });
  const failure = new MillraceError('MR_INVARIANT', 'ours');
  await t.rejects(
    calls.run('call', () => Promise.reject(failure)),
    failure,
  );
});
