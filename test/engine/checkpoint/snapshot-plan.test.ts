import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import type { BlobRange } from '../../../engine/checkpoint/manifest.ts';
import { planSnapshot, type SnapshotPlan } from '../../../engine/checkpoint/snapshot-plan.ts';
import { propertyRuns } from '../../support/property-runs.ts';

const PARTS = 24;
const BLOB_BYTES_MAX = 1000;
const [SMALL_BYTES, SMALL_BLOBS_MAX] = [250, 4];

interface Step {
  readonly dirty: readonly number[];
  readonly gone: readonly number[];
  readonly bytes: number;
}

const parts = fc.uniqueArray(fc.nat(PARTS - 1), { maxLength: 4 });
const step: fc.Arbitrary<Step> = fc.record({
  dirty: parts,
  gone: parts,
  bytes: fc.oneof(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 2_500 })),
});

await t.test(
  'of what stays in place blobs are half alive, few are small, and nothing dirty stays (PG1, PG2, PG3)',
  async () =>
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), (steps) => {
        const present = new Set<number>();
        let stored: ReadonlyMap<number, BlobRange> = new Map();
        for (const [number, { dirty, gone, bytes }] of steps.entries()) {
          for (const part of gone) present.delete(part);
          for (const part of dirty) present.add(part);
          const plan = planSnapshot({
            stored,
            parts: present,
            isDirty: (part) => dirty.includes(part),
            smallBytes: SMALL_BYTES,
            smallBlobsMax: SMALL_BLOBS_MAX,
          });
          assert.deepEqual([...plan.write, ...plan.keep.keys()].sort(rising), [...present].sort(rising));
          assert.deepEqual(plan.write, plan.write.toSorted(rising));
          for (const part of dirty) assert.ok(!plan.keep.has(part), 'PG1');
          assertKept(plan);
          stored = new Map([...plan.keep, ...placed(number, plan.write, bytes)]);
        }
      }),
      { numRuns: propertyRuns(500) },
    ),
);

await t.test(
  'a part that does not change is written again once what lay beside it has gone, and then no more',
  async (t) => {
    let stored: ReadonlyMap<number, BlobRange> = new Map();
    let rewritten = 0;
    for (let checkpoint = 0; checkpoint < 1_000; checkpoint++) {
      const dirty = checkpoint === 0 ? [0, 1, 2] : [checkpoint % 2];
      const plan = planSnapshot({
        stored,
        parts: [0, 1, 2],
        isDirty: (part) => dirty.includes(part),
        smallBytes: SMALL_BYTES,
        smallBlobsMax: 16,
      });
      if (checkpoint > 0) rewritten += plan.write.includes(2) ? 1 : 0;
      stored = new Map([...plan.keep, ...placed(checkpoint, plan.write, 10)]);
    }
    // Its first blob dies round it; from then on it lies alone.
    t.equal(rewritten, 1);
  },
);

function assertKept({ keep }: SnapshotPlan): void {
  const blobs = new Map<string, { bytes: number; alive: number }>();
  for (const { pieces } of keep.values())
    for (const { blob, bytes } of pieces) {
      const known = blobs.get(blob.key) ?? { bytes: blob.bytes, alive: 0 };
      blobs.set(blob.key, { ...known, alive: known.alive + bytes });
    }
  for (const { bytes, alive } of blobs.values()) assert.ok(alive * 2 >= bytes, 'PG2');
  const small = [...blobs.values()].filter(({ alive }) => alive < SMALL_BYTES);
  assert.ok(small.length <= SMALL_BLOBS_MAX, 'PG3');
}

/** The parts laid one after another into blobs, across their edges. */
function placed(checkpoint: number, written: readonly number[], bytes: number): Map<number, BlobRange> {
  const total = written.length * bytes;
  const blob = (number: number) => ({
    key: `1:${checkpoint}:${number}`,
    bytes: Math.min(BLOB_BYTES_MAX, total - number * BLOB_BYTES_MAX),
    crc: 0,
  });
  const ranges = new Map<number, BlobRange>();
  for (const [i, part] of written.entries()) {
    const pieces: BlobRange['pieces'][number][] = [];
    for (let at = i * bytes; at < (i + 1) * bytes; ) {
      const [number, offset] = [Math.floor(at / BLOB_BYTES_MAX), at % BLOB_BYTES_MAX];
      const length = Math.min((i + 1) * bytes - at, BLOB_BYTES_MAX - offset);
      pieces.push({ blob: blob(number), offset, bytes: length });
      at += length;
    }
    ranges.set(part, { pieces, compressed: false });
  }
  return ranges;
}

function rising(a: number, b: number): number {
  return a - b;
}
