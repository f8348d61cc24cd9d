import t from 'tap';
import { defineOperator, type, valueState } from '#operators';
import { eventTime, type Infer, schema, string } from '#wire';
import { input, pause, testOperator, watermark } from '../../../operators/testing/index.ts';

const CartEvent = schema('cart-event', { at: eventTime(1), cart: string(2), kind: string(3) });
type CartEvent = Infer<typeof CartEvent>;
const QUIET_MS = 1_800_000;

const abandonedCart = defineOperator({
  key: type<{ readonly cart: string }>(),
  input: type<CartEvent>(),
  output: type<{ readonly cart: string; readonly lastSeen: number }>(),
  state: { lastSeen: valueState<number>(), sold: valueState<boolean>({ ttl: '1d' }) },
  sides: { sold: type<string>() },
  onRecord(event, { key, timestamp, state, timers, side }) {
    if (event.kind === 'checked-out') {
      side.sold(key.cart);
      return state.sold.set(true);
    }
    state.lastSeen.set(Math.max(timestamp, state.lastSeen.get() ?? timestamp));
    timers.at(timestamp + QUIET_MS);
  },
  onTimer(firedAt, { key, state, emit }) {
    const lastSeen = state.lastSeen.get();
    if (lastSeen === undefined || firedAt < lastSeen + QUIET_MS) return;
    state.lastSeen.clear();
    if (!state.sold.get()) emit({ cart: key.cart, lastSeen });
  },
});

const event = (at: number, cart: string, kind = 'added'): CartEvent => ({ at, cart, kind });
const events = [
  event(0, 'a'),
  event(1_000, 'b'),
  event(500_000, 'a'),
  event(600_000, 'b', 'checked-out'),
  watermark(10_000_000),
];

for (const options of [{}, { restoreAfterEveryStep: true, rescale: [2, 3, 1] }, { interpreted: true }]) {
  void t.test(`E12: one operator under test ${JSON.stringify(options)}`, async (test) => {
    const result = await testOperator(abandonedCart, {
      keyBy: ['cart'],
      input: input(CartEvent, events),
      ...options,
    });
    test.same(result.output, [{ record: { cart: 'a', lastSeen: 500_000 }, timestamp: 500_000 + QUIET_MS }]);
    test.same(result.side.sold, ['b']);
    test.equal(result.restores, 'restoreAfterEveryStep' in options ? events.length : 0);
  });
}

void t.test('E5 E12: virtual time lets a TTL run out', async (test) => {
  const script = [
    event(600_000, 'b', 'checked-out'),
    pause('25h'),
    event(700_000, 'b'),
    watermark(10_000_000),
  ];
  const { records } = await testOperator(abandonedCart, { keyBy: ['cart'], input: input(CartEvent, script) });
  test.same(records, [{ cart: 'b', lastSeen: 700_000 }]);
});

void t.test('E12: a key function, and what the operator throws', async (test) => {
  const picky = defineOperator({
    key: type<string>(),
    input: type<CartEvent>(),
    output: type<string>(),
    onRecord(record, { key, emit }) {
      if (record.kind === 'bad') throw new Error('a bad record');
      emit(key);
    },
  });
  const keyBy = (record: CartEvent) => record.cart.toUpperCase();
  const { records } = await testOperator(picky, { keyBy, input: input(CartEvent, [event(0, 'a')]) });
  test.same(records, ['A']);
  const bad = input(CartEvent, [event(0, 'a', 'bad')]);
  await test.rejects(testOperator(picky, { keyBy, input: bad }), { message: /a bad record/ });
});
