import { KIND, type NexmarkEvent } from './event.ts';

/** An event of one kind, which has these fields. */
type Kind<K extends keyof typeof KIND, F extends keyof NexmarkEvent> = NexmarkEvent & {
  readonly kind: (typeof KIND)[K];
} & { readonly [field in F]: NonNullable<NexmarkEvent[field]> };

export type Person = Kind<'person', 'id' | 'name' | 'city' | 'state'>;
export type Auction = Kind<
  'auction',
  'id' | 'itemName' | 'initialBid' | 'reserve' | 'expiresAfter' | 'seller' | 'category'
>;
export type Bid = Kind<'bid', 'auction' | 'bidder' | 'price' | 'channel' | 'url'>;

export const isPerson = (event: NexmarkEvent): event is Person => event.kind === KIND.person;
export const isAuction = (event: NexmarkEvent): event is Auction => event.kind === KIND.auction;
export const isBid = (event: NexmarkEvent): event is Bid => event.kind === KIND.bid;
export const isAuctionOrBid = (event: NexmarkEvent): event is Auction | Bid => event.kind !== KIND.person;

/** Of an auction its id, of a bid the one that it is on. */
export const auctionOf = (event: Auction | Bid): number => event.auction ?? (event as Auction).id;
