import type { Auction, Bid } from './event-kinds.ts';
import type { Value } from './result-sink.ts';

interface Winner {
  readonly auction: Auction;
  readonly expires: number;
  readonly bid: Bid;
}

/** Every auction that has bids while it is open, with the highest of them; of equal ones the first. */
export function winners(auctions: readonly Auction[], bids: readonly Bid[]): Winner[] {
  const bidsOf = Map.groupBy(bids, ({ auction }) => auction);
  return auctions.flatMap((auction) => {
    const expires = auction.at + auction.expiresAfter;
    const counting = (bidsOf.get(auction.id) ?? []).filter(({ at }) => at >= auction.at && at <= expires);
    const [bid] = counting.toSorted((a, b) => b.price - a.price || a.at - b.at);
    return bid === undefined ? [] : [{ auction, expires, bid }];
  });
}

/** q6: by the order in which a seller's auctions expire, then by their ids. */
export function averagesOfLast(won: readonly Winner[]): Value[][] {
  return [...Map.groupBy(won, ({ auction }) => auction.seller)].flatMap(([seller, all]) => {
    const closed = all.toSorted((a, b) => a.expires - b.expires || a.auction.id - b.auction.id);
    return closed.map(({ auction }, i) => {
      const last = closed.slice(Math.max(0, i - 9), i + 1);
      return [seller, auction.id, last.reduce((sum, { bid }) => sum + bid.price, 0) / last.length];
    });
  });
}

/** q20. */
export function bidsWithItems(auctions: readonly Auction[], bids: readonly Bid[]): Value[][] {
  const wanted = new Map(auctions.filter(({ category }) => category === 10).map((item) => [item.id, item]));
  return bids.flatMap(({ auction, bidder, price, at }) => {
    const item = wanted.get(auction);
    if (item === undefined) return [];
    const { initialBid, reserve, seller, expiresAfter, itemName } = item;
    return [[auction, bidder, price, at, initialBid, reserve, seller, expiresAfter, itemName]];
  });
}
