import type { Test } from 'tap';
import { checkpointId, type SinkContext, type SinkWriter } from '#engine';
import type { WindowResult } from '../../../sinks/timeseries/window-result.ts';
import { input, result } from './series-harness.ts';

/** One series of one store. */
export interface UndoStore {
  readonly open: (attempt: number, context?: Partial<SinkContext>) => Promise<SinkWriter<WindowResult>>;
  /** `n` of each window by `<key>@<window>`. */
  readonly read: () => Promise<Readonly<Record<string, number>>>;
  /** Rows and fields that the undo log holds. */
  readonly kept: () => Promise<number>;
}

type Row = readonly [key: string, window: number, n: number];

/** What every store must do with the rows of attempts that are lost. `create` makes an empty series. */
export async function undoBehaviour(
  t: Test,
  create: (t: Test, name: string) => Promise<UndoStore>,
): Promise<void> {
  await t.test(
    'rows of a lost attempt are undone to the restored checkpoint, those before it stay',
    async (t) => {
      const { open, read } = await create(t, 'lost');
      const first = await open(1, { nextSeq: 1 });
      await put(first, ['a', 0, 1], ['b', 0, 1], ['a', 1, 2]);
      await barrier(first, 1);
      await put(first, ['a', 1, 3], ['a', 1, 4], ['b', 1, 5], ['c', 0, 6], ['d', 500, 7]);
      await barrier(first, 2); // acknowledged, never published
      await put(first, ['a', 1, 8], ['c', 1, 9], ['b', 0, -1]);
      await flushed(first);
      t.same(await read(), { 'a@0': 1, 'a@1': 8, 'b@0': -1, 'b@1': 5, 'c@0': 6, 'c@1': 9, 'd@500': 7 });
      const second = await open(2, { nextSeq: 2 });
      t.same(await read(), { 'a@0': 1, 'a@1': 2, 'b@0': 1 });
      await put(second, ['c', 0, 60]);
      await flushed(second);
      t.same(await read(), { 'a@0': 1, 'a@1': 2, 'b@0': 1, 'c@0': 60 });
    },
  );

  await t.test('a row put again after a barrier keeps the value from before it (UL6)', async (t) => {
    const { open, read } = await create(t, 'across');
    const first = await open(1, { nextSeq: 1 });
    const rows = Array.from({ length: 3_000 }, (_, i): Row => [`k${i % 1_000}`, Math.floor(i / 1_000), i]);
    await put(first, ...rows);
    const sealed = first.prepareCommit(checkpointId(1)); // the rows are still on their way
    await put(first, ...rows.map(([key, window]): Row => [key, window, -1]));
    await sealed;
    await flushed(first, 2);
    t.ok(Object.values(await read()).every((n) => n === -1));
    await open(2, { nextSeq: 2 });
    t.same(await read(), Object.fromEntries(rows.map(([key, window, n]) => [`${key}@${window}`, n])));
  });

  await t.test('two attempts lost in a row leave nothing, and an older checkpoint undoes more', async (t) => {
    const { open, read } = await create(t, 'twice');
    const first = await open(1, { nextSeq: 1 });
    await put(first, ['a', 0, 1]);
    await barrier(first, 1);
    await put(first, ['a', 0, 2], ['b', 0, 2]);
    await flushed(first, 2);
    const second = await open(2, { nextSeq: 2 });
    await put(second, ['b', 0, 3], ['c', 0, 3]);
    await flushed(second, 2);
    const third = await open(3, { nextSeq: 2 });
    t.same(await read(), { 'a@0': 1 });
    await put(third, ['a', 0, 4]);
    await barrier(third, 2);
    await put(third, ['d', 0, 5]);
    await barrier(third, 3);
    await open(4, { nextSeq: 4 });
    t.same(await read(), { 'a@0': 4, 'd@0': 5 }, 'published');
    await open(5, { nextSeq: 3 });
    t.same(await read(), { 'a@0': 4 }, 'checkpoint 3 was unreadable');
  });

  await t.test('only the first writer of a generation undoes; other sinks and zombies do not', async (t) => {
    const { open, read } = await create(t, 'once');
    const zombie = await open(1, { nextSeq: 1 });
    await put(zombie, ['z', 0, 1]);
    await flushed(zombie);
    const other = await open(1, { nextSeq: 1, operator: 'another' });
    await put(other, ['o', 0, 1]);
    await flushed(other);
    const subtasks = [await open(2, { nextSeq: 1, subtask: 0 })];
    await put(subtasks[0] as SinkWriter<WindowResult>, ['a', 0, 1]);
    await flushed(subtasks[0] as SinkWriter<WindowResult>);
    subtasks.push(...(await Promise.all([1, 2, 3].map((subtask) => open(2, { nextSeq: 1, subtask })))));
    t.same(await read(), { 'a@0': 1, 'o@0': 1 });
    await Promise.all(subtasks.map((writer, i) => put(writer, [`s${i}`, 0, i])));
    await Promise.all(subtasks.map((writer) => flushed(writer)));
    await put(zombie, ['z', 0, 2]);
    await t.rejects(zombie.prepareCommit(checkpointId(9)), { code: 'MR_SINK_FENCED' });
    await t.rejects(open(1, { nextSeq: 1 }), { code: 'MR_SINK_FENCED' });
    t.same(await read(), { 'a@0': 1, 'o@0': 1, 's0@0': 0, 's1@0': 1, 's2@0': 2, 's3@0': 3 });
    await Promise.all([0, 1, 2, 3].map((subtask) => open(3, { nextSeq: 1, subtask })));
    t.same(await read(), { 'o@0': 1 });
  });

  await t.test('the undo log holds three intervals at most, over 50 barriers', async (t) => {
    const { open, read, kept } = await create(t, 'pruned');
    let floor = 0;
    const writer = await open(1, { nextSeq: 1, undoFloor: () => checkpointId(floor) });
    const interval = (seq: number) => Array.from({ length: 40 }, (_, i): Row => [`k${i}`, seq % 5, seq]);
    let keptMax = 0;
    let keptThree = 0;
    for (let seq = 1; seq <= 50; seq++) {
      await put(writer, ...interval(seq));
      await barrier(writer, seq);
      floor = seq - 1; // the checkpoint is completed: the one before it is the oldest that may be restored
      if (seq === 3) keptThree = await kept();
      if (seq >= 3) keptMax = Math.max(keptMax, await kept()); // the first one also holds what is noted once for each key
    }
    t.ok(keptThree > 0);
    t.equal(keptMax, keptThree);
    await put(writer, ...interval(51));
    await flushed(writer, 51);
    const expected = [46, 47, 48, 49, 50].flatMap((seq) => interval(seq));
    await open(2, { nextSeq: 51 });
    t.same(await read(), Object.fromEntries(expected.map(([key, window, n]) => [`${key}@${window}`, n])));
  });
}

async function put(writer: SinkWriter<WindowResult>, ...rows: readonly Row[]): Promise<void> {
  for (const [key, window, n] of rows) await writer.write(input([result(key, window, { n })]));
}

async function barrier(writer: SinkWriter<WindowResult>, seq: number): Promise<void> {
  await writer.prepareCommit(checkpointId(seq));
}

/** What was put is in the store. Only for the last rows of a writer or for those of its first interval. */
async function flushed(writer: SinkWriter<WindowResult>, seq = 1): Promise<void> {
  await barrier(writer, seq);
}
