import { defineOperator, type, valueState } from '#operators';
import type { Auction, Bid } from './event-kinds.ts';
import { KIND } from './event.ts';
import type { Offer } from './query.ts';
import { REMEMBERED_MS } from './winning-price.ts';

export interface WonAuction {
  readonly auction: number;
  readonly seller: number;
  readonly category: number;
  readonly opened: number;
  readonly expires: number;
  readonly bid: Omit<Offer, 'auction'>;
}

/** What q4's `winningPrice` does, with all that is known of the auction and of its highest bid; of equal ones the first. */
export const winningBid = defineOperator({
  key: type<number>(),
  input: type<Auction | Bid>(),
  output: type<WonAuction>(),
  state: {
    auction: valueState<Omit<WonAuction, 'bid'>>(),
    /** The highest so far; before the auction has come, of the newest millisecond. */
    best: valueState<WonAuction['bid']>(),
  },
  onRecord(event, { state, timers }) {
    const auction = state.auction.get();
    const best = state.best.get();
    if (event.kind === KIND.auction) {
      const { id, seller, category, at } = event;
      const expires = at + event.expiresAfter;
      state.auction.set({ auction: id, seller, category, opened: at, expires });
      if (best !== undefined && best.at !== at) state.best.clear();
      timers.at(expires);
      return;
    }
    const { bidder, price, at } = event;
    if (auction === undefined) timers.at(at);
    else if (at > auction.expires) return;
    const isOver = auction === undefined && best?.at !== at;
    if (best === undefined || isOver || price > best.price) state.best.set({ bidder, price, at });
  },
  onTimer(firedAt, { state, timers, emit }) {
    const auction = state.auction.get();
    const bid = state.best.get();
    if (auction === undefined) {
      // No auction can come any more for which this bid would count.
      if (bid?.at === firedAt) state.best.clear();
    } else if (firedAt === auction.expires) {
      if (bid !== undefined) emit({ ...auction, bid });
      timers.at(firedAt + REMEMBERED_MS);
    } else if (firedAt > auction.expires) {
      state.auction.clear();
      state.best.clear();
    }
  },
});
