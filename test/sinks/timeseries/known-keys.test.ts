import t from 'tap';
import { KnownKeys } from '../../../sinks/timeseries/known-keys.ts';

await t.test('a key is noted when it is new, in a later hour and after a while', async (t) => {
  const known = new KnownKeys(10, 1_000);
  const key = known.of('a');
  t.equal(known.of('a'), key);
  const due = (hour: number, nowMs: number) => known.note(key, hour, nowMs);
  t.same(
    [due(5, 0), due(5, 999), due(4, 999), due(6, 999), due(5, 1_998), due(5, 1_999), due(6, 2_000)],
    [true, false, false, true, false, true, false],
  );
  t.equal(due(6, 500), true, 'the clock was set back');
});

await t.test('past its bound it forgets, and notes again', async (t) => {
  const known = new KnownKeys(2, 1_000);
  const [a] = [known.of('a'), known.of('b')];
  t.ok(known.note(a, 1, 0));
  known.of('c');
  t.not(known.of('a'), a);
  t.ok(known.note(known.of('a'), 1, 0));
});
