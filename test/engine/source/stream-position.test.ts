import fc from 'fast-check';
import t from 'tap';
import { MillraceError } from '#engine';
import {
  compareIds,
  positionAfter,
  startPosition,
  type StreamFacts,
  type StreamPosition,
} from '../../../engine/source/stream-position.ts';
import { propertyRuns } from '../../support/property-runs.ts';

/** A stream as a server keeps it, with what it forgot. */
class Model {
  entries: { readonly n: number; readonly id: string }[] = [];
  added = 0;
  lastId = '0-0';
  deletedId = '0-0';
  readonly trimmed = new Set<number>();
  #ms = 1;

  add(count: number, sameMs: boolean): void {
    for (let i = 0; i < count; i++) {
      if (!sameMs || i === 0) this.#ms += 7;
      this.lastId = `${this.#ms}-${sameMs ? i : 0}`;
      this.entries.push({ n: this.added++, id: this.lastId });
    }
  }
  trim(count: number): void {
    for (const { n } of this.entries.splice(0, count)) this.trimmed.add(n);
  }
  delete(at: number): void {
    const [gone] = this.entries.splice(at % Math.max(1, this.entries.length), 1);
    if (gone !== undefined && compareIds(gone.id, this.deletedId) > 0) this.deletedId = gone.id;
  }
  after(id: string, count: number): { readonly n: number; readonly id: string }[] {
    return this.entries.filter((entry) => compareIds(entry.id, id) > 0).slice(0, count);
  }
  get facts(): StreamFacts {
    const { added, lastId, deletedId } = this;
    return { added, lastId, deletedId, length: this.entries.length, firstId: this.entries[0]?.id ?? null };
  }
}

const change = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('add' as const), count: fc.nat(6), sameMs: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('trim' as const), count: fc.nat(5) }) },
);
const deletion = fc.record({ kind: fc.constant('delete' as const), at: fc.nat(30) });
type Change =
  | (typeof change extends fc.Arbitrary<infer C> ? C : never)
  | (typeof deletion extends fc.Arbitrary<infer C> ? C : never);
const steps = (one: fc.Arbitrary<Change>) =>
  fc.array(
    fc.record({
      before: fc.array(one, { maxLength: 2 }),
      count: fc.integer({ min: 1, max: 8 }),
      meanwhile: fc.array(one, { maxLength: 2 }),
      back: fc.boolean(),
    }),
    { maxLength: 25 },
  );

type Script = ReturnType<typeof steps> extends fc.Arbitrary<infer S> ? S : never;

function apply(model: Model, changes: readonly Change[]): void {
  for (const it of changes) {
    if (it.kind === 'add') model.add(it.count, it.sameMs);
    else if (it.kind === 'trim') model.trim(it.count);
    else model.delete(it.at);
  }
}

/** Reads on and on, at times from an older position; says whether each verdict was right. */
function agrees(script: Script, start: readonly Change[], exact: boolean): boolean {
  const model = new Model();
  apply(model, start);
  let position = startPosition(model.facts, 'earliest');
  /** Index of the first entry that is still to come at a position. */
  let next = 0;
  let kept: { position: StreamPosition; next: number } = { position, next };
  for (const { before, count, meanwhile, back } of script) {
    if (back) ({ position, next } = kept);
    apply(model, before);
    const given = model.after(position.id, count);
    apply(model, meanwhile);
    const numbers = new Set(given.map(({ n }) => n));
    let lost = false;
    const fresh = position.id === '0-0' && position.read === null;
    const promised = fresh ? (given[0]?.n ?? Number.POSITIVE_INFINITY) : next;
    for (const n of model.trimmed) if (n >= promised && !numbers.has(n)) lost = true;
    // Of a first read that is gone whole, what followed it shows with the next one.
    if (fresh && given.length > 0 && !model.entries.some(({ n }) => numbers.has(n))) return true;
    const after = positionAfter(
      's',
      position,
      given.map(({ id }) => id),
      model.facts,
    );
    if (after instanceof MillraceError) return after.code === 'MR_LOG_TRIMMED' && (lost || !exact);
    if (lost) return false;
    next = (given.at(-1)?.n ?? next - 1) + 1;
    if (exact && after.read !== null && after.read !== next) return false;
    position = after;
    if (!back) kept = { position, next };
  }
  return true;
}

void t.test(
  'SP1: a gap is found exactly when entries were trimmed unread, whenever that happened',
  async (test) => {
    fc.assert(
      fc.property(steps(change), fc.array(change, { maxLength: 4 }), (script, start) =>
        agrees(script, start, true),
      ),
      { numRuns: propertyRuns(2_000) },
    );
    test.pass();
  },
);

void t.test('SP1: with single deletions too, no trimmed gap is missed', async (test) => {
  const any = fc.oneof({ weight: 4, arbitrary: change }, { weight: 1, arbitrary: deletion });
  fc.assert(
    fc.property(steps(any), fc.array(any, { maxLength: 4 }), (script, start) => agrees(script, start, false)),
    { numRuns: propertyRuns(2_000) },
  );
  test.pass();
});

void t.test(
  'SP2: ids and counts that run backwards, and a stream that is gone or new, are found',
  async (test) => {
    const model = new Model();
    model.add(10, false);
    const at: StreamPosition = { id: model.lastId, read: 10 };
    const code = (facts: StreamFacts | null) => {
      const after = positionAfter('s', at, [], facts);
      return after instanceof MillraceError ? after.code : after;
    };
    test.same(code(model.facts), at);
    test.equal(code(null), 'MR_LOG_ROLLED_BACK');
    test.equal(code({ ...model.facts, lastId: '1-0' }), 'MR_LOG_ROLLED_BACK');
    test.equal(code({ ...model.facts, added: 9 }), 'MR_LOG_ROLLED_BACK');
    test.equal(
      code({ length: 12, added: 12, lastId: '900-0', firstId: '800-0', deletedId: '0-0' }),
      'MR_LOG_ROLLED_BACK',
      'made anew, with more entries',
    );
    test.same(positionAfter('s', { id: '0-0', read: 0 }, [], null), { id: '0-0', read: 0 }, 'not made yet');
  },
);

void t.test('a fresh job begins with what it finds first, or behind what is there', async (test) => {
  const model = new Model();
  model.add(50, false);
  model.trim(20);
  const start = startPosition(model.facts, 'earliest');
  const ids = model.after(start.id, 3).map(({ id }) => id);
  model.trim(1);
  test.same(
    positionAfter('s', start, ids, model.facts),
    { id: ids[2], read: 23 },
    'its number is known at once',
  );
  test.same(startPosition(model.facts, 'latest'), { id: model.lastId, read: 50 });
  test.same(startPosition(null, 'latest'), { id: '0-0', read: 0 }, 'of a stream to come, all');
});

void t.test('ids are ordered by their two 64-bit numbers', async (test) => {
  const part = fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.bigInt({ min: 0n, max: 12n }));
  fc.assert(
    fc.property(part, part, part, part, (aMs, aSeq, bMs, bSeq) => {
      const expected = aMs !== bMs ? aMs > bMs : aSeq > bSeq;
      return compareIds(`${aMs}-${aSeq}`, `${bMs}-${bSeq}`) > 0 === expected;
    }),
  );
  test.equal(compareIds('1-1', '1-1'), 0);
});
