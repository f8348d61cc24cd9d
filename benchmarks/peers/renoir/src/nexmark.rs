//! Nexmark's q1, q5 and q7, as benchmarks/nexmark has them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use renoir::block::GroupHasherBuilder;
use renoir::operator::StreamElement;
use renoir::StreamContext;

use crate::checksum::{self, Checksum, Tally};
use crate::frames::{Frame, Frames};
use crate::window::{Aligned, WindowEnds};

const BID: i32 = 2;
const SLIDE_MS: i64 = 2_000;
const SIZE_MS: i64 = 10_000;
const EUROS: f64 = 0.908;

/// Bids by auction.
type Counts = HashMap<i32, i64, GroupHasherBuilder>;

#[derive(Clone, Copy)]
struct Bid {
    auction: i32,
    bidder: i32,
    price: i32,
    at: i64,
}

/// The bids of all frames, one after another. Of other events only the kind is looked at.
struct Bids {
    frames: Frames,
    at: Vec<i64>,
    kind: Vec<i32>,
    auction: Vec<i32>,
    bidder: Vec<i32>,
    price: Vec<i32>,
    next: usize,
}

impl Bids {
    fn of(frames: Frames) -> Self {
        let (at, kind, auction) = Default::default();
        let (bidder, price, next) = Default::default();
        Self { frames, at, kind, auction, bidder, price, next }
    }

    fn read(&mut self, frame: &Frame) {
        frame.check();
        frame.times(0, 1, &mut self.at);
        frame.ints(1, 2, &mut self.kind);
        frame.ints(15, 16, &mut self.auction);
        frame.ints(16, 17, &mut self.bidder);
        frame.ints(17, 18, &mut self.price);
        self.next = 0;
    }
}

impl Iterator for Bids {
    type Item = Bid;

    #[inline]
    fn next(&mut self) -> Option<Bid> {
        loop {
            while self.next < self.kind.len() {
                let i = self.next;
                self.next += 1;
                if self.kind[i] == BID {
                    let (auction, bidder, price) = (self.auction[i], self.bidder[i], self.price[i]);
                    return Some(Bid { auction, bidder, price, at: self.at[i] });
                }
            }
            let frame = self.frames.next()?;
            self.read(&frame);
        }
    }
}

/// q1: bids in another currency.
pub fn q1(env: &StreamContext, frames: Frames) -> Arc<Mutex<Tally>> {
    let (mut checksum, total) = Checksum::new();
    env.stream_iter(Bids::of(frames))
        .map(|bid| (bid, f64::from(bid.price) * EUROS))
        .for_each(move |(bid, price)| {
            let hash = checksum::whole(checksum::whole(0, bid.auction.into()), bid.bidder.into());
            let hash = checksum::thousandths(hash, (price * 1000.0).round() as i64);
            checksum.add_hash(checksum::whole(hash, bid.at));
        });
    total
}

/// q5: the auctions with the most bids in the last 10 s, every 2 s: bids are counted in panes of one slide, and the counts of a pane
/// go into the five windows that share it.
pub fn q5(env: &StreamContext, frames: Frames) -> Arc<Mutex<Tally>> {
    let (mut checksum, total) = Checksum::new();
    let mut ends = WindowEnds::every(SLIDE_MS);
    env.stream_iter(Bids::of(frames))
        .add_timestamps(|bid| bid.at, move |_, &at| ends.watermark(at))
        .key_by(|bid| bid.auction)
        .window::<Bid, _>(Aligned::tumbling(SLIDE_MS))
        .fold(0, |n: &mut i64, _| *n += 1)
        .unkey()
        .key_by(|_| ())
        .window::<(i32, i64), _>(Aligned::sliding(SIZE_MS, SLIDE_MS))
        .fold(Counts::default(), |counts, &(auction, n)| *counts.entry(auction).or_insert(0) += n)
        .rich_map_custom(|mut windows| match windows.next() {
            StreamElement::Timestamped((_, counts), last) => StreamElement::Item((counts, last + 1)),
            other => other.map(|(_, counts)| (counts, 0)),
        })
        .for_each(move |(counts, end)| {
            let most = counts.values().copied().max().unwrap_or(0);
            for (&auction, _) in counts.iter().filter(|(_, &n)| n == most) {
                checksum.add(&[auction.into(), most, end]);
            }
        });
    total
}

/// q7: the highest bids of every 10 s. Only bids that may still be the highest of their window go on to the one window that all have
/// in common.
pub fn q7(env: &StreamContext, frames: Frames) -> Arc<Mutex<Tally>> {
    let (mut checksum, total) = Checksum::new();
    let mut ends = WindowEnds::every(SIZE_MS);
    let (mut start, mut highest) = (0, 0);
    env.stream_iter(Bids::of(frames))
        .rich_filter_map(move |bid| {
            if bid.at - start >= SIZE_MS {
                start = bid.at - bid.at % SIZE_MS;
                highest = 0;
            }
            if bid.at >= start {
                if bid.price < highest {
                    return None;
                }
                highest = bid.price;
            }
            Some(bid)
        })
        .add_timestamps(|bid| bid.at, move |_, &at| ends.watermark(at))
        .key_by(|_| ())
        .window::<Bid, _>(Aligned::tumbling(SIZE_MS))
        .fold(Vec::new(), |highest: &mut Vec<Bid>, &bid| match highest.first() {
            Some(best) if bid.price < best.price => {}
            Some(best) if bid.price == best.price => highest.push(bid),
            _ => *highest = vec![bid],
        })
        .for_each(move |(_, highest)| {
            for Bid { auction, bidder, price, at } in highest {
                checksum.add(&[auction.into(), price.into(), bidder.into(), at]);
            }
        });
    total
}
