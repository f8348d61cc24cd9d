//! The checksum of Nexmark's results, as benchmarks/nexmark/result-sink.ts makes it.

use std::sync::{Arc, Mutex};

#[derive(Clone, Copy, Default)]
pub struct Tally {
    pub rows: u64,
    pub sum: u32,
}

/// Sums up the rows of one sink; the total has them when the sink is dropped.
#[derive(Clone)]
pub struct Checksum {
    own: Tally,
    total: Arc<Mutex<Tally>>,
}

impl Checksum {
    pub fn new() -> (Self, Arc<Mutex<Tally>>) {
        let total = Arc::<Mutex<Tally>>::default();
        (Self { own: Tally::default(), total: total.clone() }, total)
    }

    /// A row of whole numbers.
    pub fn add(&mut self, values: &[i64]) {
        self.add_hash(values.iter().fold(0, |hash, &value| whole(hash, value)));
    }

    #[inline]
    pub fn add_hash(&mut self, hash: u32) {
        self.own.rows += 1;
        self.own.sum = self.own.sum.wrapping_add(hash);
    }
}

impl Drop for Checksum {
    fn drop(&mut self) {
        let mut total = self.total.lock().unwrap();
        total.rows += self.own.rows;
        total.sum = total.sum.wrapping_add(self.own.sum);
    }
}

#[inline]
pub fn whole(hash: u32, value: i64) -> u32 {
    thousandths(hash, value * 1000)
}

#[inline]
pub fn thousandths(hash: u32, n: i64) -> u32 {
    mix(mix(hash ^ n as u32).wrapping_add((n >> 32) as u32))
}

/// The finaliser of MurmurHash3.
#[inline]
fn mix(mut h: u32) -> u32 {
    h = (h ^ (h >> 16)).wrapping_mul(0x85eb_ca6b);
    h = (h ^ (h >> 13)).wrapping_mul(0xc2b2_ae35);
    h ^ (h >> 16)
}
