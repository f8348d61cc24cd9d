import t from 'tap';
import { expect } from './expected.ts';
import { compare } from './verify.ts';
import { eventAt, type Workload } from './workload.ts';

const workload: Workload = {
  seed: 5,
  startMs: Date.UTC(2026, 0, 15),
  feeders: 2,
  lanes: 3,
  rate: 600,
  devicesPerLane: 4,
  coldKeysPerLane: 10,
};

void t.test('what is lost, doubled or wrong shows, each by itself', (test) => {
  const expected = new Map([
    ['a', '1'],
    ['b', '2'],
  ]);
  const found = (...rows: (readonly [string, string])[]) => {
    const { lost, doubled, wrong } = compare('here', expected, rows);
    return { lost, doubled, wrong };
  };
  test.same(found(['a', '1'], ['b', '2']), { lost: 0, doubled: 0, wrong: 0 });
  test.same(found(['a', '1']), { lost: 1, doubled: 0, wrong: 0 });
  test.same(found(['a', '1'], ['b', '2'], ['a', '1']), { lost: 0, doubled: 1, wrong: 0 });
  test.same(found(['a', '1'], ['b', '3']), { lost: 0, doubled: 0, wrong: 1 });
  test.same(found(['a', '1'], ['b', '2'], ['c', '1']), { lost: 0, doubled: 0, wrong: 1 });
  test.end();
});

void t.test(
  'every record is expected in one window or as late, also when it is late twice or was never sent',
  (test) => {
    const due = 1_000;
    const all = Array.from({ length: due }, (_, i) => eventAt(workload, 1, 2, i + 1));
    const late = all.filter((event) => event.late);
    test.ok(late.length > 0 && all.some(({ cold }) => cold));
    const counted = (given: typeof late) => {
      const expected = expect(workload, due, given);
      const inWindows = [...expected.windows.values()].reduce((sum, { count }) => sum + count, 0);
      test.equal(inWindows + expected.late, expected.windowed);
      return expected;
    };
    test.equal(counted([]).late, 0);
    test.match(counted(late), { late: late.length, lateWrong: 0 });
    const [first] = late as [(typeof late)[0]];
    const onTime = all.filter((event) => !event.late).slice(0, 1);
    test.match(counted([...late, first, ...onTime]), { late: late.length, lateWrong: 2 });
    test.end();
  },
);

void t.test(
  'the dense numbers of a lane are all of its records, and each (feeder, lane) has its own',
  (test) => {
    test.same(eventAt(workload, 0, 1, 17), eventAt(workload, 0, 1, 17));
    const { lanes, records } = expect(workload, 300, []);
    test.equal(records, 1_800);
    test.equal(new Set(lanes.map(({ valueSum }) => valueSum)).size, 6);
    test.end();
  },
);
