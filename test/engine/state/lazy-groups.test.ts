import t from 'tap';
import { LazyGroups } from '#engine';

void t.test('groups are made when they are asked for, and read like a map', async (test) => {
  const made: number[] = [];
  const groups = new LazyGroups([3, 5], (number) => {
    made.push(number);
    return { number };
  });
  test.same([groups.size, groups.has(3), groups.has(4), [...groups.keys()]], [2, true, false, [3, 5]]);
  test.same(made, []);
  test.same(groups.get(5), { number: 5 });
  test.equal(groups.get(4), undefined);
  test.same(made, [5]);
  for (const [number, group] of groups) {
    test.equal(made.at(-1), number, 'one at a time');
    test.equal(group.number, number);
  }
  test.same([...groups.values()], [{ number: 3 }, { number: 5 }]);
  const visited: unknown[] = [];
  groups.forEach((group, number, all) => visited.push([group.number, number, all === groups]));
  test.same(visited, [
    [3, 3, true],
    [5, 5, true],
  ]);
  test.same([...new Map(groups)], [...groups.entries()]);
});
