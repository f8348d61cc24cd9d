import t from 'tap';
import { median } from '../../benchmarks/median.ts';

void t.test('the median is the middle value, or the mean of the two in the middle', async (test) => {
  test.equal(median([30, 1, 2]), 2);
  test.equal(median([4, 1, 30, 2]), 3);
  test.throws(() => median([]), /no values/);
});
