//! Windows of event time that start at multiples of their slide. Renoir's own start at the first record of each key, and drop what
//! comes before it.

use renoir::operator::window::{WindowAccumulator, WindowDescription, WindowManager, WindowResult};
use renoir::operator::{Data, StreamElement};
use smallvec::SmallVec;

#[derive(Clone)]
pub struct Aligned {
    size: i64,
    slide: i64,
}

impl Aligned {
    pub fn tumbling(size: i64) -> Self {
        Self { size, slide: size }
    }

    pub fn sliding(size: i64, slide: i64) -> Self {
        Self { size, slide }
    }
}

impl<T: Data> WindowDescription<T> for Aligned {
    type Manager<A: WindowAccumulator<In = T>> = AlignedWindows<A>;

    fn build<A: WindowAccumulator<In = T>>(&self, accumulator: A) -> AlignedWindows<A> {
        AlignedWindows { of: self.clone(), empty: accumulator, open: SmallVec::new() }
    }
}

/// The open windows of one key, a handful.
#[derive(Clone)]
pub struct AlignedWindows<A> {
    of: Aligned,
    empty: A,
    /// By their start, in no order. Beside the key, where it is looked up: elsewhere they would be one more cache miss.
    open: SmallVec<[(i64, A); 2]>,
}

impl<A: WindowAccumulator> AlignedWindows<A> {
    #[inline]
    fn add(&mut self, item: &A::In, at: i64) {
        let mut start = at - at.rem_euclid(self.of.slide);
        while start + self.of.size > at {
            match self.open.iter_mut().find(|(open, _)| *open == start) {
                Some((_, window)) => window.process(item),
                None => {
                    let mut window = self.empty.clone();
                    window.process(item);
                    self.open.push((start, window));
                }
            }
            start -= self.of.slide;
        }
    }

    /// Results carry the last moment of their window as their time.
    fn close(&mut self, watermark: i64) -> Vec<WindowResult<A::Out>> {
        let size = self.of.size;
        let mut closed = Vec::new();
        for i in (0..self.open.len()).rev() {
            let last = self.open[i].0 + size - 1;
            if last <= watermark {
                closed.push(WindowResult::Timestamped(self.open.swap_remove(i).1.output(), last));
            }
        }
        closed
    }
}

impl<A: WindowAccumulator> WindowManager for AlignedWindows<A> {
    type In = A::In;
    type Out = A::Out;
    type Output = Vec<WindowResult<A::Out>>;

    #[inline]
    fn process(&mut self, element: StreamElement<A::In>) -> Self::Output {
        match element {
            StreamElement::Timestamped(item, at) => {
                self.add(&item, at);
                Vec::new()
            }
            StreamElement::Watermark(watermark) => self.close(watermark),
            StreamElement::FlushAndRestart => self.close(i64::MAX),
            StreamElement::Item(_) => panic!("windows of event time take records with a time"),
            _ => Vec::new(),
        }
    }

    fn recycle(&self) -> bool {
        self.open.is_empty()
    }
}

/// Follows event time and gives a watermark only where it ends a window: each one costs a walk over all keys.
#[derive(Clone)]
pub struct WindowEnds {
    slide: i64,
    bound: i64,
    latest: i64,
    /// Of the first window that no watermark has ended yet.
    next_end: i64,
}

impl WindowEnds {
    /// For records in the order of their times.
    pub fn every(slide: i64) -> Self {
        Self { slide, bound: 0, latest: i64::MIN, next_end: i64::MIN }
    }

    /// For records that may be so many ms behind the latest.
    pub fn behind(self, bound: i64) -> Self {
        Self { bound, ..self }
    }

    #[inline]
    pub fn watermark(&mut self, at: i64) -> Option<i64> {
        if at <= self.latest {
            return None;
        }
        self.latest = at;
        let next_time = at - self.bound;
        if next_time < self.next_end {
            return None;
        }
        self.next_end = next_time.div_euclid(self.slide) * self.slide + self.slide;
        Some(next_time - 1)
    }
}
