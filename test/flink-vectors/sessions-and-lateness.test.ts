import t from 'tap';
import { session, sliding, tumbling } from '#operators';
import { watermark } from '../../operators/testing/index.ts';
import { type Step, WAYS, type Windowed, windowed } from './windowed.ts';

type Vector = readonly [
  rule: string,
  windows: Parameters<typeof windowed>[1],
  lateness: number,
  script: readonly Step[],
  expected: Windowed,
];
const one = (...results: string[]): Windowed => ({ results, late: [] });

const sessions: readonly Vector[] = [
  ['a record opens [ts, ts + gap)', session(10), 0, [100], one('[100,110)=1@109')],
  ['records exactly the gap apart merge', session(10), 0, [0, 10], one('[0,20)=2@19')],
  ['… also when the later one comes first', session(10), 0, [10, 0], one('[0,20)=2@19')],
  ['… also before the epoch', session(10), 0, [-20, -10], one('[-20,0)=2@-1')],
  ['one more millisecond does not', session(10), 0, [0, 11], one('[0,10)=1@9', '[11,21)=1@20')],
  ['… in either order', session(10), 0, [11, 0], one('[0,10)=1@9', '[11,21)=1@20')],
  [
    'a record exactly the gap from two sessions makes them one',
    session(10),
    0,
    [0, 20, 10],
    one('[0,30)=3@29'),
  ],
  [
    'timers of the sessions that vanished do not fire',
    session(10),
    0,
    [0, 15, 8, watermark(9), watermark(23), watermark(24)],
    one('[0,25)=3@24'),
  ],
  [
    'a late record that merges into an open session is taken',
    session(10),
    0,
    [watermark(15), 12, 3],
    one('[3,22)=2@21'),
  ],
  [
    'with its own window over and nothing to touch it is late',
    session(10),
    0,
    [14, watermark(13), 3],
    { results: ['[14,24)=1@23'], late: [3] },
  ],
  [
    'lateness lets a given session grow and be given again',
    session(10),
    5,
    [0, watermark(9), 2, watermark(11), 3, watermark(100)],
    one('[0,10)=1@9', '[0,12)=2@11', '[0,13)=3@12'),
  ],
];

const lateness: readonly Vector[] = [
  [
    'a record at the watermark is late: ts ≤ watermark',
    tumbling(10),
    0,
    [watermark(9), 9],
    { results: [], late: [9] },
  ],
  ['a record 1 ms above the watermark is not', tumbling(10), 0, [watermark(8), 9], one('[0,10)=1@9')],
  [
    'a record behind the watermark is not late while its window is open',
    tumbling(10),
    0,
    [watermark(8), 0],
    one('[0,10)=1@9'),
  ],
  [
    '1 ms before maxTimestamp + lateness the window takes records, and fires at once',
    tumbling(10),
    5,
    [watermark(13), 3],
    one('[0,10)=1@9'),
  ],
  ['at maxTimestamp + lateness it is over', tumbling(10), 5, [watermark(14), 3], { results: [], late: [3] }],
  [
    'each allowed late record fires its window again',
    tumbling(10),
    5,
    [1, watermark(9), 2, watermark(13), 3],
    one('[0,10)=1@9', '[0,10)=2@9', '[0,10)=3@9'),
  ],
  [
    'a window that was given and cleaned up does not open again',
    tumbling(10),
    5,
    [1, watermark(14), 2],
    { results: ['[0,10)=1@9'], late: [2] },
  ],
  ['one window of two is over: not late', sliding(10, 5), 0, [watermark(14), 12], one('[10,20)=1@19')],
  ['both windows are over: late', sliding(10, 5), 0, [watermark(19), 12], { results: [], late: [12] }],
  [
    'with lateness the window that is due fires at once, the other when it is due',
    sliding(10, 5),
    5,
    [watermark(18), 12, watermark(19)],
    one('[5,15)=1@14', '[10,20)=1@19'),
  ],
  [
    'slide > size, in no window, ts + lateness above the watermark: neither in a window nor late',
    sliding(5, 10),
    2,
    [watermark(8), 7],
    one(),
  ],
  [
    'slide > size, in no window, ts + lateness at the watermark: late',
    sliding(5, 10),
    2,
    [watermark(9), 7],
    { results: [], late: [7] },
  ],
  [
    'slide > size, in a window that is over: late',
    sliding(5, 10),
    2,
    [watermark(6), 3],
    { results: [], late: [3] },
  ],
];

for (const [rule, windows, latenessMs, script, expected] of [...sessions, ...lateness]) {
  const of = windows.kind === 'session' ? 'session' : 'lateness';
  void t.test(`§2.3 ${of}: ${rule}`, async (test) => {
    for (const way of WAYS)
      test.same(await windowed(way, windows, script, { lateness: latenessMs }), expected, way);
  });
}
