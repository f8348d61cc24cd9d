import { fmix32 } from '#wire';
import { isBid } from './event-kinds.ts';
import { type Offer, offerOf, query } from './query.ts';

/** Rows of the side input, with keys from 0. */
const SIDE_ROWS = 10_000;
const sideInput: ReadonlyMap<number, number> = new Map(
  Array.from({ length: SIDE_ROWS }, (_, key) => [key, fmix32(key) >>> 0]),
);

/** q13: bids with a value from a table. */
const sideInputJoin = query<Offer & { readonly value: number }>(
  { values: ({ auction, bidder, price, at, value }) => [auction, bidder, price, at, value] },
  (events) =>
    events
      .filter(isBid)
      .map(offerOf)
      .lookupJoin('side-input', {
        key: ({ auction }) => auction % SIDE_ROWS,
        load: (key: number) => sideInput.get(key),
        cache: { entries: SIDE_ROWS, ttl: '1h' },
        join: (offer, value) => ({ ...offer, value }),
      }),
);

const HOUR_MS = 3_600_000;

function timeOfDay(at: number): string {
  const hour = Math.floor(at / HOUR_MS) % 24;
  if (hour >= 8 && hour <= 18) return 'dayTime';
  return hour <= 6 || hour >= 20 ? 'nightTime' : 'otherTime';
}

/** q14: bids of a middling price, what time of day it is, and how often there is a letter in the rest. */
const calculation = query<Offer & { readonly time: string; readonly letters: number }>(
  {
    values: ({ auction, bidder, price, at, letters, time }) => [auction, bidder, price, at, letters, time],
    decimal: 2,
  },
  (events) =>
    events
      .filter(isBid)
      .filter(({ price }) => price * 0.908 > 1_000_000 && price * 0.908 < 50_000_000)
      .map(({ auction, bidder, price, at, extra }) => ({
        auction,
        bidder,
        price: price * 0.908,
        at,
        letters: extra.split('c').length - 1,
        time: timeOfDay(at),
      })),
);

const CHANNEL_IDS: Readonly<Record<string, number>> = { apple: 0, google: 1, facebook: 2, baidu: 3 };

function channelId(channel: string, url: string): number | null {
  const known = CHANNEL_IDS[channel.toLowerCase()];
  if (known !== undefined) return known;
  const found = /(?:&|^)channel_id=([^&]*)/.exec(url);
  return found === null ? null : Number(found[1]);
}

/** q21: bids of channels that have an id, by their names or their addresses. */
const channelIds = query<Omit<Offer, 'at'> & { readonly channel: string; readonly id: number }>(
  { values: ({ auction, bidder, price, id, channel }) => [auction, bidder, price, id, channel] },
  (events) =>
    events.filter(isBid).flatMap(({ auction, bidder, price, channel, url }) => {
      const id = channelId(channel, url);
      return id === null ? [] : [{ auction, bidder, price, channel, id }];
    }),
);

/** q22: bids with the folders of their addresses. */
const folders = query<Omit<Offer, 'at'> & { readonly channel: string; readonly folders: string[] }>(
  {
    values: ({ auction, bidder, price, channel, folders: names }) => [
      auction,
      bidder,
      price,
      channel,
      ...names,
    ],
  },
  (events) =>
    events.filter(isBid).map(({ auction, bidder, price, channel, url }) => ({
      auction,
      bidder,
      price,
      channel,
      folders: url.split('/').slice(3, 6),
    })),
);

/** Queries that take each bid by itself, beside q0 to q2. */
export const BID_QUERIES = { q13: sideInputJoin, q14: calculation, q21: channelIds, q22: folders };
