import { defineCoOperator, defineOperator, listState, type, valueState } from '#operators';
import { type Auction, auctionOf, isAuction, isAuctionOrBid, isBid } from './event-kinds.ts';
import { type Offer, offerOf, query } from './query.ts';
import { winningBid, type WonAuction } from './winning-bid.ts';

interface SellersAverage extends Pick<WonAuction, 'seller' | 'auction'> {
  readonly average: number;
}
const LAST_COUNT = 10;

/** Auctions of one seller that expire together count in the order of their ids: they are taken when no more of that time can come. */
const averageOfLast = defineOperator({
  key: type<{ readonly seller: number }>(),
  input: type<WonAuction>(),
  output: type<SellersAverage>(),
  state: { prices: listState<number>(), waiting: listState<WonAuction>() },
  onRecord(won, { state, timers }) {
    state.waiting.add(won);
    timers.at(won.expires);
  },
  onTimer(firedAt, { key: { seller }, state, emit }) {
    const waiting = state.waiting.get();
    const due = waiting.filter(({ expires }) => expires <= firedAt);
    state.waiting.update(waiting.filter(({ expires }) => expires > firedAt));
    let prices = state.prices.get();
    for (const { auction, bid } of due.toSorted((a, b) => a.auction - b.auction)) {
      prices = [...prices, bid.price].slice(-LAST_COUNT);
      emit({ seller, auction, average: prices.reduce((sum, price) => sum + price, 0) / prices.length });
    }
    state.prices.update(prices);
  },
});

/** q6: average price of the last ten auctions that each seller has closed. */
const sellersAverages = query<SellersAverage>(
  { values: ({ seller, auction, average }) => [seller, auction, average], decimal: 2 },
  (events) =>
    events
      .filter(isAuctionOrBid)
      .keyBy(auctionOf)
      .process('winning-bids', winningBid)
      .keyBy('seller')
      .process('averages', averageOfLast),
);

/** q9: the winning bid of each auction. */
const winningBids = query<WonAuction>(
  {
    values: ({ auction, seller, category, opened, expires, bid }) => [
      auction,
      seller,
      category,
      opened,
      expires,
      bid.bidder,
      bid.price,
      bid.at,
    ],
  },
  (events) => events.filter(isAuctionOrBid).keyBy(auctionOf).process('winning-bids', winningBid),
);

type Item = Pick<Auction, 'itemName' | 'initialBid' | 'reserve' | 'seller' | 'expiresAfter'>;

interface OfferForItem extends Offer, Item {}

const WANTED_CATEGORY = 10;

const bidsWithItem = defineCoOperator({
  key: type<{ readonly auction: number }>(),
  left: type<Pick<Auction, 'category'> & { readonly auction: number; readonly item: Item }>(),
  right: type<Offer>(),
  output: type<OfferForItem>(),
  state: {
    /** Of auctions in other categories it is enough to know that they are. */
    item: valueState<Item | 'other'>(),
    /** Bids that came before their auction. */
    waiting: listState<Offer>(),
  },
  onLeft({ category, item }, { state, emit }) {
    const isWanted = category === WANTED_CATEGORY;
    state.item.set(isWanted ? item : 'other');
    if (isWanted) for (const offer of state.waiting.get()) emit({ ...offer, ...item });
    state.waiting.clear();
  },
  onRight(offer, { state, emit }) {
    const item = state.item.get();
    if (item === undefined) state.waiting.add(offer);
    else if (item !== 'other') emit({ ...offer, ...item });
  },
});

/** q20: bids on auctions of one category, with what the auction is about. */
const expandedBids = query<OfferForItem>(
  {
    values: (row) => [
      row.auction,
      row.bidder,
      row.price,
      row.at,
      row.initialBid,
      row.reserve,
      row.seller,
      row.expiresAfter,
      row.itemName,
    ],
  },
  (events) => {
    const auctions = events
      .filter(isAuction)
      .map(({ id, category, itemName, initialBid, reserve, seller, expiresAfter }) => ({
        auction: id,
        category,
        item: { itemName, initialBid, reserve, seller, expiresAfter },
      }));
    const bids = events.filter(isBid).map(offerOf);
    return auctions.keyBy('auction').connect(bids.keyBy('auction')).process('items', bidsWithItem);
  },
);

/** Queries that bring auctions and their bids together, beside q4. */
export const AUCTION_QUERIES = { q6: sellersAverages, q9: winningBids, q20: expandedBids };
