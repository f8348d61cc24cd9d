import fc from 'fast-check';
import t from 'tap';
import { seededRandom } from '#wire';
import { decideRestart, EXIT_NO_RESTART, RESTART } from '../../../ops/supervisor/restart-decision.ts';

const random = seededRandom(1);

await t.test('ends in a row wait longer, up to a bound, and then it gives up', async (t) => {
  let inRow = 0;
  const waits: number[] = [];
  for (;;) {
    const decision = decideRestart({ code: 1, ranMs: 10, inRow }, random);
    if (decision.kind === 'give-up') break;
    inRow = decision.inRow;
    waits.push(decision.afterMs);
  }
  t.equal(waits.length, RESTART.inRowMax);
  t.ok((waits[0] ?? 0) <= RESTART.firstMs);
  t.ok((waits.at(-1) ?? 0) >= RESTART.maxMs / 2);
});

await t.test('no wait is longer than the bound, whatever the history', async () => {
  fc.assert(
    fc.property(
      fc.nat(RESTART.inRowMax - 1),
      fc.integer({ min: 0, max: RESTART.stableMs * 2 }),
      (inRow, ranMs) => {
        const decision = decideRestart({ code: null, ranMs, inRow }, random);
        return decision.kind === 'restart' && decision.afterMs >= 1 && decision.afterMs <= RESTART.maxMs;
      },
    ),
  );
});

await t.test('a long run starts the count afresh', async (t) => {
  const decision = decideRestart({ code: 1, ranMs: RESTART.stableMs, inRow: RESTART.inRowMax }, random);
  t.match(decision, { kind: 'restart', inRow: 1 });
});

await t.test('a program that says that a restart cannot help is believed', async (t) => {
  t.equal(decideRestart({ code: EXIT_NO_RESTART, ranMs: 10, inRow: 0 }, random).kind, 'give-up');
});
