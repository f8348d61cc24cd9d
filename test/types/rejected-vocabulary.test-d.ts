import {
  type AggregateFunction,
  count,
  countWindow,
  defineBroadcastOperator,
  defineCoOperator,
  defineJob,
  defineOperator,
  defineTrigger,
  defineWindowFunction,
  distinct,
  first,
  listState,
  mapState,
  partitionLog,
  pattern,
  reducingState,
  session,
  sum,
  tumbling,
  type,
  valueState,
} from '#operators';
import { eventTime, f64, type Infer, nullable, schema, string } from '#wire';

/** What must not compile of joins, patterns, windows and state: each directive is an error of its own when the line below is accepted. */
const Named = schema('named', { at: eventTime(1), id: string(2), name: string(3) });
const Order = schema('order', {
  at: eventTime(1),
  id: string(2),
  shop: string(3),
  cents: f64(4),
  note: nullable(string(5)),
});
type Order = Infer<typeof Order>;
const Payment = schema('payment', { at: eventTime(1), orderId: string(2), cents: f64(3) });
type Payment = Infer<typeof Payment>;
const orders = partitionLog('orders', Order);
const payments = partitionLog('payments', Payment);

const withoutMerge: AggregateFunction<Order, number, number> = {
  createAccumulator: () => 0,
  add: (order, total) => total + order.cents,
  getResult: (total) => total,
};

defineOperator({
  key: type<string>(),
  input: type<Order>(),
  output: type<number>(),
  state: {
    open: listState<Order>(),
    byShop: mapState<string, number>(),
    total: reducingState<number>((a, b) => a + b),
  },
  onRecord(order, { state, timers }) {
    // @ts-expect-error a list takes its own elements
    state.open.add(order.cents);
    // @ts-expect-error a list has no set
    state.open.set([order]);
    // @ts-expect-error a map's keys have their declared type
    state.byShop.set(1, 1);
    // @ts-expect-error nor its values another
    state.byShop.set(order.shop, order);
    // @ts-expect-error reducing state adds what it was declared with
    state.total.add('1');
    // @ts-expect-error a list that was read cannot be changed
    state.open.get().push(order);
    // @ts-expect-error a timer has a time
    timers.atProcessingTime('1m');
  },
});
// @ts-expect-error a map's keys are strings or numbers
mapState<Order, number>();
// @ts-expect-error a time to live is a duration
valueState<number>({ ttl: 'one day' });
// @ts-expect-error options are known by name
valueState<number>({ tll: '1d' });

const paid = defineCoOperator({
  key: type<{ readonly id: string }>(),
  left: type<Order>(),
  right: type<Payment>(),
  output: type<number>(),
  state: { order: valueState<Order>() },
  onLeft: (order, { state }) => state.order.set(order),
  // @ts-expect-error the right record is a payment
  onRight: (payment, { state }) => state.order.set(payment),
});

const priced = defineBroadcastOperator({
  key: type<{ readonly shop: string }>(),
  input: type<Order>(),
  broadcast: type<Payment>(),
  output: type<number>(),
  broadcastState: { limits: mapState<string, number>() },
  onRecord(order, { broadcast, emit }) {
    emit(broadcast.limits.get(order.shop) ?? 0);
    // @ts-expect-error records only look at broadcast state
    broadcast.limits.set(order.shop, 1);
  },
  onBroadcast(payment, context) {
    context.broadcast.limits.set(payment.orderId, payment.cents);
    // @ts-expect-error broadcast records set no timers
    context.timers.at(1);
  },
});

const largest = defineWindowFunction({
  input: type<Order>(),
  output: type<number>(),
  process(elements, { emit }) {
    // @ts-expect-error elements are orders
    for (const order of elements) emit(order.price);
  },
});

// @ts-expect-error a trigger decides one of four things
defineTrigger({ name: 'odd', onRecord: () => 'emit' });
// @ts-expect-error a gap is a duration
session('30 minutes');
// @ts-expect-error windows of records have a number of them
countWindow('10');

const events = pattern<Order>().start('first', (order) => order.cents > 0);
// @ts-expect-error a step's name is used once
events.followedBy('first', () => true);
// @ts-expect-error a condition sees captures of steps before it only
events.followedBy('second', (_, { captures }) => captures.second.cents > 0);
// @ts-expect-error a skip goes to a step that is there
events.skipToFirst('second');
// @ts-expect-error within is a duration
events.within('soon');

defineJob('rejected', { guarantee: 'exactly-once' }, (job) => {
  const order = job.source('orders', orders);
  const payment = job.source('payments', payments);
  const byId = order.keyBy('id');
  const byShop = order.keyBy('shop');
  const paymentsById = payment.map((it) => ({ ...it, id: it.orderId })).keyBy('id');
  // @ts-expect-error streams are united when their records are the same
  order.union(payment);
  // @ts-expect-error a derived field is computed by a function
  order.derive({ total: 'cents' });
  // @ts-expect-error and is there only after it was derived
  order.keyBy('total');
  // @ts-expect-error a split's branches are what was named
  order.split({ big: (it) => it.cents > 100 }).side.small.to('out', orders);
  // @ts-expect-error connected streams have the same key
  byShop.connect(paymentsById);
  // @ts-expect-error an unkeyed stream connects to a broadcast stream only
  order.connect(paymentsById);
  // @ts-expect-error the operator is for another key
  byShop.connect(payment.keyBy((it) => it.orderId)).process('p', paid);
  // @ts-expect-error the left stream has other records
  paymentsById.connect(byId).process('p', paid);
  // @ts-expect-error the broadcast stream has other records
  byShop.connect(order.broadcast()).process('p', priced);
  // @ts-expect-error a keyed operator needs its key
  order.connect(payment.broadcast()).process('p', priced);
  // @ts-expect-error joined streams have the same key
  byShop.intervalJoin('j', paymentsById, { lower: 0, upper: '1m', join: () => 1 });
  // @ts-expect-error bounds are durations
  byId.intervalJoin('j', paymentsById, { lower: '-5 minutes', upper: 0, join: () => 1 });
  byId.intervalJoin('j', paymentsById, {
    lower: '-5m',
    upper: 0,
    type: 'left',
    // @ts-expect-error without a partner there is no payment
    join: (_, right) => right.cents,
  });
  byId.temporalJoin('t', paymentsById, {
    // @ts-expect-error an inner join always has a version: deleted ones are told by a function of it
    isDeleted: (version) => version.gone,
    join: (_, version) => version.cents,
  });
  // @ts-expect-error ranked is by a number
  byShop.topN('top', { n: 3, by: 'note' });
  // @ts-expect-error a ranking has a size
  byShop.topN('top', { by: 'cents' });
  // @ts-expect-error what is remembered for ever must be said
  byShop.distinct('d', {});
  // @ts-expect-error a sum of text is none
  byShop.window(session('1m')).aggregate('w', { total: sum('note') });
  // @ts-expect-error sessions grow together: the function must merge
  byShop.window(session('1m')).aggregate('w', withoutMerge);
  // @ts-expect-error a dynamic gap is computed from the stream's records
  byShop.window(session((it: Payment) => it.cents)).aggregate('w', { n: count() });
  // @ts-expect-error a window function of other elements
  paymentsById.window(tumbling('1m')).process('w', largest);
  const all = order.windowAll(tumbling('1m')).aggregate('w', { shops: distinct('shop') });
  // @ts-expect-error results of all windows have no key
  all.map((it) => it.key);
  const firsts = byShop.window(tumbling('1m')).aggregate('w', { id: first('id') });
  // @ts-expect-error the first of a text field is text
  firsts.map((it) => it.value.id?.toFixed());
  // @ts-expect-error a reduce gives what it takes
  byShop.reduce('r', (a, b) => a.cents + b.cents);
  // @ts-expect-error a pattern over other events
  paymentsById.match('m', { pattern: events, select: () => 1 });
  byShop.match('m', {
    pattern: events,
    // @ts-expect-error only named steps are captured
    select: ({ second }) => second,
  });
  order.lookupJoin('l', {
    key: (it) => it.id,
    load: async () => ({ name: '' }),
    type: 'left',
    // @ts-expect-error a looked-up value may be missing in a left join
    join: (_, value) => value.name,
    cache: { entries: 1, ttl: '1m' },
  });
  order.lookupJoin('f', {
    key: (it) => it.id,
    load: async () => ({ name: '' }),
    schema: Named,
    // @ts-expect-error a field that the record does not have must be derived
    derive: {},
    cache: { entries: 1, ttl: '1m' },
  });
  order.lookupJoin('n', {
    key: (it) => it.id,
    load: async () => ({ name: '' }),
    schema: Named,
    type: 'left',
    // @ts-expect-error a looked-up value may be missing in a left join
    derive: { name: (_, value) => value.name },
    cache: { entries: 1, ttl: '1m' },
  });
  // @ts-expect-error retries are bounded by a number
  order.asyncMap('a', async (it) => it, { retry: { attempts: 'many' } });
  // @ts-expect-error drift is a duration
  job.source('s', orders, { alignment: { group: 'g', maxDrift: '1 minute' } });
});
