import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { type Bid, isAuction, isBid, isPerson } from '../../benchmarks/nexmark/event-kinds.ts';
import { type EventFileOptions, nexmarkEvents, nexmarkFile } from '../../benchmarks/nexmark/event-file.ts';
import { NexmarkEvent } from '../../benchmarks/nexmark/event.ts';
import { runQuery } from '../../benchmarks/nexmark/engine.ts';
import { rowFrames } from '../../benchmarks/row-frames.ts';
import { BASE_MS, nexmarkGenerator } from '../../benchmarks/nexmark/generator.ts';
import { eventsOf, expectedLines } from '../../benchmarks/nexmark/oracle.ts';
import { QUERY_NAMES } from '../../benchmarks/nexmark/queries.ts';
import {
  canonicalLine,
  fileText,
  linesDigest,
  rowHash,
  type Value,
} from '../../benchmarks/nexmark/result-sink.ts';
import { firstDifference } from '../../benchmarks/truth/difference.ts';

/**
 * Two and a half seconds; fifty: several windows, and people that come back after a session; a fifth of one: bids of an auction's first
 * millisecond come before it; more than a day.
 */
const INPUTS = [
  { events: 25_000, rate: 10_000, seed: 7, queries: QUERY_NAMES },
  { events: 20_000, rate: 400, seed: 11, queries: ['q3', 'q4', 'q5', 'q6', 'q7', 'q8', 'q9', 'q11', 'q12'] },
  { events: 20_000, rate: 100_000, seed: 13, queries: ['q4', 'q6', 'q9'] },
  { events: 20_000, rate: 0.2, seed: 17, queries: ['q14', 'q15', 'q16', 'q17'] },
] as const;

const made = (options: EventFileOptions): readonly NexmarkEvent[] => [...nexmarkEvents(options)];

void t.test('the generator gives one person, three auctions and 46 bids of fifty events', async (test) => {
  const events = made({ events: 10_000, rate: 10_000, seed: 42 });
  const people = events.filter(isPerson);
  const auctions = events.filter(isAuction);
  const bids = events.filter(isBid);
  test.same([people.length, auctions.length, bids.length], [200, 600, 9_200]);
  test.same(
    people.map(({ id }) => id),
    Array.from({ length: 200 }, (_, i) => 1_000 + i),
  );
  test.same(
    auctions.map(({ id }) => id),
    Array.from({ length: 600 }, (_, i) => 1_000 + i),
  );
  test.same(
    events.map(({ at }) => at),
    Array.from(events, (_, id) => BASE_MS + Math.floor(id / 10)),
  );
});

void t.test('the generator draws as skewed as it says', async (test) => {
  const events = made({ events: 50_000, rate: 10_000, seed: 42 });
  const bids = events.filter(isBid);
  const auctions = events.filter(isAuction);
  const share = <T>(of: readonly T[], is: (item: T) => boolean) => of.filter(is).length / of.length;
  const near = (found: number, wanted: number, within: number, what: string) =>
    test.ok(Math.abs(found - wanted) < within, `${what}: ${found}`);
  near(
    share(bids, ({ auction }) => auction % 100 === 0),
    0.505,
    0.01,
    'bids on hot auctions',
  );
  near(
    share(bids, ({ bidder }) => bidder % 100 === 1),
    0.7525,
    0.01,
    'bids of hot bidders',
  );
  near(
    share(auctions, ({ seller }) => seller % 100 === 0),
    0.7525,
    0.02,
    'auctions of hot sellers',
  );
  near(
    share(bids, ({ channel }) => !channel?.startsWith('channel-')),
    0.5,
    0.01,
    'bids of hot channels',
  );
  near(
    share(bids, ({ price }) => price < 100_000),
    0.5,
    0.01,
    'bids below the middle price',
  );
  near(mean(bids.map(({ extra }) => extra.length)), 68, 1, 'letters that fill a bid up');
  near(mean(auctions.map(({ expiresAfter }) => expiresAfter)), 167, 5, 'ms until an auction ends');
  for (const { price } of bids) if (price < 100 || price > 100_000_000) test.fail(`a price of ${price}`);
  test.equal(
    new Set(bids.map(({ channel, url }) => `${channel} ${url}`)).size,
    new Set(bids.map(({ channel }) => channel)).size,
  );
});

void t.test('any event can be made without those before it', async (test) => {
  const options = { events: 200, rate: 10_000, seed: 42 };
  const eventOf = nexmarkGenerator(options);
  const backwards = Array.from({ length: 200 }, (_, i) => eventOf(199 - i)).reverse();
  test.same(backwards, made(options));
});

void t.test('a file depends on its seed alone, and one that has changed is refused', async (test) => {
  const [a, b, c] = ['a', 'b', 'c'].map((name) => test.testdir({ [name]: {} }) + `/${name}`);
  const options = { events: 3_500, rate: 10_000, seed: 42 };
  const first = nexmarkFile(options, a as string);
  const again = nexmarkFile(options, b as string);
  const other = nexmarkFile({ ...options, seed: 43 }, c as string);
  test.equal(first.sha256, createHash('sha256').update(readFileSync(first.path)).digest('hex'));
  test.equal(again.sha256, first.sha256);
  test.not(other.sha256, first.sha256);
  test.equal(nexmarkFile(options, a as string).sha256, first.sha256);
  test.equal(first.frames().length, 4);
  test.same(eventsOf(first.frames()), made(options));

  const bytes = readFileSync(again.path);
  bytes[bytes.length - 1] = (bytes[bytes.length - 1] as number) ^ 1;
  writeFileSync(again.path, bytes);
  test.throws(() => again.frames(), /SHA-256/);
});

const TWO_32 = 2 ** 32;

/** The product's low 32 bits, by halves that stay exact. */
const times = (a: number, b: number) => (((a * (b >>> 16)) % 65_536) * 65_536 + a * (b & 65_535)) % TWO_32;
const xor = (a: number, b: number) => (a ^ b) >>> 0;

function mixed(value: number): number {
  let h = value % TWO_32;
  h = times(xor(h, Math.floor(h / 2 ** 16)), 0x85ebca6b);
  h = times(xor(h, Math.floor(h / 2 ** 13)), 0xc2b2ae35);
  return xor(h, Math.floor(h / 2 ** 16));
}

/** The row hash as it is agreed, in plain arithmetic. */
function agreedHash(values: readonly Value[]): number {
  let h = 0;
  for (const value of values) {
    if (typeof value === 'string') {
      h = mixed(xor(h, value.length));
      continue;
    }
    const n = Math.round(value * 1000);
    h = mixed(xor(h, n % TWO_32));
    h = mixed(h + Math.floor(n / TWO_32));
  }
  return h;
}

void t.test('row hashes and canonical lines are as agreed', async (test) => {
  const rows: readonly (readonly Value[])[] = [
    [],
    [0],
    [1],
    [4_294_967.296],
    [1_700_000_012_345, 100_000_000, 0.908],
    ['Walter White', 'Bend', 'OR', 60_999],
  ];
  test.equal(mixed(1), 0x514e28b7);
  for (const row of rows) test.equal(rowHash(row) >>> 0, agreedHash(row), JSON.stringify(row));
  test.equal(canonicalLine([1, 2.5, 'a b', 1e12]), '1,2.500000,a b,1000000000000');
  test.equal(canonicalLine([1, 2, 3], 1), '1,2.000000,3');
  test.equal(fileText(['a', 'b']), 'a\nb\n');
  test.equal(linesDigest(['a', 'b']), createHash('sha256').update('a\nb\n').digest('hex'));
});

for (const input of INPUTS) {
  void t.test(`every query gives what a plain loop gives at ${input.rate} events a second`, async (test) => {
    const frames = nexmarkFile(input, test.testdir()).frames();
    const events = eventsOf(frames);
    for (const query of input.queries) {
      const { outcome, results } = await runQuery(query, frames, input.events, true);
      const lines = results.lines();
      const expected = expectedLines(query, events);
      test.ok(expected.length > 0, `${query} has results`);
      test.equal(firstDifference(lines, expected), null, query);
      test.equal(outcome.rows, expected.length, `${query} counts its rows`);
      test.equal(outcome.checksum, checksumOf(expected), `${query} has the checksum of its rows`);
    }
  });
}

void t.test('all of the best are given where there are several', async (test) => {
  const options = { events: 2_000, rate: 0.5, seed: 5 };
  const events = made(options).map((event) =>
    isBid(event) ? { ...event, price: Math.min(event.price, 5_000) } : event,
  );
  for (const [query, stepMs] of [
    ['q5', 2_000],
    ['q7', 10_000],
  ] as const) {
    const { results } = await runQuery(
      query,
      [...rowFrames(NexmarkEvent, events, 'nexmark')],
      options.events,
      true,
    );
    const expected = expectedLines(query, events);
    const windows = new Set(expected.map((line) => Math.floor(Number(line.split(',').at(-1)) / stepMs)));
    test.ok(expected.length > windows.size * 1.1, `${expected.length} rows, ${windows.size} windows`);
    test.equal(firstDifference(results.lines(), expected), null, query);
  }
});

const UNCHANGED_BY_PRICES: readonly string[] = ['q2', 'q3', 'q5', 'q8', 'q11', 'q12', 'q14', 'q20'];

void t.test('a wrong result is noticed', async (test) => {
  const events = made({ events: 10_000, rate: 10_000, seed: 7 });
  const bids = events.filter(isBid);
  const others = [bids.at(-1), bids.reduce((most, bid) => (bid.price > most.price ? bid : most))];
  const wrong = events.map((event) => (others.includes(event as Bid) ? { ...event, price: 99 } : event));
  for (const query of QUERY_NAMES.filter((name) => !UNCHANGED_BY_PRICES.includes(name))) {
    const expected = expectedLines(query, events);
    const found = expectedLines(query, wrong);
    test.not(firstDifference(found, expected), null, query);
    test.not(checksumOf(found), checksumOf(expected), `${query}, by its checksum`);
  }
  const fewer = events.filter((event, id) => !isBid(event) || id % 10 !== 9);
  const kept = events.filter((event) => !(isPerson(event) && event.state === 'OR'));
  for (const [query, some] of [
    ['q2', fewer],
    ['q5', fewer],
    ['q11', fewer],
    ['q12', fewer],
    ['q14', fewer],
    ['q20', fewer],
    ['q3', kept],
    ['q8', kept],
  ] as const)
    test.not(checksumOf(expectedLines(query, some)), checksumOf(expectedLines(query, events)), query);
});

/** From the lines alone: six decimals say as much as the three that count. */
function checksumOf(lines: readonly string[]): number {
  const valueOf = (text: string) => (/^[\d.]+$/.test(text) ? Number(text) : text);
  return lines.reduce((sum, line) => (sum + agreedHash(line.split(',').map(valueOf))) % TWO_32, 0);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
