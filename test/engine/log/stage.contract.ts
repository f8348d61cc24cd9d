import type { Test } from 'tap';
import { LIMITS } from '../../../engine/base/limits.ts';
import type { StageTarget } from '../../../engine/log/partition-log.ts';
import { type LogHarness, START, take } from './log-harness.ts';
import { frameOf, Sample, valuesOf } from './test-frames.ts';

export function stageContract(t: Test, { log }: LogHarness): void {
  const target = (topic: string, seq: number, generation?: number): StageTarget => ({
    topic,
    partition: 0,
    sinkId: 'sink.0',
    seq,
    ...(generation === undefined ? {} : { generation }),
  });
  const frame = (value: number, padding = 0) => frameOf({ producer: 'sink.0', value, padding });
  const make = (topic: string, quotaBytes = 64 * 1024 * 1024) =>
    log.createTopic(topic, { partitions: 1, schema: Sample, quotaBytes });
  const stored = async (topic: string): Promise<number[]> => {
    const reader = await log.openReader({ topic, positions: new Map([[0, START]]) });
    const [ends] = await log.ends(topic);
    const values: number[] = [];
    while (values.length < (ends?.end ?? 0))
      for (const { bytes } of await take(reader, 1)) values.push(...valuesOf(bytes));
    await reader.close();
    return values;
  };

  void t.test('PL4 a stage is invisible until it is committed, and is committed once', async (t) => {
    await make('stage');
    await log.append('stage', 0, frameOf({ value: 1 }));
    await log.stage(target('stage', 1), 0, [frame(10), frame(11)]);
    await log.stage(target('stage', 1), 1, [frame(12)]);
    await log.append('stage', 0, frameOf({ prev: 1, value: 2 }));
    t.same(await stored('stage'), [1, 2]);
    t.equal(await log.commitStage(target('stage', 1)), 'committed');
    t.equal(await log.commitStage(target('stage', 1)), 'already');
    t.same(await stored('stage'), [1, 2, 10, 11, 12]);
    t.same(await log.append('stage', 0, frameOf({ prev: 2, value: 3 })), { kind: 'ok', offset: 5 });
  });

  void t.test('an attempt that stages again replaces what an earlier one left', async (t) => {
    await make('again');
    await log.stage(target('again', 1), 0, [frame(10)]);
    await log.stage(target('again', 1), 1, [frame(11)]);
    await log.stage(target('again', 1), 0, [frame(20)]);
    await log.stage(target('again', 1), 1, [frame(21)]);
    await log.stage(target('again', 1), 0, [frame(30)]);
    await log.commitStage(target('again', 1));
    t.same(await stored('again'), [30]);
  });

  void t.test('a part sent twice is staged once, and a missing part is noticed', async (t) => {
    await make('parts');
    for (const part of [0, 1, 1, 2, 1, 2]) await log.stage(target('parts', 1), part, [frame(part)]);
    await t.rejects(log.stage(target('parts', 1), 4, [frame(4)]), { code: 'MR_LOG_GAP' });
    await log.commitStage(target('parts', 1));
    t.same(await stored('parts'), [0, 1, 2]);
  });

  void t.test('what is staged in full, or committed, is there', async (t) => {
    await make('there');
    for (const part of [0, 1]) await log.stage(target('there', 1), part, [frame(part)]);
    await log.assertStaged(target('there', 1), 2);
    await t.rejects(
      log.assertStaged(target('there', 1), 3),
      { code: 'MR_LOG_ROLLED_BACK' },
      'a part is gone',
    );
    await t.rejects(log.assertStaged(target('there', 2), 1), { code: 'MR_LOG_ROLLED_BACK' }, 'all is gone');
    await log.commitStage(target('there', 1));
    await log.assertStaged(target('there', 1), 2);
    await t.rejects(log.assertStaged(target('there', 2), 1), { code: 'MR_LOG_ROLLED_BACK' });
  });

  void t.test('LC1 a commit needs the one before it to be there', async (t) => {
    await make('order');
    const other = { ...target('order', 1), sinkId: 'sink.1' };
    for (const one of [target('order', 1), other, target('order', 2)])
      await log.stage(one, 0, [frame(one.seq)]);
    await t.rejects(log.commitStage(other, target('order', 1)), { code: 'MR_CHECKPOINT_NOT_DURABLE' });
    t.same(await stored('order'), []);
    t.equal(await log.commitStage(target('order', 1)), 'committed');
    t.equal(await log.commitStage(other, target('order', 1)), 'committed');
    t.equal(await log.commitStage(target('order', 2), other), 'committed');
    t.equal(await log.commitStage(other, target('order', 3)), 'already');
    t.same(await stored('order'), [1, 1, 2]);
  });

  void t.test('stages wait side by side and commit in order; later ones can be dropped', async (t) => {
    await make('drop');
    for (const seq of [1, 2, 3]) await log.stage(target('drop', seq), 0, [frame(seq)]);
    await log.stage({ ...target('drop', 3), sinkId: 'sink.1' }, 0, [frame(33)]);
    t.equal(await log.commitStage(target('drop', 1)), 'committed');
    t.same(
      [...(await log.stagedSinks('drop', 0))].sort((a, b) => (a < b ? -1 : 1)),
      [target('drop', 0).sinkId, 'sink.1'],
    );
    await log.dropStages(target('drop', 0), 2);
    t.equal(await log.commitStage(target('drop', 2)), 'committed');
    await t.rejects(
      log.commitStage(target('drop', 3)),
      { code: 'MR_LOG_ROLLED_BACK' },
      'a stage that is gone is not nothing',
    );
    t.equal(
      await log.commitStage({ ...target('drop', 3), sinkId: 'sink.1' }),
      'committed',
      'other sinks keep theirs',
    );
    t.same(await stored('drop'), [1, 2, 33]);
    await t.rejects(log.stage(target('drop', 2), 0, [frame(9)]), { code: 'MR_SINK_AHEAD' });
  });

  void t.test('a replaced attempt can neither stage nor drop any more', async (t) => {
    await make('zombie');
    await log.stage(target('zombie', 1, 1), 0, [frame(1)]);
    await log.dropStages(target('zombie', 0, 2), 0);
    await t.rejects(log.stage(target('zombie', 1, 1), 0, [frame(2)]), { code: 'MR_SINK_FENCED' });
    await log.stage(target('zombie', 1, 2), 0, [frame(3)]);
    await t.rejects(log.dropStages(target('zombie', 0, 1), 0), { code: 'MR_SINK_FENCED' });
    await log.commitStage(target('zombie', 1, 2));
    t.same(await stored('zombie'), [3]);
  });

  void t.test('staged bytes count against the quota, so that a commit never meets it', async (t) => {
    const size = frame(1, 1_000).byteLength;
    await make('quota', 4 * size);
    await log.stage(target('quota', 1), 0, [frame(1, 1_000), frame(2, 1_000)]);
    await log.stage(target('quota', 2), 0, [frame(3, 1_000)]);
    await t.rejects(log.stage(target('quota', 3), 0, [frame(4, 1_000), frame(5, 1_000)]), {
      code: 'MR_LOG_FULL',
    });
    t.match(await log.append('quota', 0, frameOf({ padding: 1_000 })), { kind: 'ok' });
    t.match(await log.append('quota', 0, frameOf({ prev: 1 })), { kind: 'full' });
    await log.commitStage(target('quota', 1));
    await log.dropStages(target('quota', 0), 1);
    t.match(
      await log.append('quota', 0, frameOf({ prev: 1 })),
      { kind: 'ok' },
      'dropping gives the room back',
    );
    await t.rejects(log.stage({ ...target('none', 1) }, 0, [frame(1)]), { code: 'MR_LOG_NO_TOPIC' });
  });

  void t.test('a stage of many megabytes is committed whole, in bounded steps', async (t) => {
    await make('large');
    const padding = 900_000;
    const frames = Math.ceil((2.5 * LIMITS.stageCommitBytes) / padding);
    for (let part = 0; part < frames; part++)
      await log.stage(target('large', 1), part, [frame(part, padding)]);
    t.equal(await log.commitStage(target('large', 1)), 'committed');
    t.same(
      await stored('large'),
      Array.from({ length: frames }, (_, i) => i),
    );
    t.equal(await log.commitStage(target('large', 1)), 'already');
  });
}
