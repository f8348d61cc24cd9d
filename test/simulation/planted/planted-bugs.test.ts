import t from 'tap';
import { workers } from '../workers/workers.ts';
import { lostTimer } from './host-bugs.ts';
import { PLANTED_BUGS } from './planted-bugs.ts';
import { doubleCommit } from './store-bugs.ts';

t.setTimeout(60_000);

void t.test('there are ten bugs to find, each by its name', async (t) => {
  t.equal(new Set(PLANTED_BUGS.map(({ name }) => name)).size, 10);
});

/** Of those that are found soon; `--planted-bugs` of main.ts looks for all of them. */
const FOUND_SOON = [
  { bug: lostTimer, seeds: [3, 5], says: /^tally .* is missing$/ },
  { bug: doubleCommit, seeds: [5, 3], says: /MR_SINK_AHEAD|in the ledger 2 times/ },
] as const;

for (const { bug, seeds, says } of FOUND_SOON)
  void t.test(`planted and found, and gone again: ${bug.what}`, async (t) => {
    const found = [];
    for (const seed of seeds) found.push(...(await workers.run(seed, { planted: bug })).problems);
    t.ok(
      found.some((problem) => says.test(problem)),
      found[0] ?? 'nothing was found',
    );
    t.same((await workers.run(seeds[0])).problems, [], 'the seed holds without it');
  });
