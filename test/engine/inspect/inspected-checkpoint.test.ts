import t from 'tap';
import { checkpointId, type CheckpointStore, type KeyEntry, openCheckpoint } from '#engine';
import { reduce } from '../../../operators/reduce.ts';
import { bound } from '../checkpoint/incremental-snapshots.contract.ts';
import { KeptOperator, type Step } from '../../support/kept-operator.ts';

const definition = reduce<{ n: number }>({ reduce: (a, b) => ({ ...a, n: a.n + b.n }) });
const BY_PLACE = { kind: 'fields', fields: ['site', 'line'] } as const;
const rows = Array.from(
  { length: 300 },
  (_, i): Step => ({ row: { site: `s${i % 30}`, line: Math.floor(i / 30), n: i }, time: 1 }),
);

void t.test('operators show what they hold, counted only when asked', async (t) => {
  const kept = await KeptOperator.start(definition, BY_PLACE);
  kept.run([...rows, { watermark: 77 }]);
  const checkpoint = await kept.inspect(await kept.checkpoint());
  const [operator] = await checkpoint.listOperators();
  t.match(operator, {
    id: 'op',
    kind: 'reduce',
    stateful: true,
    keys: null,
    keyGroups: 16,
    subtasks: 2,
    watermark: 77,
  });
  t.ok((operator?.bytes ?? 0) > 300);
  t.match(await checkpoint.listOperators({ countKeys: true }), [{ keys: 300 }]);
});

void t.test(
  'keys come once each, group by group, and a listing goes on where it stopped (IC1)',
  async (t) => {
    const kept = await KeptOperator.start(definition, BY_PLACE);
    kept.run(rows);
    const checkpoint = await kept.inspect(await kept.checkpoint());
    const all = await listed(checkpoint.keys('op'));
    t.same(all.map(({ key }) => JSON.stringify(key)).sort(), rows.map((step) => placeOf(step)).sort());
    t.same(
      all.map(({ group }) => group),
      all.map(({ group }) => group).toSorted((a, b) => a - b),
    );
    const paged: KeyEntry[] = [];
    for (let after: string | undefined; ; after = paged.at(-1)?.cursor) {
      const page = await listed(
        checkpoint.keys('op', { limit: 7, ...(after === undefined ? {} : { after }) }),
      );
      if (page.length === 0) break;
      paged.push(...page);
    }
    t.same(paged, all);
    const found = await listed(checkpoint.keys('op', { prefix: 's1', limit: 1_000 }));
    t.equal(found.length, 110, 's1 and s10 to s19 on ten lines each');
    t.same(await listed(checkpoint.keys('op', { limit: 0 })), []);
  },
);

void t.test('get reads the blob of the one group, once (IC2, RR1)', async (t) => {
  const kept = await KeptOperator.start(definition, BY_PLACE);
  kept.run(rows);
  const manifest = await kept.checkpoint();
  const reads: string[] = [];
  const counting: CheckpointStore = {
    ...bound(kept.store),
    readBlob: (job, ref) => {
      reads.push(ref.key);
      return kept.store.readBlob(job, ref);
    },
  };
  const checkpoint = await openCheckpoint(counting, 'kept', manifest.id, { graph: kept.graph });
  t.match(await checkpoint.get('op', { line: 3, site: 's7' }), {
    key: { site: 's7', line: 3 },
    state: { value: { n: 97 } },
  });
  t.equal(reads.length, 1);
  await checkpoint.get('op', ['s7', 3]);
  t.equal(reads.length, 1, 'blobs used last are kept');
  t.match(checkpoint.reads(), { blobs: 1 });
  for await (const _ of checkpoint.keys('op')) {
    // all of it
  }
  t.equal(new Set(reads).size, reads.length);
});

void t.test('what is not there is said', async (t) => {
  const kept = await KeptOperator.start(definition, BY_PLACE);
  kept.run(rows);
  const manifest = await kept.checkpoint();
  await t.rejects(openCheckpoint(kept.store, 'kept', checkpointId(99)), {
    code: 'MR_CONFIG_INVALID',
    message: /no checkpoint or savepoint 99/,
  });
  const checkpoint = await kept.inspect(manifest);
  await t.rejects(checkpoint.get('nope', 'x'), { code: 'MR_CONFIG_INVALID', message: /'op'/ });
  await t.rejects(checkpoint.get('op', { site: 's1' }), { code: 'MR_KEY_INVALID', message: /site, line/ });
  await t.rejects(listed(checkpoint.keys('op', { after: 'x' })), { code: 'MR_CONFIG_INVALID' });
  t.equal(await checkpoint.get('op', { site: 's1', line: 99 }), null);
});

void t.test('state that its operator cannot describe is shown as stored, with the reason', async (t) => {
  const broken = {
    ...definition,
    describeGroup: () => () => {
      throw new Error('an older form');
    },
  };
  const kept = await KeptOperator.start(broken, BY_PLACE);
  kept.run(rows.slice(0, 1));
  const checkpoint = await kept.inspect(await kept.checkpoint());
  t.match(await checkpoint.get('op', ['s0', 0]), {
    state: { problem: 'an older form', stored: { values: { fields: { n: Int32Array.of(0) } } } },
  });
});

function placeOf(step: Step): string {
  const { site, line } = ('row' in step ? step.row : {}) as { site?: string; line?: number };
  return JSON.stringify({ site, line });
}

async function listed(keys: AsyncIterable<KeyEntry>): Promise<KeyEntry[]> {
  const all: KeyEntry[] = [];
  for await (const key of keys) all.push(key);
  return all;
}
