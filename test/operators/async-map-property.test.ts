import fc from 'fast-check';
import t from 'tap';
import { seededRandom } from '#engine';
import { Calls, give, open, settle, stored } from '../support/async-map-bench.ts';
import { propertyRuns } from '../support/property-runs.ts';

type Step =
  | { readonly kind: 'record' | 'watermark' | 'idle' | 'poll' | 'restore' }
  | { readonly kind: 'answer'; readonly nth: number; readonly fails: boolean };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.constant<Step>({ kind: 'record' }) },
  { weight: 2, arbitrary: fc.constant<Step>({ kind: 'watermark' }) },
  { weight: 3, arbitrary: fc.constant<Step>({ kind: 'poll' }) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'restore' }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('answer' as const),
      nth: fc.nat(9),
      fails: fc.nat(9).map((n) => n === 0),
    }),
  },
);

/** Watermarks with no record between them are one: the last. */
function merged(said: readonly (number | string)[]): (number | string)[] {
  return said.filter((it, i) => typeof it === 'number' || typeof said[i + 1] !== 'string');
}

/** The records between two watermarks, sorted: what an unordered operator may shuffle. */
function sortedBetween(said: readonly (number | string)[]): (number | string)[] {
  const sorted: (number | string)[] = [];
  let stretch: number[] = [];
  for (const it of said) {
    if (typeof it === 'number') stretch.push(it);
    else {
      sorted.push(...stretch.sort((a, b) => a - b), it);
      stretch = [];
    }
  }
  return [...sorted, ...stretch.sort((a, b) => a - b)];
}

void t.test(
  'AM1 AM2 AM3 AM4: results leave in their order, no watermark overtakes or is overtaken, calls stay bounded, a restore loses and doubles nothing',
  async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 60 }),
        fc.integer({ min: 1, max: 4 }),
        fc.constantFrom<'ordered' | 'unordered'>('ordered', 'unordered'),
        fc.nat(),
        async (script, concurrency, resultOrder, seed) => {
          let calls = new Calls();
          let { bench, operator } = open(calls.transform, { concurrency, order: resultOrder });
          let order: (number | string)[] = [];
          const given: (number | string)[] = [];
          const failed = new Set<number>();
          let time = 0;
          const collect = () => {
            for (const it of bench.output.take())
              given.push(it.kind === 'row' ? it.time : it.kind === 'watermark' ? `w${it.time}` : 'idle');
            for (const error of bench.errors.splice(0)) failed.add(error.time);
          };
          const run = async (it: Step) => {
            if (it.kind === 'record' && operator.blocked?.() === null) {
              order.push(++time);
              give(operator, time);
            } else if (it.kind === 'watermark') {
              order.push(`w${++time}`);
              operator.watermark(time);
            } else if (it.kind === 'answer' && calls.open.length > 0) {
              calls.answer(it.nth, it.fails);
              await settle();
            } else if (it.kind === 'restore') {
              collect();
              const state = stored(operator);
              calls = new Calls();
              ({ bench, operator } = open(calls.transform, { concurrency, order: resultOrder }));
              operator.restore?.([state]);
              // Watermarks still in the queue come again from the source; so does the newest.
              const newest = order.findLast((entry) => typeof entry === 'string');
              if (newest !== undefined && !given.includes(newest)) {
                order = order.filter((entry) => typeof entry === 'number' || given.includes(entry));
                order.push(`w${++time}`);
                operator.watermark(time);
              }
            } else operator.poll?.();
            collect();
            if (calls.open.length > concurrency) throw new Error(`${calls.open.length} calls are open`);
          };
          for (const it of script) await run(it);
          const random = seededRandom(seed);
          for (let i = 0; operator.pending?.() && i < 1000; i++) {
            await run({ kind: 'poll' });
            await run({ kind: 'answer', nth: Math.floor(random() * 9), fails: false });
          }
          await run({ kind: 'poll' });
          const left = order.filter((entry) => typeof entry === 'string' || !failed.has(entry));
          const expected = merged(left).join();
          const got = merged(resultOrder === 'ordered' ? given : sortedBetween(given));
          if (got.join() !== expected) throw new Error(`got ${got.join()} instead of ${expected}`);
          return given.every((it) => order.includes(it));
        },
      ),
      { numRuns: propertyRuns(400) },
    );
  },
);
