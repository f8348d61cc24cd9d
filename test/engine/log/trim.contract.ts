import type { Test } from 'tap';
import { offset } from '../../../engine/base/brand.ts';
import type { Position, TopicOptions } from '../../../engine/log/partition-log.ts';
import { type LogHarness, START, take } from './log-harness.ts';
import { frameOf, Sample } from './test-frames.ts';

export function trimContract(t: Test, { log, clock }: LogHarness): void {
  /** Ten frames of two records; the position after each. */
  const filled = async (topic: string, retention: TopicOptions['retention'] = {}): Promise<Position[]> => {
    await log.createTopic(topic, { partitions: 1, schema: Sample, retention });
    const after: Position[] = [];
    for (let i = 0; i < 10; i++) {
      await log.append(topic, 0, frameOf({ prev: 2 * i, records: 2 }));
      after.push(await log.position(topic, 0, 'latest'));
    }
    return after;
  };
  const register = (job: string, generation: number, topic: string, at: Position) =>
    log.registerPositions(job, generation, [{ topic, partition: 0, ...at }]);
  const startOf = async (topic: string) => (await log.ends(topic))[0]?.start;

  void t.test(
    'PL5 the slowest registered job decides what is dropped, and the start only rises',
    async (t) => {
      const after = await filled('trim');
      await register('fast', 1, 'trim', after[7] as Position);
      await register('slow', 1, 'trim', after[2] as Position);
      t.equal(await log.trim('trim', 0), 6);
      t.equal(await log.trim('trim', 0), 0, 'repeating it drops nothing');
      await register('slow', 1, 'trim', after[4] as Position);
      t.equal(await log.trim('trim', 0), 4);
      await register('slow', 2, 'trim', after[0] as Position);
      t.equal(await log.trim('trim', 0), 0, 'a job that steps back brings nothing back');
      t.equal(await startOf('trim'), 10);
      await log.unregisterJob('slow', 'trim');
      t.equal(await log.trim('trim', 0), 6);
      const [ends] = await log.ends('trim');
      const reader = await log.openReader({
        topic: 'trim',
        positions: new Map([[0, await log.position('trim', 0, 'earliest')]]),
      });
      const left = await take(reader, 2);
      t.same(
        left.map((frame) => frame.offset),
        [16, 18],
      );
      t.equal(
        ends?.bytes,
        left.reduce((sum, frame) => sum + frame.bytes.byteLength, 0),
        'bytes are those of the frames left',
      );
      await reader.close();
    },
  );

  void t.test('everything may go, and offsets and chain go on', async (t) => {
    const after = await filled('all');
    await register('job', 1, 'all', after[9] as Position);
    t.equal(await log.trim('all', 0), 20);
    t.match(await log.ends('all'), [{ start: 20, end: 20, bytes: 0 }]);
    t.same(await log.position('all', 0, 'earliest'), await log.position('all', 0, 'latest'));
    t.same(await log.append('all', 0, frameOf({ prev: 20 })), { kind: 'ok', offset: 20 });
    const reader = await log.openReader({ topic: 'all', positions: new Map([[0, after[9] as Position]]) });
    t.match(await take(reader, 1), [{ offset: 20 }]);
    await reader.close();
  });

  void t.test('an older generation cannot register any more', async (t) => {
    const after = await filled('fence');
    await register('job', 3, 'fence', after[0] as Position);
    await register('job', 3, 'fence', after[1] as Position);
    await t.rejects(register('job', 2, 'fence', after[5] as Position), { code: 'MR_CHECKPOINT_FENCED' });
    t.equal(await log.trim('fence', 0), 4);
    await t.rejects(register('job', 3, 'no-such', START), { code: 'MR_LOG_NO_TOPIC' });
  });

  void t.test('without jobs and retention everything stays', async (t) => {
    await filled('stay');
    t.equal(await log.trim('stay', 0), 0);
  });

  void t.test('retention by bytes keeps the newest frames that fit', async (t) => {
    const frameBytes = frameOf({ records: 2 }).byteLength;
    const after = await filled('bytes', { bytes: 3 * frameBytes + 20 });
    t.equal(await log.trim('bytes', 0), 14);
    t.match(await log.ends('bytes'), [{ start: 14, end: 20, bytes: 3 * frameBytes }]);
    await register('job', 1, 'bytes', { ...(after[7] as Position), offset: offset(16) });
    for (let i = 10; i < 20; i++) await log.append('bytes', 0, frameOf({ prev: 2 * i, records: 2 }));
    t.equal(await log.trim('bytes', 0), 2, 'a registered job outweighs retention');
  });

  void t.test('retention by age drops what is older', async (t) => {
    await filled('age', { ageMs: 60_000 });
    t.equal(await log.trim('age', 0), 0);
    clock.push(61_000);
    await log.append('age', 0, frameOf({ prev: 20 }));
    t.equal(await log.trim('age', 0), 20);
    t.equal(await startOf('age'), 20);
  });

  void t.test(
    'retention works through a long backlog, and on its own when the partition is full',
    async (t) => {
      const frameBytes = frameOf({ records: 1 }).byteLength;
      await log.createTopic('late', {
        partitions: 1,
        schema: Sample,
        quotaBytes: 200 * frameBytes,
        retention: { bytes: 10 * frameBytes },
      });
      for (let i = 0; i < 500; i++)
        t.match(await log.append('late', 0, frameOf({ prev: i })), { kind: 'ok', offset: i });
      await log.trim('late', 0);
      t.match(await log.ends('late'), [{ start: 490, end: 500, bytes: 10 * frameBytes }]);
    },
  );
}
