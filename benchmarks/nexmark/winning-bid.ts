import { defineOperator, type, valueState } from '#operators';
import type { Auction, Bid } from './event-kinds.ts';
import { KIND } from './event.ts';

/** What is kept of an auction and of its highest bid until it expires, and what the two then give. */
export interface Closing<A, B, Out> {
  readonly auction: (auction: Auction) => A;
  readonly bid: (bid: Bid) => B;
  readonly price: (bid: B) => number;
  readonly result: (auction: A, bid: B, expires: number) => Out;
}

/** How long after its end an auction is known, so that bids that come then are not taken for early ones; ms of event time. */
const REMEMBERED_MS = 60_000;

/**
 * Gives each auction that has bids when it expires, with the highest bid from its opening to its end, both included; of equal ones the
 * first. Takes auctions and bids in the order of their times; a bid of the very millisecond in which its auction opens may come before it.
 */
export function winningBids<A, B, Out>({ auction: keptOf, bid: bidOf, price, result }: Closing<A, B, Out>) {
  return defineOperator({
    key: type<number>(),
    input: type<Auction | Bid>(),
    output: type<Out>(),
    state: {
      auction: valueState<{ readonly kept: A; readonly expires: number; readonly best: B | null }>(),
      /** The highest bid of the newest millisecond before the auction has come. */
      early: valueState<{ readonly at: number; readonly best: B }>(),
    },
    onRecord(event, { state, timers }) {
      const auction = state.auction.get();
      if (event.kind === KIND.auction) {
        const early = state.early.get();
        const expires = event.at + event.expiresAfter;
        const best = early?.at === event.at ? early.best : null;
        state.auction.set({ kept: keptOf(event), expires, best });
        state.early.clear();
        timers.at(expires);
      } else if (auction !== undefined) {
        const { kept, expires, best } = auction;
        if ((best === null || event.price > price(best)) && event.at <= expires)
          state.auction.set({ kept, expires, best: bidOf(event) });
      } else {
        const early = state.early.get();
        if (early?.at === event.at && event.price <= price(early.best)) return;
        state.early.set({ at: event.at, best: bidOf(event) });
        timers.at(event.at);
      }
    },
    onTimer(firedAt, { state, timers, emit }) {
      const auction = state.auction.get();
      if (auction === undefined) {
        // No auction can come any more for which these bids would count.
        if (state.early.get()?.at === firedAt) state.early.clear();
      } else if (firedAt === auction.expires) {
        if (auction.best !== null) emit(result(auction.kept, auction.best, firedAt));
        timers.at(firedAt + REMEMBERED_MS);
      } else if (firedAt > auction.expires) state.auction.clear();
    },
  });
}
