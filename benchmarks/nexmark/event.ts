import { eventTime, i32, type Infer, nullable, schema, string } from '#wire';

/** What an event is about; the columns of the other two are null in it. */
export const KIND = { person: 0, auction: 1, bid: 2 } as const;

/**
 * One Nexmark event, as github nexmark/nexmark has them in one stream: a person that registered, an auction that was opened, or a bid.
 * Ids count from 1,000, prices are cents. Times are epoch ms.
 */
export const NexmarkEvent = schema('nexmark', {
  at: eventTime(1),
  kind: i32(2),
  /** Of the person or auction; null in a bid. */
  id: nullable(i32(3)),
  name: nullable(string(4)),
  email: nullable(string(5)),
  creditCard: nullable(string(6)),
  city: nullable(string(7)),
  state: nullable(string(8)),
  itemName: nullable(string(9)),
  description: nullable(string(10)),
  initialBid: nullable(i32(11)),
  reserve: nullable(i32(12)),
  /** After `at`, in ms. */
  expiresAfter: nullable(i32(13)),
  seller: nullable(i32(14)),
  category: nullable(i32(15)),
  auction: nullable(i32(16)),
  bidder: nullable(i32(17)),
  price: nullable(i32(18)),
  channel: nullable(string(19)),
  url: nullable(string(20)),
  extra: string(21),
});
export type NexmarkEvent = Infer<typeof NexmarkEvent>;
