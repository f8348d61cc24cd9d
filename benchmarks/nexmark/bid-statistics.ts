import {
  count,
  defineOperator,
  type MapHandle,
  mapState,
  tumbling,
  type,
  valueState,
  type WindowResult,
} from '#operators';
import { type Bid, isBid } from './event-kinds.ts';
import { type Offer, offerOf, query } from './query.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** Days are below; what a day is of and the day are then one exact number. */
const DAYS = 100_000;

/** q12: how often people bid in each 10 s; of event time, where the benchmark's own takes the clock's. */
const windowCounts = query<WindowResult<{ readonly bidder: number }, { readonly n: number }>>(
  { values: ({ key, window, value }) => [key.bidder, value.n, window.start, window.end] },
  (events) =>
    events.filter(isBid).keyBy('bidder').window(tumbling('10s')).aggregate('counts', { n: count() }),
);

const dayOf = (at: number) => at - (at % DAY_MS);

/** 1 to 3, by the price. */
function rankOf(price: number): number {
  if (price < 10_000) return 1;
  return price < 1_000_000 ? 2 : 3;
}

interface RankedBid {
  readonly channel: string;
  /** Start of it, epoch ms; the minute too. */
  readonly day: number;
  readonly minute: number;
  readonly auction: number;
  readonly bidder: number;
  readonly rank: number;
}

const rankedBid = ({ channel, at, auction, bidder, price }: Bid): RankedBid => ({
  channel,
  day: dayOf(at),
  minute: at - (at % MINUTE_MS),
  auction,
  bidder,
  rank: rankOf(price),
});

interface Statistics extends Pick<RankedBid, 'channel' | 'day' | 'minute'> {
  /** Bids, distinct bidders, distinct auctions: of each in all, then of ranks 1 to 3. */
  readonly counts: readonly number[];
}

const NO_COUNTS = new Array(12).fill(0) as readonly number[];
const BIDDERS_AT = 4;
const AUCTIONS_AT = 8;

function statistics<Key>() {
  return defineOperator({
    key: type<Key>(),
    input: type<RankedBid>(),
    output: type<Statistics>(),
    state: {
      counts: valueState<readonly number[]>(),
      /** Ranks, as bits, in which each has been seen. */
      bidders: mapState<number, number>(),
      auctions: mapState<number, number>(),
    },
    onRecord({ channel, day, minute, auction, bidder, rank }, { state, emit }) {
      const counts = [...(state.counts.get() ?? NO_COUNTS)];
      countAt(counts, 0);
      countAt(counts, rank);
      countDistinct(counts, BIDDERS_AT, state.bidders, bidder, rank);
      countDistinct(counts, AUCTIONS_AT, state.auctions, auction, rank);
      state.counts.set(counts);
      emit({ channel, day, minute, counts });
    },
  });
}

function countAt(counts: number[], at: number): void {
  counts[at] = (counts[at] as number) + 1;
}

function countDistinct(
  counts: number[],
  at: number,
  seen: MapHandle<number, number>,
  id: number,
  rank: number,
): void {
  const ranks = seen.get(id) ?? 0;
  if (ranks === 0) countAt(counts, at);
  if ((ranks & (1 << rank)) !== 0) return;
  countAt(counts, at + rank);
  seen.set(id, ranks | (1 << rank));
}

/** q15: bids, bidders and auctions of each day, by price. */
const dayStatistics = query<Statistics>(
  { values: ({ day, counts }) => [day, ...counts], key: ({ day }) => day / DAY_MS },
  (events) =>
    events
      .filter(isBid)
      .map(rankedBid)
      .keyBy('day')
      .process('statistics', statistics<{ readonly day: number }>()),
);

const channels = new Map<string, number>();

/** A number of its own for each channel. */
function channelNumber(channel: string): number {
  const number = channels.get(channel) ?? channels.size;
  if (number === channels.size) channels.set(channel, number);
  return number;
}

/** q16: the same of each channel, and the minute of its last bid. */
const channelStatistics = query<Statistics>(
  {
    values: ({ channel, day, minute, counts }) => [day, minute, ...counts, channel],
    key: ({ channel, day }) => channelNumber(channel) * DAYS + day / DAY_MS,
  },
  (events) =>
    events
      .filter(isBid)
      .map(rankedBid)
      .keyBy('channel', 'day')
      .process('statistics', statistics<{ readonly channel: string; readonly day: number }>()),
);

interface AuctionDay {
  readonly auction: number;
  readonly day: number;
  /** In all, then of ranks 1 to 3. */
  readonly bids: readonly [number, number, number, number];
  readonly min: number;
  readonly max: number;
  readonly sum: number;
}

function auctionDay({ auction, at, price }: Bid): AuctionDay {
  const rank = rankOf(price);
  return {
    auction,
    day: dayOf(at),
    bids: [1, Number(rank === 1), Number(rank === 2), Number(rank === 3)],
    min: price,
    max: price,
    sum: price,
  };
}

/** q17: bids on each auction in each day, by price. */
const auctionStatistics = query<AuctionDay>(
  {
    values: ({ auction, day, bids, min, max, sum }) => [auction, day, ...bids, min, max, sum, sum / bids[0]],
    key: ({ auction, day }) => auction * DAYS + day / DAY_MS,
    decimal: 9,
  },
  (events) =>
    events
      .filter(isBid)
      .map(auctionDay)
      .keyBy('auction', 'day')
      .reduce('statistics', (all, { bids: [n, low, middle, high], min, max, sum }) => ({
        auction: all.auction,
        day: all.day,
        bids: [all.bids[0] + n, all.bids[1] + low, all.bids[2] + middle, all.bids[3] + high],
        min: Math.min(all.min, min),
        max: Math.max(all.max, max),
        sum: all.sum + sum,
      })),
);

const TOP_COUNT = 10;

/** q19: the ten highest bids on each auction, with their ranks. */
const topBids = query<Offer & { readonly rank: number }>(
  {
    values: ({ auction, rank, bidder, price, at }) => [auction, rank, bidder, price, at],
    key: ({ auction, rank }) => auction * (TOP_COUNT + 1) + rank,
  },
  (events) =>
    events
      .filter(isBid)
      .map(offerOf)
      .keyBy('auction')
      .topN('top-bids', { n: TOP_COUNT, by: 'price' })
      .flatMap(({ top }) => top.map((offer, i) => ({ ...offer, rank: i + 1 }))),
);

/** Queries that count and rank bids, beside q5, q7 and q11. */
export const BID_STATISTICS = {
  q12: windowCounts,
  q15: dayStatistics,
  q16: channelStatistics,
  q17: auctionStatistics,
  q19: topBids,
};
