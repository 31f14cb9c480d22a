//! Looks at response heads before the HTTP parser does.
//!
//! hyper drops a header line with a byte that HTTP forbids, so that one bad cookie does not cost
//! the page; but it drops it unseen, refuses the whole response for a NUL or a bare CR, and keeps
//! 1xx heads to itself. This reader sets such `Set-Cookie` lines aside, to be judged and counted
//! like the others, and defuses the two bytes in place.

use std::borrow::Cow;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::task::{Context, Poll};

use memchr::memmem::Finder;
use smallvec::SmallVec;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes of heads that are looked at; hyper refuses longer ones anyway.
const MAX_HEAD_BYTES: usize = 128 * 1024;

/// Lines set aside for one exchange, and their bytes. An upstream may send 1xx heads without end;
/// what comes beyond goes nowhere either, and is not counted.
const MAX_LINES: usize = 128;
const MAX_LINE_BYTES: usize = 64 * 1024;

/// What a forbidden byte that would spoil the whole head becomes: one that spoils its line alone.
const DEFUSED: u8 = 0x01;

/// The lines set aside on one connection, shared by its reader and the exchange that owns it.
#[derive(Debug, Default)]
pub struct Aside {
    /// Whether the next bytes belong to a response head.
    expects_head: AtomicBool,
    has_lines: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The head so far, where it did not come in one piece or needs a closer look.
    head: Vec<u8>,
    lines: Vec<Box<[u8]>>,
}

impl Aside {
    /// A request is about to be sent: a head comes next.
    pub fn expect_head(&self) {
        self.expects_head.store(true, Ordering::Release);
    }

    /// The `Set-Cookie` values that the parser drops, since the last call.
    pub fn take(&self) -> Vec<Box<[u8]>> {
        if !self.has_lines.load(Ordering::Acquire) {
            return Vec::new();
        }
        self.has_lines.store(false, Ordering::Release);
        std::mem::take(&mut self.state().lines)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the next bytes; says how many of the last of them are to come again with those that
    /// follow, by which they are judged.
    fn scan(&self, chunk: &mut [u8]) -> usize {
        let mut state = self.state();
        if state.head.is_empty() && is_plain_head(&chunk[empty_lines(chunk)..]) {
            self.expects_head.store(false, Ordering::Release);
            return 0;
        }
        let received = state.receive(chunk);
        if received.is_none() {
            self.expects_head.store(false, Ordering::Release);
        }
        if !state.lines.is_empty() {
            self.has_lines.store(true, Ordering::Release);
        }
        received.unwrap_or(0)
    }
}

/// The end of a head, from that of its last line on: every line has an end that is `\r\n`, and only this
/// one has the two bytes that are looked for first.
static END: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\n\r\n"));

/// Whether `chunk` begins with one complete and harmless final head: nearly every one.
fn is_plain_head(chunk: &[u8]) -> bool {
    let Some(end) = END.find(chunk) else { return false };
    let head = &chunk[..=end];
    !is_informational(head) && !needs_a_look(head)
}

/// Whether a head that ends with a line end may hold a byte that no field may hold, a CR that no LF
/// follows, or a line that continues the one before it. A tab and an LF without CR are rare enough to be
/// looked at too. Without an early exit, so that the compiler turns it into vector instructions.
fn needs_a_look(head: &[u8]) -> bool {
    head.iter().zip(&head[1..]).fold(false, |found, (&byte, &next)| {
        let (is_return, is_end) = (byte == b'\r', byte == b'\n');
        let unpaired = is_return != (next == b'\n');
        let control = (byte < 0x20) != (is_return | is_end);
        let fold = is_end & (next == b' ');
        found | unpaired | control | fold | (byte == 0x7f)
    })
}

/// How many bytes of empty lines stand before a head. The parser passes over them, in requests too (RFC
/// 9112 2.2), and where a head begins decides what it is.
pub fn empty_lines(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while let [b'\r', b'\n', after @ ..] | [b'\n', after @ ..] = rest {
        rest = after;
    }
    bytes.len() - rest.len()
}

fn is_informational(head: &[u8]) -> bool {
    // 101 ends the sequence of heads.
    head.get(9) == Some(&b'1') && !head[9..].starts_with(b"101")
}

impl State {
    /// Takes the next bytes; says how many of them are to come again, where a head is still expected
    /// after them.
    fn receive(&mut self, chunk: &mut [u8]) -> Option<usize> {
        let mut rest = chunk;
        loop {
            let known = self.head.len();
            if known == 0 {
                let empty = empty_lines(rest);
                rest = &mut rest[empty..];
            }
            let is_status_line = !self.head.contains(&b'\n');
            self.head.extend_from_slice(rest);
            let Some(end) = end_of_head(&self.head, known) else {
                let open = open_end(rest);
                self.head.truncate(self.head.len() - open);
                defuse(rest, rest.len() - open, is_status_line);
                // Whoever sends heads without end is left to the parser's own limit.
                return (self.head.len() <= MAX_HEAD_BYTES).then_some(open);
            };
            self.head.truncate(end);
            let (head_part, after) = rest.split_at_mut(end - known);
            defuse(head_part, head_part.len(), is_status_line);
            let informational = is_informational(&self.head);
            self.set_aside(informational);
            self.head.clear();
            if !informational {
                return None;
            }
            if after.is_empty() {
                return Some(0);
            }
            rest = after;
        }
    }

    /// Keeps the `Set-Cookie` lines of a complete head that the parser will not show.
    fn set_aside(&mut self, informational: bool) {
        for line in unfolded(&self.head) {
            let Some(colon) = memchr::memchr(b':', &line) else { continue };
            let (name, value) = (&line[..colon], &line[colon + 1..]);
            let hidden = informational || crate::cookie::has_control(&line);
            let is_cookie = name.trim_ascii_end().eq_ignore_ascii_case(b"set-cookie");
            let bytes: usize = self.lines.iter().map(|line| line.len()).sum();
            if hidden && is_cookie && self.lines.len() < MAX_LINES && bytes < MAX_LINE_BYTES {
                self.lines.push(crate::cookie::trim(value).into());
            }
        }
    }
}

/// The field lines of a head, without their ends; a line that begins with white space continues the
/// one before it (obs-fold, RFC 9112 5.2).
fn unfolded(head: &[u8]) -> Vec<Cow<'_, [u8]>> {
    let mut lines: Vec<Cow<'_, [u8]>> = Vec::new();
    for line in head.split(|&b| b == b'\n').skip(1) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match lines.last_mut() {
            Some(before) if line.starts_with(b" ") || line.starts_with(b"\t") => {
                before.to_mut().extend_from_slice(line);
            }
            _ => lines.push(Cow::Borrowed(line)),
        }
    }
    lines
}

/// The length of the head in `bytes`, of which the first `known` hold no end but its beginning may.
fn end_of_head(bytes: &[u8], known: usize) -> Option<usize> {
    let from = known.saturating_sub(2);
    memchr::memchr_iter(b'\n', &bytes[from..]).map(|at| from + at).find_map(|newline| match &bytes
        [newline + 1..]
    {
        [b'\n', ..] => Some(newline + 2),
        [b'\r', b'\n', ..] => Some(newline + 3),
        _ => None,
    })
}

/// How many bytes at the end of a piece of a head tell what they are by the next piece alone: a line
/// end, or the beginning of one.
fn open_end(piece: &[u8]) -> usize {
    match piece {
        [.., b'\r', b'\n'] => 2,
        [.., b'\r' | b'\n'] => 1,
        _ => 0,
    }
}

/// Rewrites the first `count` bytes of a piece of a head. NUL and a CR without its LF would make the
/// parser refuse the whole response; a line end before white space does not end its line, and is
/// white space too (RFC 9112 5.2), but for that of the status line.
fn defuse(piece: &mut [u8], count: usize, mut is_status_line: bool) {
    for i in 0..count {
        let next = piece.get(i + 1).copied();
        match piece[i] {
            b'\r' if next.is_some_and(|next| next != b'\n') => piece[i] = DEFUSED,
            0 => piece[i] = DEFUSED,
            b'\n' => {
                if !is_status_line && matches!(next, Some(b' ' | b'\t')) {
                    piece[i] = b' ';
                    if let Some(before @ b'\r') = i.checked_sub(1).map(|i| &mut piece[i]) {
                        *before = b' ';
                    }
                }
                is_status_line = false;
            }
            _ => {}
        }
    }
}

/// A connection whose reader looks at response heads.
#[derive(Debug)]
pub struct Scanned<S> {
    stream: S,
    aside: Arc<Aside>,
    /// What has been read and the parser has not seen: inside a head, what comes after a line end
    /// tells what it is.
    withheld: SmallVec<[u8; 2]>,
}

impl<S> Scanned<S> {
    /// Looks at what `stream` reads, and sets lines aside in `aside`.
    pub fn new(stream: S, aside: Arc<Aside>) -> Self {
        Self { stream, aside, withheld: SmallVec::new() }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Scanned<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        loop {
            let returned = self.withheld.len().min(buf.remaining());
            buf.put_slice(&self.withheld[..returned]);
            let known = buf.filled().len();
            if Pin::new(&mut self.stream).poll_read(cx, buf)?.is_pending() {
                buf.set_filled(before);
                return Poll::Pending;
            }
            self.withheld.drain(..returned);
            let has_ended = buf.filled().len() == known;
            if has_ended || !self.aside.expects_head.load(Ordering::Acquire) {
                return Poll::Ready(Ok(()));
            }
            self.scan(buf, before);
            if buf.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S> Scanned<S> {
    /// Looks at what has been read from `before` on, and withholds what cannot be judged yet.
    fn scan(&mut self, buf: &mut ReadBuf<'_>, before: usize) {
        let open = self.aside.scan(&mut buf.filled_mut()[before..]);
        let judged = buf.filled().len() - open;
        self.withheld.extend_from_slice(&buf.filled()[judged..]);
        buf.set_filled(judged);
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Scanned<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream that is read in pieces of a fixed size, with a pause before each.
    struct Pieces {
        bytes: Vec<u8>,
        size: usize,
        pauses: bool,
    }

    impl AsyncRead for Pieces {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            self.pauses = !self.pauses;
            if self.pauses {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let size = self.size.min(self.bytes.len()).min(buf.remaining());
            buf.put_slice(&self.bytes[..size]);
            self.bytes.drain(..size);
            Poll::Ready(Ok(()))
        }
    }

    /// Reads `bytes` in pieces of `size`; returns what the parser sees, the lines set aside, and
    /// whether a head is still expected.
    fn feed(bytes: &[u8], size: usize) -> (Vec<u8>, Vec<String>, bool) {
        let aside = Arc::<Aside>::default();
        aside.expect_head();
        let pieces = Pieces { bytes: bytes.to_vec(), size, pauses: false };
        let mut scanned = Scanned::new(pieces, Arc::clone(&aside));
        let mut seen = Vec::new();
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let read = tokio::io::AsyncReadExt::read_to_end(&mut scanned, &mut seen);
        runtime.block_on(read).expect("the pieces can be read");
        let lines = aside.take().iter().map(|line| line.escape_ascii().to_string()).collect();
        (seen, lines, aside.expects_head.load(Ordering::Acquire))
    }

    #[track_caller]
    fn becomes(response: &[u8], expected: &[u8], aside: &[&str]) {
        for size in (1..=response.len()).chain([usize::MAX]) {
            let (seen, lines, _) = feed(response, size);
            let seen = seen.escape_ascii().to_string();
            assert_eq!(seen, expected.escape_ascii().to_string(), "size {size}");
            assert_eq!(lines, aside, "size {size}");
        }
    }

    #[test]
    fn a_return_is_judged_by_its_successor_wherever_the_pieces_end() {
        becomes(
            b"HTTP/1.1 200 OK\r\nSet-Cookie: a=\rb\r\nX: \r\r\n\r\nbody\r\n\r",
            b"HTTP/1.1 200 OK\r\nSet-Cookie: a=\x01b\r\nX: \x01\r\n\r\nbody\r\n\r",
            &["a=\\rb"],
        );
    }

    #[test]
    fn folded_lines_become_one_wherever_the_pieces_end() {
        becomes(
            b"HTTP/1.1 200 OK\r\nX: a\r\n b\n\tc\r\n \r\n  d\r\nY: e\r\n\r\n body\r\n f",
            b"HTTP/1.1 200 OK\r\nX: a   b \tc       d\r\nY: e\r\n\r\n body\r\n f",
            &[],
        );
        let not_a_field = b"HTTP/1.1 200 OK\r\n X: a\r\n\r\n";
        becomes(not_a_field, not_a_field, &[]);
    }

    #[test]
    fn empty_lines_before_a_status_line_hide_neither_its_head_nor_make_one_of_its_body() {
        let body = b"\0\x01PNG\r\0 \n x\r\n y \n";
        for empty in ["\r\n", "\n", "\r\n\r\n", "\n\r\n\n"] {
            let plain =
                [empty.as_bytes(), b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\n\r\n", body].concat();
            becomes(&plain, &plain, &[]);
            let head =
                |byte| [b"HTTP/1.1 200 OK\r\nSet-Cookie: a=", &[byte][..], b"\r\n\r\n"].concat();
            let odd = [empty.as_bytes(), &head(0), body].concat();
            let defused = [empty.as_bytes(), &head(DEFUSED), body].concat();
            becomes(&odd, &defused, &["a=\\x00"]);
            let early = b"HTTP/1.1 103 Early Hints\r\nSet-Cookie: e=1\r\n\r\n";
            let both = [early, &plain[..]].concat();
            becomes(&both, &both, &["e=1"]);
        }
    }

    #[test]
    fn plain_heads_and_all_bodies_are_left_alone() {
        let response = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\n\r\nbody \0 \r x\x01";
        for size in 1..=response.len() {
            assert_eq!(feed(response, size), (response.to_vec(), vec![], false), "size {size}");
        }
    }

    #[test]
    fn forbidden_bytes_are_set_aside_and_defused() {
        let response =
            b"HTTP/1.1 200 OK\r\nset-COOKIE: a=\x01b\r\nX: \0\r\nSet-Cookie:c=\0\rd\r\n\r\n\0\r.";
        let (seen, lines, expects) = feed(response, usize::MAX);
        assert_eq!(lines, ["a=\\x01b", "c=\\x00\\rd"]);
        assert!(!expects);
        assert_eq!(
            seen,
            b"HTTP/1.1 200 OK\r\nset-COOKIE: a=\x01b\r\nX: \x01\r\nSet-Cookie:c=\x01\x01d\r\n\r\n\0\r."
        );
        for size in 1..=response.len() {
            assert_eq!(feed(response, size).1, lines, "size {size}");
        }
    }

    #[test]
    fn a_bare_return_is_found_beside_a_bare_newline() {
        let response = b"HTTP/1.1 200 OK\r\nSet-Cookie: t=1\rx\nX: 1\r\n\r\n";
        let (seen, lines, _) = feed(response, usize::MAX);
        assert_eq!(lines, ["t=1\\rx"]);
        assert_eq!(seen, b"HTTP/1.1 200 OK\r\nSet-Cookie: t=1\x01x\nX: 1\r\n\r\n");
    }

    #[test]
    fn continued_lines_are_one_line() {
        let response = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1;\r\n X=\x01\r\nB: c\r\n\r\n";
        assert_eq!(feed(response, usize::MAX).1, ["a=1; X=\\x01"]);
    }

    #[test]
    fn heads_without_end_are_kept_within_bounds() {
        let early = b"HTTP/1.1 103 E\r\nSet-Cookie: a=1\r\n\r\n".repeat(10_000);
        assert_eq!(feed(&early, 4096).1.len(), MAX_LINES);
    }

    #[test]
    fn informational_heads_show_their_cookies() {
        let response = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\
            Set-Cookie: early=1\r\n\r\nHTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\n\r\n";
        for size in 1..=response.len() {
            let (seen, lines, expects) = feed(response, size);
            assert_eq!(
                (seen, lines),
                (response.to_vec(), vec!["early=1".to_owned()]),
                "size {size}"
            );
            assert!(!expects);
        }
        let (_, lines, expects) = feed(b"HTTP/1.1 103 x\n\n", usize::MAX);
        assert!(lines.is_empty() && expects);
    }
}
