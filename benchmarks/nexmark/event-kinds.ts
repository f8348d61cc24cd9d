import { KIND, type NexmarkEvent } from './event.ts';

/** An event that has these fields. */
type With<F extends keyof NexmarkEvent> = NexmarkEvent & {
  readonly [K in F]: NonNullable<NexmarkEvent[K]>;
};

export type Person = With<'id' | 'name' | 'city' | 'state'>;
export type Auction = With<'id' | 'expiresAfter' | 'seller' | 'category'>;
export type Bid = With<'auction' | 'bidder' | 'price'>;

export const isPerson = (event: NexmarkEvent): event is Person => event.kind === KIND.person;
export const isAuction = (event: NexmarkEvent): event is Auction => event.kind === KIND.auction;
export const isBid = (event: NexmarkEvent): event is Bid => event.kind === KIND.bid;
