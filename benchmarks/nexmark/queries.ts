import {
  aggregatingState,
  type AggregateFunction,
  count,
  defineCoOperator,
  defineOperator,
  listState,
  session,
  sliding,
  tumbling,
  type,
  valueState,
  type WindowResult,
} from '#operators';
import {
  auctionOf,
  type Bid,
  isAuction,
  isAuctionOrBid,
  isBid,
  isPerson,
  type Person,
} from './event-kinds.ts';
import { AUCTION_QUERIES } from './auction-queries.ts';
import { BID_QUERIES } from './bid-queries.ts';
import { BID_STATISTICS } from './bid-statistics.ts';
import { type Offer, offerOf, offerValues, type Query, query } from './query.ts';
import { type ClosedAuction, winningPrice } from './winning-price.ts';

/** q0: bids as they are. */
const passThrough = query<Bid>(
  { values: offerValues, columns: ['auction', 'bidder', 'price', 'at'] },
  (events) => events.filter(isBid),
);

/** q1: bids in another currency. */
const currencyConversion = query<Offer>({ values: offerValues, decimal: 2 }, (events) =>
  events
    .filter(isBid)
    .map(({ auction, bidder, price, at }) => ({ auction, bidder, price: price * 0.908, at })),
);

/** q2: bids on some auctions. */
const selection = query<Pick<Offer, 'auction' | 'price'>>(
  { values: ({ auction, price }) => [auction, price] },
  (events) =>
    events
      .filter(isBid)
      .filter(({ auction }) => auction % 123 === 0)
      .map(({ auction, price }) => ({ auction, price })),
);

const LOCAL_STATES: ReadonlySet<string> = new Set(['OR', 'ID', 'CA']);
const LOCAL_CATEGORY = 10;

interface LocalSeller extends Pick<Person, 'name' | 'city' | 'state'> {
  readonly seller: number;
}
interface LocalAuction extends Omit<LocalSeller, 'seller'> {
  readonly auction: number;
}

const sellerWithAuctions = defineCoOperator({
  key: type<{ readonly seller: number }>(),
  left: type<LocalSeller>(),
  right: type<{ readonly auction: number; readonly seller: number }>(),
  output: type<LocalAuction>(),
  state: {
    seller: valueState<LocalSeller>(),
    /** Auctions that came before their seller. */
    waiting: listState<number>(),
  },
  onLeft(seller, { state, emit }) {
    state.seller.set(seller);
    for (const auction of state.waiting.get()) emit(localAuction(seller, auction));
    state.waiting.clear();
  },
  onRight({ auction }, { state, emit }) {
    const seller = state.seller.get();
    if (seller === undefined) state.waiting.add(auction);
    else emit(localAuction(seller, auction));
  },
});

function localAuction({ name, city, state }: LocalSeller, auction: number): LocalAuction {
  return { name, city, state, auction };
}

/** q3: who sells in one category and lives in one of some states. */
const localItems = query<LocalAuction>(
  { values: ({ name, city, state, auction }) => [name, city, state, auction] },
  (events) => {
    const sellers = events
      .filter(isPerson)
      .filter(({ state }) => LOCAL_STATES.has(state))
      .map(({ id, name, city, state }) => ({ seller: id, name, city, state }));
    const auctions = events
      .filter(isAuction)
      .filter(({ category }) => category === LOCAL_CATEGORY)
      .map(({ id, seller }) => ({ auction: id, seller }));
    return sellers.keyBy('seller').connect(auctions.keyBy('seller')).process('sellers', sellerWithAuctions);
  },
);

const averagePrice = defineOperator({
  key: type<number>(),
  input: type<ClosedAuction>(),
  output: type<ClosedAuction>(),
  state: {
    price: aggregatingState({
      createAccumulator: () => ({ n: 0, sum: 0 }),
      add: (price: number, { n, sum }) => ({ n: n + 1, sum: sum + price }),
      getResult: ({ n, sum }) => sum / n,
    }),
  },
  onRecord({ category, price }, { state, emit }) {
    state.price.add(price);
    emit({ category, price: state.price.get() ?? price });
  },
});

/** q4: average price that auctions of each category have closed at. */
const closingPrices = query<ClosedAuction>(
  { values: ({ category, price }) => [category, price], key: ({ category }) => category, decimal: 1 },
  (events) =>
    events
      .filter(isAuctionOrBid)
      .keyBy(auctionOf)
      .process('winning-prices', winningPrice)
      .keyBy(({ category }) => category)
      .process('average-prices', averagePrice),
);

type BidCount = WindowResult<{ readonly auction: number }, { readonly n: number }>;

interface MostBids {
  readonly n: number;
  readonly auctions: readonly number[];
}

const mostBids: AggregateFunction<BidCount, { n: number; auctions: number[] }, MostBids> = {
  createAccumulator: () => ({ n: 0, auctions: [] }),
  add({ key, value }, most) {
    if (value.n < most.n) return most;
    if (value.n > most.n) return { n: value.n, auctions: [key.auction] };
    most.auctions.push(key.auction);
    return most;
  },
  getResult: ({ n, auctions }) => ({ n, auctions: [...auctions] }),
};

/** q5: the auctions with the most bids in the last 10 s, every 2 s. */
const hotItems = query<{ readonly auction: number; readonly n: number; readonly end: number }>(
  { values: ({ auction, n, end }) => [auction, n, end] },
  (events) =>
    events
      .filter(isBid)
      .keyBy('auction')
      .window(sliding('10s', '2s'))
      .aggregate('bids', { n: count() })
      // Results of a sliding window come at its last millisecond, which one tumbling window has to itself.
      .windowAll(tumbling('2s'))
      .aggregate('most-bids', mostBids)
      .flatMap(({ window: { end }, value: { n, auctions } }) =>
        auctions.map((auction) => ({ auction, n, end })),
      ),
);

const highestBids: AggregateFunction<Bid, { price: number; bids: Offer[] }, readonly Offer[]> = {
  createAccumulator: () => ({ price: 0, bids: [] }),
  add({ auction, bidder, price, at }, highest) {
    if (price < highest.price) return highest;
    const bid = { auction, bidder, price, at };
    if (price > highest.price) return { price, bids: [bid] };
    highest.bids.push(bid);
    return highest;
  },
  getResult: ({ bids }) => [...bids],
};

/** q7: the highest bids of every 10 s. */
const highestBid = query<Offer>(
  { values: ({ auction, bidder, price, at }) => [auction, price, bidder, at] },
  (events) =>
    events
      .filter(isBid)
      .windowAll(tumbling('10s'))
      .aggregate('highest-bids', highestBids)
      .flatMap(({ value }) => value),
);

/** q8: who has registered and opened an auction in the same 10 s. */
const newSellers = query<{ readonly id: number; readonly name: string; readonly start: number }>(
  { values: ({ id, name, start }) => [id, name, start] },
  (events) => {
    const people = events.filter(isPerson).map(({ id, name }) => ({ seller: id, name }));
    const auctions = events.filter(isAuction).map(({ seller }) => ({ seller }));
    return people.keyBy('seller').coGroup('new-sellers', auctions.keyBy('seller'), {
      windows: tumbling('10s'),
      group: ({ seller }, { start }, [person], [auction]) =>
        person === undefined || auction === undefined ? [] : [{ id: seller, name: person.name, start }],
    });
  },
);

/** q11: how often people bid until they pause for 10 s. */
const biddingSessions = query<WindowResult<{ readonly bidder: number }, { readonly n: number }>>(
  { values: ({ key, window, value }) => [key.bidder, value.n, window.start, window.end] },
  (events) =>
    events.filter(isBid).keyBy('bidder').window(session('10s')).aggregate('sessions', { n: count() }),
);

/** Ids of auctions are below; a pair of ids is then one exact number. */
const AUCTION_IDS = 2 ** 26;

/** q18: the last bid of each person on each auction. */
const lastBids = query<Offer>(
  { values: offerValues, key: ({ bidder, auction }) => bidder * AUCTION_IDS + auction },
  (events) =>
    events
      .filter(isBid)
      .map(offerOf)
      .keyBy('bidder', 'auction')
      .reduce('last-bids', (last, bid) => (bid.at < last.at ? last : bid)),
);

const ALL = {
  q0: passThrough,
  q1: currencyConversion,
  q2: selection,
  q3: localItems,
  q4: closingPrices,
  q5: hotItems,
  q7: highestBid,
  q8: newSellers,
  q11: biddingSessions,
  q18: lastBids,
  ...AUCTION_QUERIES,
  ...BID_QUERIES,
  ...BID_STATISTICS,
};

export type QueryName = keyof typeof ALL;

/** The queries as a job's author writes them, by name; here are the core ten. */
export const QUERIES: Readonly<Record<QueryName, Query>> = ALL;

export const QUERY_NAMES = Object.keys(ALL).sort(
  (a, b) => Number(a.slice(1)) - Number(b.slice(1)),
) as readonly QueryName[];
