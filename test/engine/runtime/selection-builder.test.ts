import t from 'tap';
import { SelectionBuilder } from '../../../engine/runtime/selection-builder.ts';

void t.test('gives the indices added since the last call, however many', async (test) => {
  const selection = new SelectionBuilder();
  test.same(selection.take(), new Uint16Array(0));
  for (const count of [3, 65_536, 1_025, 2]) {
    const indices = Uint16Array.from({ length: count }, (_, i) => i);
    for (const index of indices) selection.add(index);
    test.equal(selection.count, count);
    test.same(selection.take(), indices);
    test.equal(selection.count, 0);
  }
  selection.add(7);
  const taken = selection.take();
  selection.add(8);
  test.same(taken, Uint16Array.of(7), 'what was given stays as it is');
});
