import { defineOperator, type, valueState } from '#operators';
import type { Auction, Bid } from './event-kinds.ts';
import { KIND } from './event.ts';

export interface ClosedAuction {
  readonly category: number;
  /** The highest bid, cents. */
  readonly price: number;
}

/** How long after its end an auction is known, so that bids that come then are not taken for early ones; ms of event time. */
export const REMEMBERED_MS = 60_000;

/** Nobody has bid; prices are 100 at least. */
const NONE = 0;

/**
 * Gives each auction that has bids when it expires, with the highest bid from its opening to its end, both included. Takes auctions and
 * bids in the order of their times; a bid of the very millisecond in which its auction opens may come before it.
 */
export const winningPrice = defineOperator({
  key: type<number>(),
  input: type<Auction | Bid>(),
  output: type<ClosedAuction>(),
  state: {
    auction: valueState<{ readonly category: number; readonly expires: number; readonly best: number }>(),
    /** The highest bid of the newest millisecond before the auction has come. */
    early: valueState<{ readonly at: number; readonly best: number }>(),
  },
  onRecord(event, { state, timers }) {
    const auction = state.auction.get();
    if (event.kind === KIND.auction) {
      const early = state.early.get();
      const expires = event.at + event.expiresAfter;
      const best = early?.at === event.at ? early.best : NONE;
      state.auction.set({ category: event.category, expires, best });
      state.early.clear();
      timers.at(expires);
    } else if (auction !== undefined) {
      if (event.price > auction.best && event.at <= auction.expires)
        state.auction.set({ category: auction.category, expires: auction.expires, best: event.price });
    } else {
      const early = state.early.get();
      const best = early?.at === event.at ? Math.max(early.best, event.price) : event.price;
      state.early.set({ at: event.at, best });
      timers.at(event.at);
    }
  },
  onTimer(firedAt, { state, timers, emit }) {
    const auction = state.auction.get();
    if (auction === undefined) {
      // No auction can come any more for which these bids would count.
      if (state.early.get()?.at === firedAt) state.early.clear();
    } else if (firedAt === auction.expires) {
      if (auction.best !== NONE) emit({ category: auction.category, price: auction.best });
      timers.at(firedAt + REMEMBERED_MS);
    } else if (firedAt > auction.expires) state.auction.clear();
  },
});
