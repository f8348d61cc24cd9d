import assert from 'node:assert/strict';
import t from 'tap';
import { type CheckpointId, checkpointId, generation } from '../../../engine/base/brand.ts';
import type { Ownership } from '../../../engine/checkpoint/checkpoint-store.ts';
import {
  type ControlRecord,
  decideCollect,
  decidePublish,
  decideRestore,
  decideUpload,
  judgePosition,
  type LogFacts,
  positionsToHold,
  type RestoreFacts,
  retire,
  takenOver,
} from '../../../engine/checkpoint/protocol.ts';
import { manifestOf, positionAt } from '../../support/manifests.ts';

/*
 * A small world: one job, two owners, ids up to 3. Every reachable state is visited, and in each of them every step is taken.
 */
interface World {
  readonly control: ControlRecord;
  readonly nextId: number;
  /** What each owner believes to be. */
  readonly claims: readonly [Ownership | null, Ownership | null];
  /** Stored blobs as `<generation>:<checkpoint>`. */
  readonly blobs: readonly string[];
  /** Blobs that each retained manifest names. */
  readonly named: Readonly<Record<number, string>>;
}

const IDS_MAX = 3;
const GENERATIONS_MAX = 3;
const RETAIN = 1;
const start: World = {
  control: { token: null, generation: 0, published: 0, retained: [] },
  nextId: 1,
  claims: [null, null],
  blobs: [],
  named: {},
};

await t.test(
  'in every reachable state of two owners the protocol keeps its promises (CP1 to CP5)',
  async (t) => {
    const seen = new Set<string>();
    const open: World[] = [start];
    let published = 0;
    for (let world = open.pop(); world !== undefined; world = open.pop()) {
      for (const next of steps(world)) {
        checkStep(world, next);
        if (next.control.published > world.control.published) published++;
        const text = JSON.stringify(next);
        if (seen.has(text)) continue;
        seen.add(text);
        open.push(next);
      }
    }
    t.ok(seen.size > 1_000, `${seen.size} states`);
    t.ok(published > 100, `${published} publications`);
  },
);

function* steps(world: World): Generator<World> {
  for (const who of [0, 1] as const) {
    if (world.control.generation < GENERATIONS_MAX) {
      const mine = takenOver(world.control, 'j', `${world.control.generation + 1}:${who}`);
      const claims: World['claims'] = who === 0 ? [mine, world.claims[1]] : [world.claims[0], mine];
      yield {
        ...world,
        claims,
        control: { ...world.control, token: mine.token, generation: mine.generation },
      };
    }
    const claim = world.claims[who];
    if (claim === null) continue;
    for (let id = 1; id < world.nextId; id++) {
      yield* publishSteps(world, claim, checkpointId(id));
      const uploaded = upload(world, claim, id);
      if (uploaded !== null) yield uploaded;
    }
    if (world.nextId <= IDS_MAX && claim.token === world.control.token)
      yield { ...world, nextId: world.nextId + 1 };
  }
  yield collect(world);
}

function upload(world: World, claim: Ownership, id: number): World | null {
  const blob = `${claim.generation}:${id}`;
  const existing = world.blobs.includes(blob) ? 'equal' : 'none';
  const facts = { bytes: 1, storedBytes: world.blobs.length, reservedBytes: 100, existing } as const;
  const { kind } = decideUpload(world.control, claim, facts);
  assert.equal(
    kind === 'fenced',
    claim.token !== world.control.token || claim.generation !== world.control.generation,
  );
  return kind === 'write' ? { ...world, blobs: [...world.blobs, blob].sort() } : null;
}

function* publishSteps(world: World, claim: Ownership, id: CheckpointId): Generator<World> {
  for (const kind of ['checkpoint', 'savepoint'] as const) {
    const blob = `${claim.generation}:${id}`;
    const blobsStored = world.blobs.includes(blob);
    const decision = decidePublish(world.control, claim, { id, kind, retain: RETAIN, blobsStored });
    if (decision.kind !== 'publish') continue;
    assert.equal(claim.token, world.control.token, 'CP1');
    assert.ok(blobsStored, 'CP3');
    const retained = [...world.control.retained, { id, kind, token: claim.token }];
    const kept = retained.filter((one) => !decision.retire.includes(one.id));
    const named = Object.fromEntries(
      kept.map((one) => [one.id, one.id === id ? blob : (world.named[one.id] as string)]),
    );
    const next = { ...world, named, control: { ...world.control, published: id, retained: kept } };
    const again = decidePublish(next.control, claim, { id, kind, retain: RETAIN, blobsStored });
    assert.equal(again.kind, 'already', 'CP2');
    yield next;
  }
}

function collect(world: World): World {
  const stored = world.blobs.map((key) => {
    const [made, checkpoint] = key.split(':').map(Number);
    return { key, generation: made as number, checkpoint: checkpoint as number };
  });
  const garbage = decideCollect(world.control, stored, new Set(Object.values(world.named)));
  for (const owner of world.claims) {
    if (
      owner === null ||
      owner.token !== world.control.token ||
      owner.generation !== world.control.generation
    )
      continue;
    for (const id of ids(world.nextId)) {
      const decision = decidePublish(world.control, owner, {
        id,
        kind: 'checkpoint',
        retain: RETAIN,
        blobsStored: true,
      });
      if (decision.kind === 'publish') assert.ok(!garbage.includes(`${owner.generation}:${id}`), 'CP5');
    }
  }
  return { ...world, blobs: world.blobs.filter((key) => !garbage.includes(key)) };
}

function checkStep(before: World, after: World): void {
  const { control } = after;
  assert.ok(control.published >= before.control.published, 'CP2');
  assert.ok(control.generation >= before.control.generation);
  const checkpoints = control.retained.filter((one) => one.kind === 'checkpoint');
  assert.ok(checkpoints.length <= RETAIN, 'CP4');
  const newest = (world: World) =>
    Math.max(0, ...world.control.retained.filter((one) => one.kind === 'checkpoint').map((one) => one.id));
  assert.ok(newest(after) >= newest(before), 'CP4: the newest checkpoint never goes back');
  for (const one of before.control.retained) {
    if (one.kind === 'savepoint')
      assert.ok(
        control.retained.some((kept) => kept.id === one.id),
        'CP4',
      );
  }
  for (const blob of Object.values(after.named)) assert.ok(after.blobs.includes(blob), 'CP3, CP5');
}

function ids(end: number): readonly CheckpointId[] {
  return Array.from({ length: end - 1 }, (_, i) => checkpointId(i + 1));
}

await t.test(
  'retention keeps the newest checkpoints, at least one, and no savepoint goes (CP4)',
  async (t) => {
    const kept = (kinds: string) =>
      kinds.split('').map((kind, i) => ({
        id: checkpointId(i + 1),
        kind: kind === 's' ? ('savepoint' as const) : ('checkpoint' as const),
      }));
    t.same(retire(kept('cscc'), 2), [1]);
    t.same(retire(kept('cscc').reverse(), 1), [1, 3]);
    t.same(retire(kept('cc'), 0), [1]);
    t.same(retire(kept('sss'), 1), []);
  },
);

const at = (offset: number, chain: string) => positionAt('t', 0, offset, chain);
const log = (start: ReturnType<typeof at>, end: ReturnType<typeof at>): LogFacts => ({ start, end });

await t.test(
  'a position is judged by where the log starts and ends, and by its chain there (CP6)',
  async (t) => {
    const facts = log(at(10, 'a'), at(20, 'b'));
    const verdicts = [
      at(9, 'x'),
      at(10, 'a'),
      at(10, 'x'),
      at(15, 'x'),
      at(20, 'b'),
      at(20, 'x'),
      at(21, 'b'),
    ].map((p) => judgePosition(p, facts));
    t.same(verdicts, ['trimmed', 'kept', 'rolled-back', 'kept', 'kept', 'rolled-back', 'rolled-back']);
    t.equal(judgePosition(at(0, ''), null), 'no-topic');
    t.equal(judgePosition(at(0, ''), log(at(0, ''), at(0, ''))), 'kept');
  },
);

const owner: Ownership = { job: 'j', token: '1:u', generation: generation(1) };
const checkpointAt = (id: number, offset: number, kind: 'checkpoint' | 'savepoint' = 'checkpoint') =>
  manifestOf(owner, id, {
    kind,
    positions: [at(offset, `c${offset}`), positionAt('t', 1, offset, `d${offset}`)],
  });

await t.test(
  'restore takes the newest checkpoint whose every position fits, and says what it passed over (CP6)',
  async (t) => {
    // All small worlds: each of three checkpoints fits, was trimmed, was rolled back, or was ruled out by a reader.
    const fates = ['fits', 'trimmed', 'rolled-back', 'ruled-out'] as const;
    for (const a of fates)
      for (const b of fates)
        for (const c of fates) {
          const all = [a, b, c];
          const manifests = all.map((_, i) => checkpointAt(i + 1, 100));
          const placed = manifests.map((m, i) => {
            const offset = { fits: 100, trimmed: 5, 'rolled-back': 900, 'ruled-out': 100 }[
              all[i] as (typeof fates)[number]
            ];
            return {
              ...m,
              positions: [m.positions[0] as ReturnType<typeof at>, positionAt('t', 1, offset, '')],
            };
          });
          const ruledOut = new Set(placed.filter((_, i) => all[i] === 'ruled-out').map((m) => m.id));
          const decision = decideRestore(factsOf(placed, { ruledOut }));
          const newest = all.lastIndexOf('fits');
          if (newest < 0) assert.deepEqual([decision.kind, refusals(decision)], ['impossible', [3, 2, 1]]);
          else {
            assert.ok(decision.kind === 'restore');
            assert.equal(decision.manifest.id, newest + 1);
            assert.deepEqual(
              refusals(decision),
              [3, 2, 1].filter((id) => id > newest + 1),
            );
          }
          for (const refusal of decision.kind === 'fresh' ? [] : decision.refused) {
            const fate = all[refusal.id - 1];
            assert.deepEqual(
              refusal.positions.map((p) => `${p.partition} ${p.verdict}`),
              fate === 'ruled-out' ? [] : [`1 ${fate}`],
            );
          }
        }
    t.pass('all 64 worlds');
  },
);

await t.test(
  'a savepoint counts like a checkpoint, since its sinks have committed; a choice that is gone or does not fit is never replaced (CP6)',
  async (t) => {
    const manifests = [
      checkpointAt(1, 100),
      checkpointAt(2, 100, 'savepoint'),
      checkpointAt(3, 5, 'savepoint'),
    ];
    const chosen = (id: number) => decideRestore(factsOf(manifests, { chosen: checkpointId(id) }));
    t.match(decideRestore(factsOf(manifests)), {
      kind: 'restore',
      manifest: { id: 2 },
      refused: [{ id: 3 }],
    });
    t.match(chosen(2), { kind: 'restore', manifest: { id: 2 } });
    t.match(chosen(3), { kind: 'impossible', refused: [{ id: 3 }] });
    t.same(chosen(4), { kind: 'impossible', refused: [] });
    t.same(decideRestore(factsOf([])), { kind: 'fresh' });
  },
);

await t.test('logs hold the lowest position of what may still be restored', async (t) => {
  const candidate = checkpointAt(4, 40);
  t.same(
    positionsToHold([checkpointAt(2, 30), checkpointAt(1, 10, 'savepoint'), checkpointAt(3, 35)], candidate),
    [at(30, 'c30'), positionAt('t', 1, 30, 'd30')],
  );
  t.same(positionsToHold([], candidate), candidate.positions);
  const narrow = manifestOf(owner, 3, { positions: [at(20, 'c20')] });
  t.same(
    positionsToHold([narrow], candidate),
    [at(20, 'c20')],
    'a partition that a retained checkpoint does not know',
  );
});

function factsOf(manifests: RestoreFacts['manifests'], more: Partial<RestoreFacts> = {}): RestoreFacts {
  const facts = log(at(50, 's'), at(500, 'e'));
  return {
    manifests,
    chosen: null,
    ruledOut: new Set(),
    log: (topic) => (topic === 't' ? facts : null),
    ...more,
  };
}

function refusals(decision: ReturnType<typeof decideRestore>): readonly number[] {
  return decision.kind === 'fresh' ? [] : decision.refused.map((refusal) => refusal.id);
}
