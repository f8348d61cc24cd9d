import { type Batch, decodeFrame, rowReader } from '#wire';
import { averagesOfLast, bidsWithItems, winners } from './auction-oracles.ts';
import {
  auctionStatistics,
  channelIds,
  distinctStatistics,
  folders,
  middlingBids,
  topBids,
  windowCounts,
  withSideInput,
} from './bid-oracles.ts';
import { type Auction, type Bid, isAuction, isBid, isPerson, type Person } from './event-kinds.ts';
import { NexmarkEvent } from './event.ts';
import type { QueryName } from './queries.ts';
import { canonicalLine, type Value } from './result-sink.ts';

/** All events, in their order. */
export function eventsOf(frames: readonly Uint8Array[]): NexmarkEvent[] {
  const read = rowReader(NexmarkEvent);
  return frames.flatMap((frame) => {
    const { batch } = decodeFrame(frame, (id) => (id === NexmarkEvent.id ? NexmarkEvent : undefined));
    return Array.from({ length: batch.count }, (_, i) => read(batch as Batch<NexmarkEvent>, i));
  });
}

/** What a query must give, as sorted canonical lines: plain loops over all events, without the engine. */
export function expectedLines(query: QueryName, events: readonly NexmarkEvent[]): readonly string[] {
  return ORACLES[query]({
    people: events.filter(isPerson),
    auctions: events.filter(isAuction),
    bids: events.filter(isBid),
  })
    .map((row) => canonicalLine(row, DECIMALS[query]))
    .sort();
}

const DECIMALS: Readonly<Partial<Record<QueryName, number>>> = { q1: 2, q4: 1, q6: 2, q14: 2, q17: 9 };

interface Input {
  readonly people: readonly Person[];
  readonly auctions: readonly Auction[];
  readonly bids: readonly Bid[];
}
type Rows = (readonly Value[])[];

const ORACLES: Readonly<Record<QueryName, (input: Input) => Rows>> = {
  q0: ({ bids }) => bids.map(({ auction, bidder, price, at }) => [auction, bidder, price, at]),
  q1: ({ bids }) => bids.map(({ auction, bidder, price, at }) => [auction, bidder, price * 0.908, at]),
  q2: ({ bids }) =>
    bids.filter(({ auction }) => auction % 123 === 0).map(({ auction, price }) => [auction, price]),
  q3: localItems,
  q4: closingPrices,
  q5: hotItems,
  q6: ({ auctions, bids }) => averagesOfLast(winners(auctions, bids)),
  q7: highestBids,
  q8: newSellers,
  q9: ({ auctions, bids }) =>
    winners(auctions, bids).map(({ auction, expires, bid }) => [
      auction.id,
      auction.seller,
      auction.category,
      auction.at,
      expires,
      bid.bidder,
      bid.price,
      bid.at,
    ]),
  q11: sessions,
  q12: ({ bids }) => windowCounts(bids),
  q13: ({ bids }) => withSideInput(bids),
  q14: ({ bids }) => middlingBids(bids),
  q15: ({ bids }) => distinctStatistics(bids, () => ''),
  q16: ({ bids }) => distinctStatistics(bids, ({ channel }) => channel),
  q17: ({ bids }) => auctionStatistics(bids),
  q18: lastBids,
  q19: ({ bids }) => topBids(bids),
  q20: ({ auctions, bids }) => bidsWithItems(auctions, bids),
  q21: ({ bids }) => channelIds(bids),
  q22: ({ bids }) => folders(bids),
};

function localItems({ people, auctions }: Input): Rows {
  const known = new Map(people.map((person) => [person.id, person]));
  const rows: Rows = [];
  for (const { id, seller, category } of auctions) {
    const person = known.get(seller);
    if (category !== 10 || person === undefined) continue;
    const { name, city, state } = person;
    if (state === 'OR' || state === 'ID' || state === 'CA') rows.push([name, city, state, id]);
  }
  return rows;
}

function closingPrices({ auctions, bids }: Input): Rows {
  const pricesOf = Map.groupBy(winners(auctions, bids), ({ auction }) => auction.category);
  return [...pricesOf].map(([category, won]) => [
    category,
    won.reduce((sum, { bid }) => sum + bid.price, 0) / won.length,
  ]);
}

const HOP_SIZE_MS = 10_000;
const HOP_SLIDE_MS = 2_000;
const TUMBLE_MS = 10_000;
const GAP_MS = 10_000;

function hotItems({ bids }: Input): Rows {
  const countsOf = new Map<number, Map<number, number>>();
  for (const { at, auction } of bids) {
    const first = Math.floor(at / HOP_SLIDE_MS) * HOP_SLIDE_MS + HOP_SLIDE_MS;
    for (let end = first; end - HOP_SIZE_MS <= at; end += HOP_SLIDE_MS) {
      const counts = countsOf.get(end) ?? new Map<number, number>();
      countsOf.set(end, counts.set(auction, (counts.get(auction) ?? 0) + 1));
    }
  }
  return [...countsOf].flatMap(([end, counts]) => {
    const most = [...counts.values()].reduce((a, b) => Math.max(a, b));
    return [...counts].filter(([, n]) => n === most).map(([auction, n]) => [auction, n, end]);
  });
}

function highestBids({ bids }: Input): Rows {
  return [...Map.groupBy(bids, ({ at }) => Math.floor(at / TUMBLE_MS)).values()].flatMap((window) => {
    const highest = window.reduce((most, { price }) => Math.max(most, price), 0);
    return window
      .filter(({ price }) => price === highest)
      .map(({ auction, price, bidder, at }) => [auction, price, bidder, at]);
  });
}

function newSellers({ people, auctions }: Input): Rows {
  const windowOf = (at: number) => Math.floor(at / TUMBLE_MS) * TUMBLE_MS;
  const selling = new Set(auctions.map(({ seller, at }) => `${seller} ${windowOf(at)}`));
  return people
    .filter(({ id, at }) => selling.has(`${id} ${windowOf(at)}`))
    .map(({ id, name, at }) => [id, name, windowOf(at)]);
}

function sessions({ bids }: Input): Rows {
  const rows: Rows = [];
  for (const [bidder, all] of Map.groupBy(bids, (bid) => bid.bidder)) {
    const times = all.map(({ at }) => at).sort((a, b) => a - b);
    for (let from = 0, to = 1; from < times.length; from = to++) {
      while (to < times.length && (times[to] as number) - (times[to - 1] as number) <= GAP_MS) to++;
      rows.push([bidder, to - from, times[from] as number, (times[to - 1] as number) + GAP_MS]);
    }
  }
  return rows;
}

function lastBids({ bids }: Input): Rows {
  const last = new Map<string, Bid>();
  for (const bid of bids) {
    const key = `${bid.bidder} ${bid.auction}`;
    const before = last.get(key);
    if (before === undefined || bid.at >= before.at) last.set(key, bid);
  }
  return [...last.values()].map(({ auction, bidder, price, at }) => [auction, bidder, price, at]);
}
