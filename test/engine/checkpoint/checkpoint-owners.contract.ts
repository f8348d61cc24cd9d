import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { CheckpointId } from '../../../engine/base/brand.ts';
import { errorText, hasCode } from '../../../engine/base/errors.ts';
import type { BlobRef, CheckpointStore, Ownership } from '../../../engine/checkpoint/checkpoint-store.ts';
import type { Manifest } from '../../../engine/checkpoint/manifest.ts';
import { blobsOf } from '../../../engine/checkpoint/manifest-codec.ts';
import { openMemoryCheckpointStore } from '../../../engine/checkpoint/memory-checkpoint-store.ts';
import { manifestOf } from '../../support/manifests.ts';

/** What one of two owners does next. Owners do not know of each other: they act on whatever they last held. */
type Action =
  | { readonly kind: 'take-over'; readonly owner: 0 | 1 }
  | { readonly kind: 'next-generation'; readonly owner: 0 | 1 }
  | { readonly kind: 'upload'; readonly owner: 0 | 1 }
  | { readonly kind: 'republish'; readonly owner: 0 | 1 }
  | { readonly kind: 'publish'; readonly owner: 0 | 1; readonly savepoint: boolean; readonly oldest: boolean }
  | { readonly kind: 'collect' };

export interface InterleavingOptions {
  readonly runs: number;
  /** A store that makes its tokens with the given uuid. */
  readonly open: (uuid: () => string) => Promise<CheckpointStore>;
}

/**
 * Runs sequences of actions of two owners on a store and on a memory store, which acts on protocol.ts: every outcome must be
 * the same, and what the protocol promises is checked against a record kept by this test alone. Collections run
 * while the next actions do.
 */
export async function ownersInterleaved(options: InterleavingOptions): Promise<void> {
  let run = 0;
  const tested = await options.open(() => 'u');
  try {
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 1, maxLength: 30 }), async (actions) => {
        await new Scenario(
          `interleaved-${run++}`,
          tested,
          openMemoryCheckpointStore({ uuid: () => 'u' }),
        ).run(actions);
      }),
      { numRuns: options.runs },
    );
  } finally {
    await tested.close();
  }
}

const RETAIN = 2;
const owner = fc.constantFrom(0 as const, 1 as const);
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('take-over' as const), owner }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('next-generation' as const), owner }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('upload' as const), owner }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('publish' as const),
      owner,
      savepoint: fc.boolean(),
      oldest: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('republish' as const), owner }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('collect' as const) }) },
);

/** What an owner believes. */
interface Belief {
  ownership: Ownership;
  /** Uploaded and not yet published. */
  readonly pending: Map<CheckpointId, BlobRef>;
  last: Manifest | null;
}

class Scenario {
  readonly #job: string;
  readonly #tested: CheckpointStore;
  readonly #model: CheckpointStore;
  readonly #beliefs: [Belief | null, Belief | null] = [null, null];
  /** The newest ownership that anybody got. */
  #newest: Ownership | null = null;
  #latest = 0;
  #collections: Promise<number>[] = [];

  constructor(job: string, tested: CheckpointStore, model: CheckpointStore) {
    this.#job = job;
    this.#tested = tested;
    this.#model = model;
  }

  async run(actions: readonly Action[]): Promise<void> {
    for (const next of actions) {
      await this.#act(next);
      await this.#check();
    }
    await Promise.all(this.#collections);
    await this.#tested.collect(this.#job);
    for (const manifest of await this.#tested.list(this.#job)) {
      for (const ref of blobsOf(manifest)) await this.#tested.readBlob(this.#job, ref);
    }
  }

  async #act(next: Action): Promise<void> {
    if (next.kind === 'collect') {
      this.#collections.push(this.#tested.collect(this.#job));
      await this.#model.collect(this.#job);
      return;
    }
    const belief = this.#beliefs[next.owner];
    if (next.kind === 'take-over') return this.#takeOver(next.owner);
    if (belief === null) return;
    if (next.kind === 'next-generation') return this.#nextGeneration(belief);
    if (next.kind === 'upload') return this.#upload(belief);
    if (next.kind === 'publish') return this.#publishPending(belief, next);
    if (belief.last !== null) await this.#publish(belief, belief.last);
  }

  async #publishPending(belief: Belief, next: Action & { readonly kind: 'publish' }): Promise<void> {
    const ids = [...belief.pending.keys()];
    const id = next.oldest ? ids[0] : ids.at(-1);
    if (id === undefined) return;
    const reused = blobsOf((await this.#tested.latest(this.#job)) ?? manifestOf(belief.ownership, id)).slice(
      0,
      2,
    );
    const kind = next.savepoint ? 'savepoint' : 'checkpoint';
    const blobs = [...reused, belief.pending.get(id) as BlobRef];
    await this.#publish(belief, manifestOf(belief.ownership, id, { kind, blobs }));
    belief.pending.delete(id);
  }

  async #takeOver(which: 0 | 1): Promise<void> {
    const ownership = await this.#both((store) => store.takeOver(this.#job, `owner-${which}`));
    assert.ok(ownership.kind === 'ok');
    assert.ok(ownership.value.generation > (this.#newest?.generation ?? 0));
    this.#newest = ownership.value;
    this.#beliefs[which] = { ownership: ownership.value, pending: new Map(), last: null };
  }

  async #nextGeneration(belief: Belief): Promise<void> {
    const outcome = await this.#both((store) => store.nextGeneration(belief.ownership));
    assert.equal(
      outcome.kind,
      belief.ownership.token === this.#newest?.token ? 'ok' : 'MR_CHECKPOINT_FENCED',
    );
    if (outcome.kind !== 'ok') return;
    belief.ownership = outcome.value;
    belief.pending.clear();
    this.#newest = outcome.value;
  }

  async #upload(belief: Belief): Promise<void> {
    const id = await this.#both((store) => store.nextCheckpointId(belief.ownership));
    this.#mustBeCurrent(belief, id);
    if (id.kind !== 'ok') return;
    const bytes = Buffer.from(`state of ${id.value}`);
    const ref = await this.#both((store) => store.writeBlob(belief.ownership, id.value, 'state', bytes));
    assert.ok(ref.kind === 'ok');
    belief.pending.set(id.value, ref.value);
  }

  async #publish(belief: Belief, manifest: Manifest): Promise<void> {
    const outcome = await this.#both((store) =>
      store.publish(belief.ownership, { ...manifest, generation: belief.ownership.generation }, RETAIN),
    );
    if (!this.#isCurrent(belief)) return assert.equal(outcome.kind, 'MR_CHECKPOINT_FENCED');
    if (outcome.kind !== 'ok') return assert.equal(outcome.kind, 'MR_CHECKPOINT_FAILED');
    belief.last = manifest;
  }

  /** After every step: the latest never regresses, retention holds, and both stores keep the same. */
  async #check(): Promise<void> {
    const kept = await this.#tested.list(this.#job);
    assert.deepEqual(kept, await this.#model.list(this.#job));
    assert.ok(kept.filter((m) => m.kind === 'checkpoint').length <= RETAIN);
    const latest = (await this.#tested.latest(this.#job))?.id ?? 0;
    assert.ok(latest >= this.#latest, `latest went from ${this.#latest} to ${latest}`);
    this.#latest = latest;
  }

  #mustBeCurrent(belief: Belief, outcome: Outcome<unknown>): void {
    assert.equal(outcome.kind, this.#isCurrent(belief) ? 'ok' : 'MR_CHECKPOINT_FENCED');
  }

  #isCurrent({ ownership }: Belief): boolean {
    return ownership.token === this.#newest?.token && ownership.generation === this.#newest.generation;
  }

  async #both<T>(act: (store: CheckpointStore) => Promise<T>): Promise<Outcome<T>> {
    const [tested, model] = [await outcomeOf(act(this.#tested)), await outcomeOf(act(this.#model))];
    assert.deepEqual(tested, model, 'the store and the protocol decide the same');
    return tested;
  }
}

type Outcome<T> =
  | { readonly kind: 'ok'; readonly value: T }
  | { readonly kind: 'MR_CHECKPOINT_FENCED' | 'MR_CHECKPOINT_FAILED'; readonly message: string };

async function outcomeOf<T>(promise: Promise<T>): Promise<Outcome<T>> {
  try {
    return { kind: 'ok', value: await promise };
  } catch (error) {
    if (!hasCode(error, 'MR_CHECKPOINT_FENCED', 'MR_CHECKPOINT_FAILED')) throw error;
    return { kind: error.code as 'MR_CHECKPOINT_FENCED' | 'MR_CHECKPOINT_FAILED', message: errorText(error) };
  }
}
