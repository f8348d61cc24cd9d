import { KIND, type NexmarkEvent } from './event.ts';
import { EventRandom } from './event-random.ts';

/** How events are made. The rate is part of the meaning: it fixes how much falls into a window. */
export interface Generation {
  /** Events per second of event time. */
  readonly rate: number;
  readonly seed: number;
}

/** Event time of the first event, epoch ms. A multiple of all windows of the queries. */
export const BASE_MS = 1_700_000_000_000;

/** Of fifty events one is a person, three are auctions, the rest bids. */
const CYCLE = 50;
const AUCTIONS_PER_CYCLE = 3;

const FIRST_ID = 1_000;
const FIRST_CATEGORY = 10;
const CATEGORIES = 5;
/** Bids and auctions may name this many people and auctions that are yet to come. */
const ID_LEAD = 10;
const ACTIVE_PEOPLE = 1_000;
const IN_FLIGHT_AUCTIONS = 100;
/** Of so many people, or auctions, in a row one is hot. */
const HOT_BLOCK = 100;
const HOT_AUCTION_RATIO = 2;
const HOT_SELLER_RATIO = 4;
const HOT_BIDDER_RATIO = 4;
const HOT_CHANNEL_RATIO = 2;
const CHANNELS = 10_000;
const BYTES = { person: 200, auction: 500, bid: 100 } as const;
/** Events until so many auctions as are in flight have been opened. */
const FLIGHT_EVENTS = Math.floor((IN_FLIGHT_AUCTIONS * CYCLE) / AUCTIONS_PER_CYCLE);

const STATES = ['AZ', 'CA', 'ID', 'OR', 'WA', 'WY'];
const CITIES = [
  'Phoenix',
  'Los Angeles',
  'San Francisco',
  'Boise',
  'Portland',
  'Bend',
  'Redmond',
  'Seattle',
  'Kent',
  'Cheyenne',
];
const FIRST_NAMES = [
  'Peter',
  'Paul',
  'Luke',
  'John',
  'Saul',
  'Vicky',
  'Kate',
  'Julie',
  'Sarah',
  'Deiter',
  'Walter',
];
const LAST_NAMES = ['Shultz', 'Abrams', 'Spencer', 'White', 'Bartels', 'Walton', 'Smith', 'Jones', 'Noris'];
const HOT_CHANNELS = ['Google', 'Facebook', 'Baidu', 'Apple'];
/** Keeps the draws of channels' addresses apart from those of events. */
const CHANNEL_SEED = 0x6368616e;

const NOTHING = {
  id: null,
  name: null,
  email: null,
  creditCard: null,
  city: null,
  state: null,
  itemName: null,
  description: null,
  initialBid: null,
  reserve: null,
  expiresAfter: null,
  seller: null,
  category: null,
  auction: null,
  bidder: null,
  price: null,
  channel: null,
  url: null,
} as const;

/**
 * Gives the Nexmark event of each number from 0, the same whenever it is asked. Times never fall. Ids and their skew follow the
 * benchmark's generator, with one person in fifty events and without its accident of adding the first person's id twice to bidders.
 * Source: Tucker, Tufte, Papadimos, Maier, NEXMark (2002), as continued in Apache Beam and github nexmark/nexmark.
 */
export function nexmarkGenerator({ rate, seed }: Generation): (id: number) => NexmarkEvent {
  const random = new EventRandom(seed);
  const channels = new Channels(seed);
  const stepMicros = 1e6 / rate;
  const timeOf = (id: number) => BASE_MS + Math.floor(Math.trunc(id * stepMicros) / 1000);
  return (id) => {
    random.begin(id);
    const at = timeOf(id);
    const place = id % CYCLE;
    if (place === 0) return person(random, id, at);
    if (place <= AUCTIONS_PER_CYCLE) return auction(random, id, at, timeOf(id + FLIGHT_EVENTS) - at);
    return bid(random, id, at, channels);
  };
}

function person(random: EventRandom, id: number, at: number): NexmarkEvent {
  const name = `${oneOf(random, FIRST_NAMES)} ${oneOf(random, LAST_NAMES)}`;
  const email = `${random.words(7)}@${random.words(5)}.com`;
  const creditCard = Array.from({ length: 4 }, () => String(random.below(10_000)).padStart(4, '0')).join(' ');
  const city = oneOf(random, CITIES);
  const state = oneOf(random, STATES);
  const bytes = 8 + name.length + email.length + creditCard.length + city.length + state.length;
  return {
    ...NOTHING,
    at,
    kind: KIND.person,
    id: FIRST_ID + lastPerson(id),
    name,
    email,
    creditCard,
    city,
    state,
    extra: extra(random, bytes, BYTES.person),
  };
}

function auction(random: EventRandom, id: number, at: number, flightMs: number): NexmarkEvent {
  const isHot = random.below(HOT_SELLER_RATIO) > 0;
  const seller = FIRST_ID + (isHot ? blockOf(lastPerson(id)) : anyPerson(random, id));
  const category = FIRST_CATEGORY + random.below(CATEGORIES);
  const initialBid = price(random);
  const expiresAfter = 1 + random.below(Math.max(2 * flightMs, 1));
  const itemName = random.words(20);
  const description = random.words(100);
  const reserve = initialBid + price(random);
  return {
    ...NOTHING,
    at,
    kind: KIND.auction,
    id: FIRST_ID + lastAuction(id),
    itemName,
    description,
    initialBid,
    reserve,
    expiresAfter,
    seller,
    category,
    extra: extra(random, 48 + itemName.length + description.length, BYTES.auction),
  };
}

function bid(random: EventRandom, id: number, at: number, channels: Channels): NexmarkEvent {
  const isHotAuction = random.below(HOT_AUCTION_RATIO) > 0;
  const wanted = FIRST_ID + (isHotAuction ? blockOf(lastAuction(id)) : anyAuction(random, id));
  const isHotBidder = random.below(HOT_BIDDER_RATIO) > 0;
  const bidder = FIRST_ID + (isHotBidder ? blockOf(lastPerson(id)) + 1 : anyPerson(random, id));
  const offered = price(random);
  const { channel, url } = channels.draw(random);
  return {
    ...NOTHING,
    at,
    kind: KIND.bid,
    auction: wanted,
    bidder,
    price: offered,
    channel,
    url,
    extra: extra(random, 32, BYTES.bid),
  };
}

/** Number of the newest person, from 0. */
function lastPerson(id: number): number {
  return Math.floor(id / CYCLE);
}

/** Number of the newest auction, from 0; −1 before the first. */
function lastAuction(id: number): number {
  const cycle = Math.floor(id / CYCLE);
  const opened = Math.min(id % CYCLE, AUCTIONS_PER_CYCLE);
  return cycle * AUCTIONS_PER_CYCLE + opened - 1;
}

/** One of the active people, or of those about to register. */
function anyPerson(random: EventRandom, id: number): number {
  const people = lastPerson(id) + 1;
  const active = Math.min(people, ACTIVE_PEOPLE);
  return people - active + random.below(active + ID_LEAD);
}

/** One of the auctions in flight, or of those about to be opened. */
function anyAuction(random: EventRandom, id: number): number {
  const last = lastAuction(id);
  const first = Math.max(last - IN_FLIGHT_AUCTIONS, 0);
  return first + random.below(last - first + 1 + ID_LEAD);
}

function blockOf(number: number): number {
  return Math.floor(number / HOT_BLOCK) * HOT_BLOCK;
}

/** Cents, 100 to 100,000,000, each order of magnitude as often as the others. */
function price(random: EventRandom): number {
  return Math.round(10 ** (6 * random.fraction()) * 100);
}

/** Letters that bring an event to about its kind's average size. */
function extra(random: EventRandom, bytes: number, bytesWanted: number): string {
  const missing = bytesWanted - bytes;
  if (missing < 0) return '';
  const spread = Math.round(0.2 * missing);
  return random.letters(missing - spread + random.below(2 * spread));
}

function oneOf(random: EventRandom, values: readonly string[]): string {
  return values[random.below(values.length)] as string;
}

interface Channel {
  readonly channel: string;
  readonly url: string;
}

/** Where bids come from: four hot channels, and ten thousand others. Each has one address, made when it is first drawn. */
class Channels {
  readonly #random: EventRandom;
  readonly #hot: readonly Channel[];
  readonly #known: (Channel | undefined)[] = [];

  constructor(seed: number) {
    this.#random = new EventRandom(seed ^ CHANNEL_SEED);
    this.#hot = HOT_CHANNELS.map((channel, i) => {
      this.#random.begin(CHANNELS + i);
      return { channel, url: this.#address() };
    });
  }

  draw(random: EventRandom): Channel {
    if (random.below(HOT_CHANNEL_RATIO) > 0) return this.#hot[random.below(HOT_CHANNELS.length)] as Channel;
    const number = random.below(CHANNELS);
    this.#known[number] ??= this.#make(number);
    return this.#known[number];
  }

  #make(number: number): Channel {
    this.#random.begin(number);
    const address = this.#address();
    const isNamed = this.#random.below(10) > 0;
    const url = isNamed ? `${address}&channel_id=${Math.abs(reversedBits(number))}` : address;
    return { channel: `channel-${number}`, url };
  }

  #address(): string {
    const parts = Array.from({ length: 3 }, () => this.#random.words(5, '_'));
    return `https://www.nexmark.com/${parts.join('/')}/item.htm?query=1`;
  }
}

/** The 32 bits of `value` back to front, signed. */
function reversedBits(value: number): number {
  let reversed = 0;
  for (let bit = 0; bit < 32; bit++) reversed = (reversed << 1) | ((value >>> bit) & 1);
  return reversed;
}
