import type { Test } from 'tap';
import { offset } from '../../../engine/base/brand.ts';
import { systemClock } from '../../../engine/base/clock.ts';
import type { Position } from '../../../engine/log/partition-log.ts';
import { failureOf, type LogHarness, START, take, until } from './log-harness.ts';
import { frameOf, Sample, valuesOf } from './test-frames.ts';

export function readContract(t: Test, { log, capture }: LogHarness): void {
  const filled = async (topic: string, frames: number, partitions = 1) => {
    await log.createTopic(topic, { partitions, schema: Sample });
    for (let p = 0; p < partitions; p++) {
      for (let i = 0; i < frames; i++)
        await log.append(topic, p, frameOf({ producer: `p${p}`, prev: 2 * i, records: 2 }));
    }
  };
  const readerAt = (topic: string, at: Position, framesAheadMax = 8) =>
    log.openReader({ topic, positions: new Map([[0, at]]), framesAheadMax });

  void t.test('RL1 RL2 frames come in order and whole, however few may wait', async (t) => {
    await filled('read', 30);
    for (const framesAheadMax of [1, 3, 8]) {
      const reader = await readerAt('read', START, framesAheadMax);
      const frames = await take(reader, 30);
      t.same(
        frames.flatMap((frame) => valuesOf(frame.bytes)),
        Array.from({ length: 60 }, (_, i) => i + 1),
      );
      t.same(
        frames.map((frame) => frame.offset),
        frames.map((_, i) => 2 * i),
        'offsets are dense',
      );
      t.ok(
        frames.every((frame) => frame.bytes.byteOffset % 8 === 0),
        'RL3 aligned',
      );
      t.same(frames.at(-1)?.next, await log.position('read', 0, 'latest'));
      t.equal(reader.take(), null);
      await reader.close();
    }
  });

  void t.test('PL3 a reader goes on from any position that it was given', async (t) => {
    await filled('resume', 6);
    const first = await readerAt('resume', START);
    const frames = await take(first, 6);
    await first.close();
    for (const [i, frame] of frames.entries()) {
      const reader = await readerAt('resume', frame.next);
      t.same(
        (await take(reader, 5 - i)).map((f) => f.offset),
        frames.slice(i + 1).map((f) => f.offset),
      );
      await reader.close();
    }
  });

  void t.test('a paused partition is passed over, and wakes its reader when it goes on', async (t) => {
    await filled('pause', 6, 2);
    const reader = await log.openReader({
      topic: 'pause',
      positions: new Map([0, 1].map((p) => [p, START])),
      framesAheadMax: 3,
    });
    reader.pause(0, true);
    const others = await take(reader, 6);
    t.ok(others.every((frame) => frame.partition === 1));
    t.equal(reader.take(), null);
    let woken = 0;
    const waiting = reader.ready().then(() => woken++);
    t.equal(reader.atHead(0, 60_000), false, 'what is held back is not the head');
    reader.pause(0, false);
    await waiting;
    t.equal(woken, 1);
    t.same(
      (await take(reader, 6)).map((frame) => frame.partition),
      [0, 0, 0, 0, 0, 0],
    );
    await reader.close();
  });

  void t.test('take goes round over partitions, and each keeps its own order', async (t) => {
    await filled('round', 8, 4);
    const positions = new Map([0, 1, 2, 3].map((p) => [p, START]));
    const reader = await log.openReader({ topic: 'round', positions, framesAheadMax: 4 });
    const frames = await take(reader, 32);
    for (let p = 0; p < 4; p++) {
      t.same(
        frames.filter((f) => f.partition === p).map((f) => f.offset),
        [0, 2, 4, 6, 8, 10, 12, 14],
      );
    }
    await reader.close();
  });

  void t.test('a reader at the head knows it, waits, and wakes for what is appended', async (t) => {
    await filled('head', 1, 2);
    const reader = await log.openReader({
      topic: 'head',
      positions: new Map([
        [0, START],
        [1, START],
      ]),
    });
    await reader.ready();
    t.notOk(reader.atHead(0, 60_000), 'what waits to be taken is not the head');
    await take(reader, 2);
    await until('both partitions are at their heads', () => reader.atHead(0, 500) && reader.atHead(1, 500));
    t.notOk(reader.atHead(7, 60_000), 'a partition that is not read has no head');
    await systemClock.sleep(600);
    t.ok(reader.atHead(0, 500), 'an idle reader keeps looking');
    const waiting = reader.ready();
    await log.append('head', 1, frameOf({ producer: 'p1', prev: 2, records: 1 }));
    await waiting;
    t.match(await take(reader, 1), [{ partition: 1, offset: 2 }]);
    t.equal(reader.failure, null);
    await reader.close();
  });

  void t.test('opening fails without the topic; closing ends the wait', async (t) => {
    await t.rejects(readerAt('not-there', START), { code: 'MR_LOG_NO_TOPIC' });
    await filled('closing', 0);
    const reader = await readerAt('closing', START);
    const waiting = reader.ready();
    await reader.close();
    await waiting;
    t.equal(reader.take(), null);
  });

  void t.test('earliest and latest are positions to start from', async (t) => {
    await filled('where', 3);
    t.same(await log.position('where', 0, 'earliest'), START);
    const latest = await readerAt('where', await log.position('where', 0, 'latest'));
    await log.append('where', 0, frameOf({ producer: 'p0', prev: 6 }));
    t.match(await take(latest, 1), [{ offset: 6 }]);
    await latest.close();
  });

  void t.test('RL4 a lost tail is seen at the head, though there is nothing to read', async (t) => {
    await filled('lost', 3);
    const restore = await capture('lost', 0);
    await log.append('lost', 0, frameOf({ producer: 'p0', prev: 6 }));
    const reader = await readerAt('lost', START);
    await take(reader, 4);
    await restore();
    t.match(await failureOf(reader), { code: 'MR_LOG_ROLLED_BACK', retry: 'restart' });
    await reader.close();
  });

  void t.test('PL3 a lost tail that was written over is seen, even frame for frame', async (t) => {
    await filled('over', 3);
    const restore = await capture('over', 0);
    await log.append('over', 0, frameOf({ producer: 'p0', prev: 6, value: 100 }));
    const read = await log.position('over', 0, 'latest');
    await restore();
    await log.append('over', 0, frameOf({ producer: 'p0', prev: 6, value: 200 }));
    t.equal(
      (await log.position('over', 0, 'latest')).offset,
      read.offset,
      'the offsets alone do not show it',
    );
    for (const more of [false, true]) {
      if (more) await log.append('over', 0, frameOf({ producer: 'p0', prev: 7 }));
      const reader = await readerAt('over', read);
      t.match(await failureOf(reader), { code: 'MR_LOG_ROLLED_BACK' });
      await reader.close();
    }
  });

  void t.test('a position inside a frame, or of another log, is not accepted', async (t) => {
    await filled('odd', 3);
    for (const at of [
      { offset: offset(3), chain: '' },
      { offset: offset(2), chain: '0123456789abcdef' },
      { offset: offset(99), chain: '' },
    ]) {
      const reader = await readerAt('odd', at);
      t.match(await failureOf(reader), { code: 'MR_LOG_ROLLED_BACK' }, `offset ${at.offset}`);
      await reader.close();
    }
  });

  void t.test('PL5 a position that was trimmed fails loudly and names the way out', async (t) => {
    await filled('cut', 4);
    const reader = await readerAt('cut', START);
    const [first, second] = await take(reader, 2);
    await reader.close();
    const at = { topic: 'cut', partition: 0, ...(second as { next: Position }).next };
    await log.registerPositions('job', 1, [at]);
    t.equal(await log.trim('cut', 0), 4);
    for (const position of [START, (first as { next: Position }).next]) {
      const late = await readerAt('cut', position);
      const failure = await failureOf(late);
      t.match(failure, { code: 'MR_LOG_TRIMMED', retry: 'never' });
      t.match(failure.message, /bronze/);
      await late.close();
    }
    const onTime = await readerAt('cut', at);
    t.match(await take(onTime, 2), [{ offset: 4 }, { offset: 6 }]);
    await onTime.close();
    t.same(await log.position('cut', 0, 'earliest'), { offset: at.offset, chain: at.chain });
  });
}
