//! Columns of frames, read from the bytes of a file in memory. The layout is drawn in engine/wire/envelope.ts, column-crcs.ts and
//! frame-layout.ts. CRCs are checked, of columns where they are read, and that a column is the expected one; the rest is trusted.

use compact_str::CompactString;

const ENVELOPE_BYTES_MIN: usize = 100;
const BODY_HEADER_BYTES: usize = 8;
const COLUMN_ENTRY_BYTES: usize = 24;
const PLAIN: u8 = 0;
const CONST: u8 = 1;
const DECIMAL: u8 = 2;
const OFFSET: u8 = 3;
const SHORT: u8 = 4;
const F64: u8 = 1;
const TIME: u8 = 3;
const I32: u8 = 4;
const STRING: u8 = 7;

/// The file in memory. It stays there until the process ends.
pub fn load(path: &str) -> &'static [u8] {
    Box::leak(std::fs::read(path).expect("the file of frames can be read").into_boxed_slice())
}

/// The frames of a file, one after another.
#[derive(Clone)]
pub struct Frames {
    bytes: &'static [u8],
}

impl Frames {
    pub fn new(bytes: &'static [u8]) -> Self {
        Self { bytes }
    }

    /// The leading frames that hold at least so many records, or all.
    pub fn leading(&self, records: usize) -> Self {
        let (mut all, mut seen, mut end) = (self.clone(), 0, 0);
        while seen < records {
            let Some(frame) = all.next() else { break };
            seen += frame.records;
            end = self.bytes.len() - all.bytes.len();
        }
        Self::new(&self.bytes[..end])
    }

    pub fn records(&self) -> usize {
        self.clone().map(|frame| frame.records).sum()
    }
}

impl Iterator for Frames {
    type Item = Frame;

    fn next(&mut self) -> Option<Frame> {
        if self.bytes.is_empty() {
            return None;
        }
        let end = 4 + u32_at(self.bytes, 0) as usize;
        let frame = Frame::new(&self.bytes[4..end]);
        self.bytes = &self.bytes[end..];
        Some(frame)
    }
}

pub struct Frame {
    bytes: &'static [u8],
    header_bytes: usize,
    body: usize,
    has_column_crcs: bool,
    pub records: usize,
}

impl Frame {
    fn new(bytes: &'static [u8]) -> Self {
        assert!(bytes.len() >= ENVELOPE_BYTES_MIN && &bytes[..4] == b"MRF1", "it is a frame");
        let header_bytes = u32_at(bytes, 12) as usize;
        let records = u32_at(bytes, 16) as usize;
        let body = bytes.len() - u32_at(bytes, 20) as usize;
        Self { bytes, header_bytes, body, has_column_crcs: u16_at(bytes, 8) == 2, records }
    }

    pub fn check(&self) {
        let Self { bytes, header_bytes, .. } = *self;
        assert!(matches!(u32_at(bytes, 8), 1 | 2), "version 1 or 2, not compressed");
        assert_eq!(crc32fast::hash(&bytes[8..header_bytes]), u32_at(bytes, 4), "CRC of the envelope");
        let end = if self.has_column_crcs { self.sections() } else { bytes.len() };
        assert_eq!(crc32fast::hash(&bytes[header_bytes..end]), u32_at(bytes, 28), "CRC of the payload");
    }

    /// Where the sections start.
    fn sections(&self) -> usize {
        self.body + BODY_HEADER_BYTES + u32_at(self.bytes, self.body) as usize * COLUMN_ENTRY_BYTES
    }

    fn section(&self, index: usize, id: u16, kind: u8) -> Section {
        let entries = self.body + BODY_HEADER_BYTES;
        let entry = |c: usize| &self.bytes[entries + c * COLUMN_ENTRY_BYTES..][..COLUMN_ENTRY_BYTES];
        let bytes_of = |c: usize| u32_at(entry(c), 8) as usize;
        let mut at = self.sections();
        for c in 0..index {
            at += align8(bytes_of(c));
        }
        let own = entry(index);
        assert!(u16_at(own, 0) == id && own[2] == kind, "column {index} is the expected one");
        let has_nulls = own[4] == 1;
        let end = at + bytes_of(index);
        if self.has_column_crcs {
            let crc = u32_at(self.bytes, self.header_bytes + 4 * index);
            assert_eq!(crc32fast::hash(&self.bytes[at..align8(end)]), crc, "CRC of column {index}");
        }
        if has_nulls {
            at += align8((self.records + 7) >> 3);
        }
        Section {
            bytes: &self.bytes[at..end],
            encoding: own[3],
            exponent: own[5],
            dictionary: u32_at(own, 12) as usize,
            base: f64::from_le_bytes(own[16..24].try_into().unwrap()),
        }
    }

    pub fn times(&self, index: usize, id: u16, to: &mut Vec<i64>) {
        let section = self.section(index, id, TIME);
        let base = section.base as i64;
        to.clear();
        match section.encoding {
            CONST => to.resize(self.records, base),
            OFFSET => to.extend(section.ints(self.records).map(|distance| base + i64::from(distance))),
            SHORT if section.exponent == 0 => {
                to.extend(section.shorts(self.records).map(|distance| base + i64::from(distance)));
            }
            PLAIN => to.extend(section.doubles(self.records).map(|time| time as i64)),
            other => panic!("times are not encoded as {other}"),
        }
    }

    pub fn doubles(&self, index: usize, id: u16, to: &mut Vec<f64>) {
        let section = self.section(index, id, F64);
        to.clear();
        match section.encoding {
            CONST => to.resize(self.records, section.base),
            DECIMAL => {
                let power = 10f64.powi(i32::from(section.exponent));
                to.extend(section.ints(self.records).map(|digits| f64::from(digits) / power));
            }
            OFFSET => to.extend(section.ints(self.records).map(|distance| section.base + f64::from(distance))),
            SHORT => {
                let power = 10f64.powi(i32::from(section.exponent));
                to.extend(section.shorts(self.records).map(|distance| (section.base + f64::from(distance)) / power));
            }
            PLAIN => to.extend(section.doubles(self.records)),
            other => panic!("numbers are not encoded as {other}"),
        }
    }

    /// A null's place holds anything.
    pub fn ints(&self, index: usize, id: u16, to: &mut Vec<i32>) {
        let section = self.section(index, id, I32);
        to.clear();
        if section.encoding == CONST {
            to.resize(self.records, section.base as i32);
        } else {
            to.extend(section.ints(self.records));
        }
    }

    pub fn strings(&self, index: usize, id: u16, to: &mut Vec<CompactString>) {
        let section = self.section(index, id, STRING);
        let lengths = &section.bytes[..4 * section.dictionary];
        let mut at = lengths.len();
        let texts: Vec<CompactString> = lengths
            .chunks_exact(4)
            .map(|length| {
                let length = u32_at(length, 0) as usize;
                let text = std::str::from_utf8(&section.bytes[at..at + length]).expect("strings are UTF-8");
                at += (length + 3) & !3;
                CompactString::new(text)
            })
            .collect();
        to.clear();
        if section.encoding == CONST {
            to.resize(self.records, texts[0].clone());
        } else {
            assert_eq!(section.encoding, PLAIN, "codes are plain");
            let codes = &section.bytes[section.bytes.len() - 2 * self.records..];
            to.extend(codes.chunks_exact(2).map(|code| texts[usize::from(u16_at(code, 0))].clone()));
        }
    }
}

struct Section {
    /// Without the bitmap of nulls.
    bytes: &'static [u8],
    encoding: u8,
    exponent: u8,
    dictionary: usize,
    base: f64,
}

impl Section {
    fn shorts(&self, records: usize) -> impl Iterator<Item = u16> {
        self.bytes[..2 * records].chunks_exact(2).map(|cell| u16_at(cell, 0))
    }

    fn ints(&self, records: usize) -> impl Iterator<Item = i32> {
        let cells = self.bytes[..4 * records].chunks_exact(4);
        cells.map(|cell| i32::from_le_bytes(cell.try_into().unwrap()))
    }

    fn doubles(&self, records: usize) -> impl Iterator<Item = f64> {
        let cells = self.bytes[..8 * records].chunks_exact(8);
        cells.map(|cell| f64::from_le_bytes(cell.try_into().unwrap()))
    }
}

fn align8(n: usize) -> usize {
    (n + 7) & !7
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap())
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}
