import fc from 'fast-check';
import type { Test } from 'tap';
import { LIMITS } from '../../../engine/base/limits.ts';
import { eventTime, schema, string } from '../../../engine/wire/schema.ts';
import { type LogHarness, START, take } from './log-harness.ts';
import { frameOf, Sample, valuesOf } from './test-frames.ts';

export function appendContract(t: Test, { log }: LogHarness): void {
  void t.test('a topic is made once and found again with its schema', async (t) => {
    t.equal(await log.topic('made'), null);
    const options = { partitions: 3, schema: Sample, quotaBytes: 1_000_000, retention: { ageMs: 5_000 } };
    const made = await log.createTopic('made', options);
    t.match(made, { name: 'made', partitions: 3, quotaBytes: 1_000_000, retention: { ageMs: 5_000 } });
    t.match(
      await log.createTopic('made', { partitions: 3, schema: Sample }),
      { quotaBytes: 1_000_000 },
      'it stays as it was made',
    );
    t.equal((await log.topic('made'))?.schema.id, Sample.id);
    await t.rejects(log.createTopic('made', { partitions: 4, schema: Sample }), {
      code: 'MR_LOG_TOPIC_MISMATCH',
    });
    await t.rejects(log.createTopic('no/slash', { partitions: 1, schema: Sample }), {
      code: 'MR_CONFIG_INVALID',
    });
    await t.rejects(log.createTopic('none', { partitions: 0, schema: Sample }), {
      code: 'MR_CONFIG_INVALID',
    });
  });

  void t.test('a topic keeps the partitioner that it was made with, and is found by no other', async (t) => {
    const plain = { partitions: 3, schema: Sample };
    t.equal((await log.createTopic('plain', plain)).partitionedBy, null);
    const partitionedBy = { fields: ['note', 'value'], keyGroups: 256 };
    const keyed = { ...plain, partitionedBy };
    await t.rejects(log.createTopic('plain', keyed), { code: 'MR_LOG_TOPIC_MISMATCH' }, 'it never said so');
    t.match(await log.createTopic('keyed', keyed), { partitionedBy });
    t.match(await log.createTopic('keyed', plain), { partitionedBy });
    t.match(await log.topic('keyed'), { partitionedBy });
    for (const other of [
      { fields: ['value', 'note'], keyGroups: 256 },
      { fields: ['note'], keyGroups: 256 },
      { fields: ['note', 'value'], keyGroups: 128 },
    ])
      await t.rejects(log.createTopic('keyed', { ...keyed, partitionedBy: other }), {
        code: 'MR_LOG_TOPIC_MISMATCH',
        message: /partitioned by note, value in 256 key groups/,
      });
    for (const never of [
      { fields: [], keyGroups: 128 },
      { fields: ['missing'], keyGroups: 128 },
      { fields: ['note'], keyGroups: 2 },
    ])
      await t.rejects(log.createTopic('never', { ...keyed, partitionedBy: never }), {
        code: 'MR_CONFIG_INVALID',
      });
  });

  void t.test('schemas are found by their content id', async (t) => {
    const other = schema('other', { at: eventTime(1), name: string(2) });
    t.equal(await log.schema(other.id), null);
    await log.registerSchema(other);
    await log.registerSchema(other);
    t.same((await log.schema(other.id))?.fields, other.fields);
  });

  void t.test(
    'PL2 PL4 frames get dense offsets; repeated, missing and superseded ones are told apart',
    async (t) => {
      await log.createTopic('append', { partitions: 1, schema: Sample });
      const append = (frame: Uint8Array) => log.append('append', 0, frame);
      t.equal(await log.producerState('append', 0, 'p'), null);
      t.same(
        await append(frameOf({ prev: 5 })),
        { kind: 'gap', expected: 1 },
        'an unknown producer starts at 1',
      );
      t.same(await append(frameOf({ records: 3 })), { kind: 'ok', offset: 0 });
      t.same(await append(frameOf({ records: 3 })), { kind: 'duplicate', last: 3 });
      t.same(await append(frameOf({ prev: 4 })), { kind: 'gap', expected: 4 });
      t.same(
        await append(frameOf({ prev: 2, records: 5 })),
        { kind: 'gap', expected: 4 },
        'half known is not a duplicate',
      );
      t.same(await append(frameOf({ prev: 3, records: 2 })), { kind: 'ok', offset: 3 });
      t.same(await append(frameOf({ producer: 'q', records: 7 })), { kind: 'ok', offset: 5 });
      t.same(await log.producerState('append', 0, 'p'), { epoch: 1, last: 5 });
      t.same(await append(frameOf({ epoch: 2 })), { kind: 'ok', offset: 12 }, 'a new epoch counts from 1');
      t.same(await append(frameOf({ prev: 5 })), { kind: 'fenced', epoch: 2 });
      t.same(await log.producerState('append', 0, 'p'), { epoch: 2, last: 1 });
      const [ends] = await log.ends('append');
      t.match(ends, { partition: 0, start: 0, end: 13 });
    },
  );

  void t.test('what is no frame, or has no partition, is refused', async (t) => {
    await log.createTopic('refuse', { partitions: 1, schema: Sample });
    await t.rejects(log.append('refuse', 0, new Uint8Array(200)), { code: 'MR_FRAME_CORRUPT' });
    await t.rejects(log.append('refuse', 0, new Uint8Array(8)), { code: 'MR_FRAME_TRUNCATED' });
    const damaged = frameOf({});
    damaged[damaged.length - 1] = (damaged.at(-1) as number) ^ 1;
    await t.rejects(log.append('refuse', 0, damaged), { code: 'MR_FRAME_CORRUPT' });
    await t.rejects(log.append('refuse', 1, frameOf({})), { code: 'MR_LOG_NO_TOPIC' });
    await t.rejects(log.append('nowhere', 0, frameOf({})), { code: 'MR_LOG_NO_TOPIC' });
    await t.rejects(log.ends('nowhere'), { code: 'MR_LOG_NO_TOPIC' });
    await t.rejects(log.position('nowhere', 0, 'latest'), { code: 'MR_LOG_NO_TOPIC' });
    t.match(await log.ends('refuse'), [{ end: 0, bytes: 0 }]);
  });

  void t.test('a partition is full at its quota, and a frame beyond the quota can never fit', async (t) => {
    const padding = 2_000;
    const size = frameOf({ padding }).byteLength;
    await log.createTopic('full', { partitions: 1, schema: Sample, quotaBytes: 2 * size });
    for (const prev of [0, 1])
      t.match(await log.append('full', 0, frameOf({ prev, padding })), { kind: 'ok' });
    const third = frameOf({ prev: 2, padding });
    t.same(await log.append('full', 0, third), { kind: 'full', bytes: 2 * size, quotaBytes: 2 * size });
    t.same(
      await log.append('full', 0, frameOf({ padding })),
      { kind: 'duplicate', last: 2 },
      'a duplicate needs no room',
    );
    await t.rejects(log.append('full', 0, frameOf({ prev: 2, padding: 2 * size })), {
      code: 'MR_LOG_FRAME_OVER_QUOTA',
    });
    await log.registerPositions('reader', 1, [
      { topic: 'full', partition: 0, ...(await log.position('full', 0, 'latest')) },
    ]);
    t.same(
      await log.append('full', 0, third),
      { kind: 'ok', offset: 2 },
      'it drops what nobody needs before it refuses',
    );
  });

  void t.test(
    'the producers remembered are bounded; a forgotten one meets a gap, never a silent duplicate',
    async (t) => {
      await log.createTopic('many', { partitions: 1, schema: Sample });
      const total = LIMITS.producersPerPartitionMax + 1;
      for (let at = 0; at < total; at += 500) {
        const some = Array.from({ length: Math.min(500, total - at) }, (_, i) =>
          frameOf({ producer: `p${at + i}` }),
        );
        await Promise.all(some.map((frame) => log.append('many', 0, frame)));
      }
      t.equal(
        await log.producerState('many', 0, 'p0'),
        null,
        'the least recently appending one is forgotten',
      );
      t.same(await log.producerState('many', 0, 'p1'), { epoch: 1, last: 1 });
      t.same(await log.append('many', 0, frameOf({ producer: 'p0', prev: 1 })), { kind: 'gap', expected: 1 });
    },
  );

  void t.test(
    'PL4 however frames are repeated and reordered on their way, the log has each once and in order',
    async (t) => {
      let run = 0;
      const frames = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 12 });
      const arrivals = fc.array(fc.nat({ max: 11 }), { maxLength: 40 });
      await fc.assert(
        fc.asyncProperty(frames, arrivals, async (sizes, order) => {
          const topic = `shuffle-${run++}`;
          await log.createTopic(topic, { partitions: 1, schema: Sample });
          const starts = sizes.map((_, i) => sizes.slice(0, i).reduce((sum, size) => sum + size, 0));
          const encoded = sizes.map((records, i) => frameOf({ records, prev: starts[i] as number }));
          for (const i of [...order.filter((at) => at < sizes.length), ...encoded.keys()]) {
            const result = await log.append(topic, 0, encoded[i] as Uint8Array);
            if (!['ok', 'duplicate', 'gap'].includes(result.kind)) throw new Error(`answered ${result.kind}`);
          }
          const reader = await log.openReader({ topic, positions: new Map([[0, START]]) });
          const read = await take(reader, sizes.length);
          await reader.close();
          const total = sizes.reduce((sum, size) => sum + size, 0);
          const values = read.flatMap((frame) => valuesOf(frame.bytes));
          if (values.join() !== Array.from({ length: total }, (_, k) => k + 1).join())
            throw new Error(`read ${values.join()}`);
        }),
        { numRuns: 20 },
      );
      t.pass(`${run} runs`);
    },
  );
}
