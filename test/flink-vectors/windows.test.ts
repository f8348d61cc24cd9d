import t from 'tap';
import { sliding, tumbling } from '#operators';
import { WAYS, windowed } from './windowed.ts';

const starts = [
  [9, 0, 10, 0],
  [10, 0, 10, 10],
  [-1, 0, 10, -10],
  [-10, 0, 10, -10],
  [-11, 0, 10, -20],
  [3, 5, 10, -5],
  [-6, -5, 10, -15],
  [12, -5, 10, 5],
  // An offset of half the size cannot tell its sign; these can.
  [2, 3, 10, -7],
  [12, -3, 10, 7],
] as const;

for (const [time, offset, size, start] of starts) {
  void t.test(`§2.3: (${time}, offset ${offset}, size ${size}) starts at ${start}`, async (test) => {
    for (const way of WAYS) {
      test.same(
        await windowed(way, tumbling(size, { offset }), [time]),
        { results: [`[${start},${start + size})=1@${start + size - 1}`], late: [] },
        way,
      );
    }
  });
}

const slides = [
  [12, 10, 5, ['[5,15)=1@14', '[10,20)=1@19']],
  [-1, 10, 5, ['[-10,0)=1@-1', '[-5,5)=1@4']],
  [4, 5, 10, ['[0,5)=1@4']],
  [7, 5, 10, []],
] as const;

for (const [time, size, slide, results] of slides) {
  const into =
    results.map((it) => it.slice(0, it.indexOf('='))).join(' and ') || 'no window, and is not late';
  void t.test(`§2.3: (${time}, size ${size}, slide ${slide}) is in ${into}`, async (test) => {
    for (const way of WAYS)
      test.same(await windowed(way, sliding(size, slide), [time]), { results, late: [] }, way);
  });
}

void t.test('§2.3: neighbours at both edges: start is in the window, end is in the next', async (test) => {
  for (const way of WAYS) {
    const { results } = await windowed(way, tumbling(10), [-10, -1, 0, 9, 10]);
    test.same(results, ['[-10,0)=2@-1', '[0,10)=2@9', '[10,20)=1@19'], way);
  }
});
