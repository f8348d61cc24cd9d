import t from 'tap';
import { count, tumbling, type } from '#operators';
import type { GeneralWindowSpec } from '../../../operators/window/general-window-spec.ts';
import { session } from '../../../operators/window/session-assigner.ts';
import { onCount } from '../../../operators/window/trigger.ts';
import { defineWindowFunction, type WindowFunction } from '../../../operators/window/window-process.ts';
import { folding, listing, type Row, start } from '../../support/general-window-bench.ts';

/** Elements as the listing shows them. */
const elementsOf: WindowFunction<{ k: string }, Row, unknown, unknown> = defineWindowFunction({
  key: type<{ k: string }>(),
  input: type<Row>(),
  output: type<unknown>(),
  process(elements, { key, window, emit }) {
    emit({ key, window, value: Array.from(elements, (row) => row.t).join(' ') });
  },
});

void t.test(
  'GW7: after a restore nothing that fired fires again, and what was over stays over',
  async (t) => {
    const it = start({ allowedLatenessMs: 5 });
    it.give('a@1');
    it.watermark(10);
    t.same(it.results(), ['a[0,10)=1@9']);
    it.restore();
    it.watermark(11);
    t.same(it.results(), []);
    it.give('a@2');
    t.same(it.results(), ['a[0,10)=1 2@9']);
    it.watermark(14);
    it.restore();
    it.give('a@3');
    t.same([it.results(), it.late()], [[], [3]]);
  },
);

void t.test('GW7: a snapshot does not change with what comes after it', async (t) => {
  const spec: Partial<GeneralWindowSpec>[] = [
    { function: folding(listing) },
    { function: { kind: 'process', function: elementsOf, over: null } },
    { function: { kind: 'aggregate', aggregates: { n: count() } } },
  ];
  for (const one of spec) {
    const taken = (goOn: boolean) => {
      const it = start(one);
      it.give('a@1', 'b@2');
      const state = it.operator().snapshot?.();
      if (goOn) {
        it.give('a@3', 'b@4', 'c@5');
        it.watermark(100);
      }
      return [...(state?.groups.entries() ?? [])];
    };
    t.same(taken(true), taken(false));
  }
});

void t.test('GW7: windows of another kind, another trigger or other contents are refused', async (t) => {
  const refused = (spec: Partial<GeneralWindowSpec>, message: RegExp) => {
    const it = start({});
    it.give('a@1');
    t.throws(() => it.restore(spec), { code: 'MR_STATE_INCOMPATIBLE', message });
  };
  refused({ assigner: tumbling(20) }, /tumbling windows of 10 ms.*asks for tumbling windows of 20 ms/);
  refused({ assigner: session(10) }, /asks for sessions/);
  refused({ trigger: onCount(3) }, /'event-time'.*trigger 'on-count\(3\)'/);
  refused({ function: { kind: 'process', function: elementsOf, over: null } }, /accumulator/);
});

void t.test('GW7: the lateness may change across a restore', async (t) => {
  const it = start({ allowedLatenessMs: 0 });
  it.give('a@1');
  it.restore({ allowedLatenessMs: 10 });
  it.watermark(12);
  it.give('a@2');
  t.same(it.results(), ['a[0,10)=1@9', 'a[0,10)=1 2@9']);
});
