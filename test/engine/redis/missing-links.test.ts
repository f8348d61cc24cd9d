import { randomUUID } from 'node:crypto';
import t from 'tap';
import { linkName, missingLinks } from '../../../engine/redis/missing-links.ts';

const name = () => linkName('millrace:test:worker', randomUUID());
const line = (of: string, age: number) =>
  `id=7 addr=127.0.0.1:50000 laddr=127.0.0.1:6379 fd=9 name=${of} age=${age} idle=0 flags=N db=0 resp=2`;
const list = (...lines: string[]) => `${lines.join('\n')}\n`;

void t.test('who has no connection is missing, who has one of several is not', async (t) => {
  const [here, gone, never] = [name(), name(), name()];
  const reply = list(line(here, 0), line(here, 1), line(name(), 60), line('somebody-else', 90));
  t.strictSame(missingLinks(reply, [here, gone, never]), new Set([gone, never]));
  t.strictSame(missingLinks(reply, [here]), new Set());
  t.strictSame(missingLinks(reply, []), new Set());
});

void t.test(
  'a server that has just begun tells nothing, however long others are connected to it',
  async (t) => {
    const gone = name();
    t.strictSame(missingLinks(list(line(name(), 2), line('somebody-else', 500)), [gone]), new Set());
    t.strictSame(missingLinks('', [gone]), new Set());
    t.strictSame(missingLinks(list(line(name(), 3)), [gone]), new Set([gone]));
  },
);

void t.test('what is no line of a client list says nothing', async (t) => {
  const gone = name();
  for (const reply of ['null', 'name=', ' name=# age=9 ', 'id=1 name= age=99 idle=0', `name=${gone}`, '\n\n'])
    t.strictSame(missingLinks(reply, [gone]), new Set(), reply);
});
