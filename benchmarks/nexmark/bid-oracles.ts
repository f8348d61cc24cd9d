import type { Bid } from './event-kinds.ts';
import type { Value } from './result-sink.ts';

const TUMBLE_MS = 10_000;
/** From which price on a bid is of a rank. */
const RANKS = [0, 10_000, 1_000_000, Number.POSITIVE_INFINITY];

/** q12. */
export function windowCounts(bids: readonly Bid[]): Value[][] {
  const windows = Map.groupBy(bids, ({ bidder, at }) => `${bidder} ${Math.floor(at / TUMBLE_MS)}`);
  return [...windows].map(([name, some]) => {
    const [bidder, number] = name.split(' ').map(Number) as [number, number];
    return [bidder, some.length, number * TUMBLE_MS, (number + 1) * TUMBLE_MS];
  });
}

/** murmur3's finaliser, in integers of any size. */
function mixed(key: number): number {
  const low = (value: bigint) => value & 0xffff_ffffn;
  let h = BigInt(key);
  h = low((h ^ (h >> 16n)) * 0x85eb_ca6bn);
  h = low((h ^ (h >> 13n)) * 0xc2b2_ae35n);
  return Number(h ^ (h >> 16n));
}

/** q13. */
export function withSideInput(bids: readonly Bid[]): Value[][] {
  const side = Array.from({ length: 10_000 }, (_, key) => mixed(key));
  return bids.map(({ auction, bidder, price, at }) => [
    auction,
    bidder,
    price,
    at,
    side[auction % side.length] as number,
  ]);
}

/** q14. */
export function middlingBids(bids: readonly Bid[]): Value[][] {
  const times = { nightTime: [0, 1, 2, 3, 4, 5, 6, 20, 21, 22, 23], otherTime: [7, 19] };
  const timeOf = (at: number) =>
    Object.entries(times).find(([, hours]) => hours.includes(new Date(at).getUTCHours()))?.[0] ?? 'dayTime';
  return bids.flatMap(({ auction, bidder, price, at, extra }) => {
    const converted = price * 0.908;
    if (converted <= 1e6 || converted >= 5e7) return [];
    return [[auction, bidder, converted, at, extra.replaceAll(/[^c]/g, '').length, timeOf(at)]];
  });
}

/** Start of the day. */
const dayOf = ({ at }: Bid) => Date.parse(new Date(at).toISOString().slice(0, 10));

/** In all, then by ranks. */
function ofRanks(bids: readonly Bid[], countOf: (some: readonly Bid[]) => number): number[] {
  const [low = 0, middle = 0, high = 0] = [0, 1, 2].map((rank) =>
    countOf(
      bids.filter(({ price }) => price >= (RANKS[rank] as number) && price < (RANKS[rank + 1] as number)),
    ),
  );
  return [countOf(bids), low, middle, high];
}

/** q15, where `nameOf` gives nothing, and q16. */
export function distinctStatistics(bids: readonly Bid[], nameOf: (bid: Bid) => string): Value[][] {
  const groups = Map.groupBy(bids, (bid) => `${dayOf(bid)} ${nameOf(bid)}`);
  return [...groups].map(([group, some]) => {
    const [day = '', name = ''] = group.split(' ');
    const counts = [
      ...ofRanks(some, ({ length }) => length),
      ...ofRanks(some, (ranked) => new Set(ranked.map(({ bidder }) => bidder)).size),
      ...ofRanks(some, (ranked) => new Set(ranked.map(({ auction }) => auction)).size),
    ];
    const lastMinute = new Date(Math.max(...some.map(({ at }) => at))).setUTCSeconds(0, 0);
    return name === '' ? [Number(day), ...counts] : [Number(day), lastMinute, ...counts, name];
  });
}

/** q17. */
export function auctionStatistics(bids: readonly Bid[]): Value[][] {
  const groups = Map.groupBy(bids, (bid) => `${bid.auction} ${dayOf(bid)}`);
  return [...groups].map(([group, some]) => {
    const prices = some.map(({ price }) => price).sort((a, b) => a - b);
    const sum = prices.reduce((all, price) => all + price, 0);
    return [
      ...group.split(' ').map(Number),
      ...ofRanks(some, ({ length }) => length),
      prices[0] as number,
      prices.at(-1) as number,
      sum,
      sum / prices.length,
    ];
  });
}

/** q19: of equal prices the earlier bid is the better one. */
export function topBids(bids: readonly Bid[]): Value[][] {
  return [...Map.groupBy(bids, ({ auction }) => auction).values()].flatMap((some) =>
    some
      .toSorted((a, b) => b.price - a.price)
      .slice(0, 10)
      .map(({ auction, bidder, price, at }, i) => [auction, i + 1, bidder, price, at]),
  );
}

/** q21. */
export function channelIds(bids: readonly Bid[]): Value[][] {
  const named = ['Apple', 'Google', 'Facebook', 'Baidu'];
  return bids.flatMap(({ auction, bidder, price, channel, url }) => {
    const id = named.includes(channel) ? named.indexOf(channel) : new URL(url).searchParams.get('channel_id');
    return id === null ? [] : [[auction, bidder, price, Number(id), channel]];
  });
}

/** q22. */
export function folders(bids: readonly Bid[]): Value[][] {
  return bids.map(({ auction, bidder, price, channel, url }) => {
    const [, first = '', second = '', third = ''] = new URL(url).pathname.split('/');
    return [auction, bidder, price, channel, first, second, third];
  });
}
