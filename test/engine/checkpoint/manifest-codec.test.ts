import { crc32 } from 'node:zlib';
import { Packr } from 'msgpackr';
import t from 'tap';
import { generation } from '../../../engine/base/brand.ts';
import { hasCode } from '../../../engine/base/errors.ts';
import type { BlobRange, Manifest, SnapshotRef } from '../../../engine/checkpoint/manifest.ts';
import { blobsOf, decodeManifest, encodeManifest } from '../../../engine/checkpoint/manifest-codec.ts';
import { packSnapshotRefs } from '../../../engine/checkpoint/snapshot-ref-codec.ts';
import { manifestOf, positionAt } from '../../support/manifests.ts';

const manifest = manifestOf({ job: 'j', token: '1:u', generation: generation(3) }, 8, {
  kind: 'savepoint',
  blobs: [{ key: '3:8:op/0/0', bytes: 5, crc: 0xffffffff }],
  positions: [positionAt('a', 1, 2 ** 40, 'ab'), positionAt('a', 2, 0)],
  sinks: [
    { operator: 'o', sinkId: 's', seq: 2 ** 33, committables: [null, { n: -1.5, list: [1, 'x', true] }] },
  ],
});

/** As msgpack holds it. */
const stored = { ...manifest, snapshots: packSnapshotRefs(manifest.snapshots) };

await t.test('a manifest reads back equal', async (t) =>
  t.same(decodeManifest('j', 8, encodeManifest(manifest)), manifest),
);

await t.test('fields that are not known are kept out, on both sides', async (t) => {
  const more = { ...manifest, secret: 1 } as Manifest;
  t.same(decodeManifest('j', 8, encodeManifest(more)), manifest);
  t.same(decodeManifest('j', 8, envelope({ ...stored, secret: 1 })), manifest);
});

await t.test('every flipped bit and every truncation is noticed', async (t) => {
  const bytes = encodeManifest(manifest);
  const corrupt = (damaged: Uint8Array) => {
    try {
      decodeManifest('j', 8, damaged);
      return false;
    } catch (error) {
      return hasCode(error, 'MR_CHECKPOINT_CORRUPT');
    }
  };
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const damaged = Uint8Array.from(bytes);
    damaged[bit >>> 3] = (damaged[bit >>> 3] as number) ^ (1 << (bit & 7));
    if (!corrupt(damaged)) t.fail(`bit ${bit} was not noticed`);
  }
  for (let length = 0; length < bytes.length; length++) {
    if (!corrupt(bytes.subarray(0, length))) t.fail(`a cut at ${length} was not noticed`);
  }
  t.ok(corrupt(envelope({ ...stored, positions: 'none' })), 'a wrong shape under a right checksum');
});

await t.test('another format, older or newer, is named as such', async (t) => {
  for (const format of [1, 3]) {
    const error = t.throws(() => decodeManifest('j', 8, envelope({ ...stored, format })));
    t.ok(hasCode(error, 'MR_STATE_INCOMPATIBLE'));
    t.match(error, { message: new RegExp(`has format ${format}; this version reads format 2`) });
  }
});

function envelope(value: unknown): Uint8Array {
  const body = new Packr({ useRecords: false }).pack(value);
  const head = Buffer.from('MRM\u0001\0\0\0\0', 'latin1');
  head.writeUInt32LE(crc32(body), 4);
  return Buffer.concat([head, body]);
}

await t.test('a manifest of 20 operators with 1,024 key groups each stays small', async (t) => {
  const groups = (operator: number) =>
    Array.from({ length: 1024 }, (_, group) => {
      const key = `123456:987654:operator-${operator}.${group >>> 5}.${(group >>> 3) & 3}`;
      const blob = { key, bytes: 262_144, crc: ((group >>> 3) * 2_654_435_761) >>> 0 };
      return {
        group,
        pieces: [{ blob, offset: (group & 7) * 31_000, bytes: 30_999 }],
        compressed: group % 3 === 0,
      };
    });
  const snapshots = Array.from({ length: 20 * 32 }, (_, i): SnapshotRef => {
    const [operator, subtask] = [i % 20, Math.floor(i / 20)];
    const mine = groups(operator).filter(({ group }) => group >>> 5 === subtask);
    const { pieces, compressed } = mine[0] as BlobRange;
    return {
      operator: `operator-${operator}`,
      subtask,
      parallelism: 32,
      head: { pieces, compressed },
      groups: mine,
    };
  });
  const large = { ...manifest, maxParallelism: 1024, parallelism: 32, snapshots };
  const bytes = encodeManifest(large);
  t.equal(snapshots.flatMap((snapshot) => snapshot.groups).length, 20 * 1024);
  t.ok(bytes.length < 512 * 1024, `${bytes.length} bytes`);
  t.ok(JSON.stringify(decodeManifest('j', 8, bytes).snapshots) === JSON.stringify(snapshots));
  t.equal(blobsOf(large).length, 20 * 128);
});
