//! The frames that an HTTP/2 client sends, counted as they are read.
//!
//! The library that speaks HTTP/2 answers some things without a word: a head that is too large, a
//! malformed one, a stream that is reset before it is looked at. And it takes frames that cost a
//! client nothing for as long as they come. Both show in nothing but the headers of the frames
//! (RFC 9113 4.1).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Bytes of the preface, which comes before the first frame (RFC 9113 3.4).
const PREFACE_LENGTH: usize = 24;

/// Bytes of a frame's header.
const HEADER: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// Frames beside requests and their bodies that a connection may send at any time, for each request,
/// and for each second: browsers send a handful a request, gRPC clients some pings a second.
const SPARE: u64 = 1000;
const SPARE_A_STREAM: u64 = 20;
const SPARE_A_SECOND: u64 = 20;

/// Bytes written that earn a WINDOW_UPDATE: the shortest frame with something in it has ten, and a
/// client may answer each with one for its stream and one for the connection.
const BYTES_AN_UPDATE: u64 = 4;

/// What has come on one connection.
#[derive(Debug)]
pub(super) struct Counts {
    since: Instant,
    streams: AtomicU64,
    others: AtomicU64,
    /// Frames that make room for more.
    updates: AtomicU64,
    /// Bytes written.
    written: AtomicU64,
}

impl Counts {
    pub(super) fn new() -> Self {
        Self {
            since: Instant::now(),
            streams: AtomicU64::new(0),
            others: AtomicU64::new(0),
            updates: AtomicU64::new(0),
            written: AtomicU64::new(0),
        }
    }

    /// Streams that the client has opened.
    pub(super) fn streams(&self) -> u64 {
        self.streams.load(Ordering::Relaxed)
    }

    /// Whether the client sends frames for the sake of their number.
    pub(super) fn is_flooded(&self) -> bool {
        let others = self.others.load(Ordering::Relaxed);
        let updates = self.updates.load(Ordering::Relaxed);
        let asked = self.written.load(Ordering::Relaxed) / BYTES_AN_UPDATE;
        (others > SPARE && others > self.spare())
            || (updates > SPARE + asked && updates > self.spare() + asked)
    }

    /// Takes note of what the client is given to read.
    pub(super) fn wrote(&self, bytes: usize) {
        self.written.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn spare(&self) -> u64 {
        SPARE + SPARE_A_STREAM * self.streams() + SPARE_A_SECOND * self.since.elapsed().as_secs()
    }
}

/// Where in the frames the bytes read so far end.
#[derive(Debug)]
pub(super) struct Reader {
    /// Bytes before the next frame's header.
    skip: usize,
    header: [u8; HEADER],
    /// Bytes of the header that are there.
    known: usize,
    last_stream: u32,
    /// Whether a new stream's head is being read, and whether it ends with the frame.
    opens: bool,
    ends: bool,
}

impl Reader {
    /// Before the preface.
    pub(super) fn new() -> Self {
        let header = [0; HEADER];
        Self { skip: PREFACE_LENGTH, header, known: 0, last_stream: 0, opens: false, ends: false }
    }

    /// Counts what ends in these bytes, the next of the connection.
    pub(super) fn read(&mut self, mut bytes: &[u8], counts: &Counts) {
        loop {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            if self.skip == 0 && self.opens && self.ends {
                self.opens = false;
                counts.streams.fetch_add(1, Ordering::Relaxed);
            }
            let taken = (HEADER - self.known).min(bytes.len());
            if taken == 0 {
                return;
            }
            self.header[self.known..self.known + taken].copy_from_slice(&bytes[..taken]);
            self.known += taken;
            bytes = &bytes[taken..];
            if self.known == HEADER {
                self.known = 0;
                self.skip = self.count(counts);
            }
        }
    }

    /// Counts a frame by its header; returns the length of its payload.
    fn count(&mut self, counts: &Counts) -> usize {
        let [a, b, c, kind, flags, stream @ ..] = self.header;
        let length = u32::from_be_bytes([0, a, b, c]);
        let stream = u32::from_be_bytes(stream) & !(1 << 31);
        self.ends = matches!(kind, HEADERS | CONTINUATION) && flags & END_HEADERS != 0;
        match kind {
            HEADERS if stream > self.last_stream => {
                self.last_stream = stream;
                self.opens = true;
            }
            DATA if length > 0 || flags & END_STREAM != 0 => {}
            // A long download takes many of them.
            WINDOW_UPDATE => {
                counts.updates.fetch_add(1, Ordering::Relaxed);
            }
            _ => {
                counts.others.fetch_add(1, Ordering::Relaxed);
            }
        }
        length as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, stream: u32, length: u32) -> Vec<u8> {
        let mut frame = length.to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.resize(HEADER + length as usize, 1);
        frame
    }

    #[test]
    fn frames_are_counted_wherever_the_pieces_end() {
        let ping = 6;
        let bytes = [
            vec![b'P'; PREFACE_LENGTH],
            frame(HEADERS, END_HEADERS, 1, 5),
            frame(DATA, 0, 1, 20),
            frame(DATA, 0, 1, 0),
            frame(DATA, END_STREAM, 1, 0),
            frame(HEADERS, END_STREAM | END_HEADERS, 1, 3),
            frame(HEADERS, 0, 3, 0),
            frame(CONTINUATION, END_HEADERS, 3, 7),
            frame(HEADERS, END_HEADERS, 5, 0),
            frame(HEADERS, 0, 7, 3),
            frame(WINDOW_UPDATE, 0, 0, 4),
            frame(ping, 0, 0, 8),
        ]
        .concat();
        for size in 1..=bytes.len() {
            let (counts, mut reader) = (Counts::new(), Reader::new());
            bytes.chunks(size).for_each(|chunk| reader.read(chunk, &counts));
            assert_eq!(counts.streams(), 3, "size {size}: the last has not been opened to the end");
            // The empty DATA, the trailers, the CONTINUATION, the ping.
            assert_eq!(counts.others.load(Ordering::Relaxed), 4, "size {size}");
        }
    }

    #[test]
    fn a_flood_is_one_beside_what_is_asked_for() {
        let (counts, mut reader) = (Counts::new(), Reader::new());
        reader.read(&[0; PREFACE_LENGTH], &counts);
        let send = |reader: &mut Reader, kind, stream: u32, times: u32| {
            (0..times)
                .for_each(|n| reader.read(&frame(kind, END_HEADERS, stream + 2 * n, 0), &counts));
        };
        send(&mut reader, 6, 0, 900);
        assert!(!counts.is_flooded());
        send(&mut reader, HEADERS, 1, 100);
        send(&mut reader, 6, 0, 2000);
        assert!(!counts.is_flooded());
        send(&mut reader, 6, 0, 2000);
        assert!(counts.is_flooded());
    }

    #[test]
    fn room_is_made_for_what_is_read_and_not_for_the_sake_of_it() {
        let (counts, mut reader) = (Counts::new(), Reader::new());
        reader.read(&[0; PREFACE_LENGTH], &counts);
        let update = frame(WINDOW_UPDATE, 0, 0, 4);
        counts.wrote(100_000);
        reader.read(&update.repeat(20_000), &counts);
        assert!(!counts.is_flooded(), "two for each frame of one byte");
        reader.read(&update.repeat(10_000), &counts);
        assert!(counts.is_flooded());
    }
}
