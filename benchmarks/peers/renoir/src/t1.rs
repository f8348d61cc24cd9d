//! T1: 10 s tumbling windows per device, count and average, minimum, maximum of four measures.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use compact_str::CompactString;
use renoir::StreamContext;

use crate::frames::{Frame, Frames};
use crate::window::{Aligned, WindowEnds};

const WINDOW_MS: i64 = 10_000;
const BOUND_MS: i64 = 1_000;
const FIELDS: usize = 4;

#[derive(Clone)]
struct Measure {
    at: i64,
    /// Short ones lie in the record and in the table of keys: no pointer to follow, and none to count.
    device: CompactString,
    values: [f64; FIELDS],
}

/// The records of all frames, one after another.
struct Measures {
    frames: Frames,
    at: Vec<i64>,
    device: Vec<CompactString>,
    values: [Vec<f64>; FIELDS],
    next: usize,
}

impl Measures {
    fn read(&mut self, frame: &Frame) {
        frame.check();
        frame.times(0, 1, &mut self.at);
        frame.strings(1, 2, &mut self.device);
        for (f, values) in self.values.iter_mut().enumerate() {
            frame.doubles(f + 2, f as u16 + 3, values);
        }
        self.next = 0;
    }
}

impl Iterator for Measures {
    type Item = Measure;

    #[inline]
    fn next(&mut self) -> Option<Measure> {
        if self.next == self.at.len() {
            let frame = self.frames.next()?;
            self.read(&frame);
        }
        let i = self.next;
        self.next += 1;
        let values = [self.values[0][i], self.values[1][i], self.values[2][i], self.values[3][i]];
        Some(Measure { at: self.at[i], device: self.device[i].clone(), values })
    }
}

#[derive(Clone, Copy)]
pub struct Stats {
    start: i64,
    n: u32,
    sum: [f64; FIELDS],
    min: [f64; FIELDS],
    max: [f64; FIELDS],
}

impl Stats {
    const EMPTY: Self = Self {
        start: 0,
        n: 0,
        sum: [0.0; FIELDS],
        min: [f64::INFINITY; FIELDS],
        max: [f64::NEG_INFINITY; FIELDS],
    };

    #[inline]
    fn add(&mut self, measure: &Measure) {
        self.start = measure.at - measure.at % WINDOW_MS;
        self.n += 1;
        for (f, &value) in measure.values.iter().enumerate() {
            self.sum[f] += value;
            if value < self.min[f] {
                self.min[f] = value;
            }
            if value > self.max[f] {
                self.max[f] = value;
            }
        }
    }
}

pub type Rows = Vec<(CompactString, Stats)>;

pub fn run(env: &StreamContext, frames: Frames) -> Arc<Mutex<Rows>> {
    let rows = Arc::new(Mutex::new(Rows::new()));
    let sink = rows.clone();
    let mut ends = WindowEnds::every(WINDOW_MS).behind(BOUND_MS);
    let measures =
        Measures { frames, at: Vec::new(), device: Vec::new(), values: Default::default(), next: 0 };
    env.stream_iter(measures)
        .add_timestamps(|measure| measure.at, move |_, &at| ends.watermark(at))
        .key_by(|measure| measure.device.clone())
        .window::<Measure, _>(Aligned::tumbling(WINDOW_MS))
        .fold(Stats::EMPTY, Stats::add)
        .for_each(move |row| sink.lock().unwrap().push(row));
    rows
}

/// Device, start, count, then average, minimum and maximum of each measure.
pub fn lines(rows: &Rows) -> String {
    let mut text = String::new();
    for (device, stats) in rows {
        write!(text, "{device},{},{}", stats.start, stats.n).unwrap();
        for f in 0..FIELDS {
            let average = stats.sum[f] / f64::from(stats.n);
            write!(text, ",{average},{},{}", stats.min[f], stats.max[f]).unwrap();
        }
        text.push('\n');
    }
    text
}
